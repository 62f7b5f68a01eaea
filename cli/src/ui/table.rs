//! Lists in columns.

use super::output::{GAP, print};
use console::{Term, measure_text_width, pad_str, style, truncate_str};
use std::io::{IsTerminal, stdout};

/// The last column is not cut below this many characters.
const MIN_LAST_WIDTH: usize = 8;

/// Rows below a header on a terminal; fields separated by tabs, without a header, in a pipe.
///
/// The last column gets the rest of the terminal's width.
pub struct Table {
    columns: &'static [(&'static str, usize)],
    width: Option<usize>,
}

impl Table {
    /// Prints the header. `columns` are names and widths; the last width is not used.
    pub fn new(columns: &'static [(&'static str, usize)]) -> Table {
        let width = stdout().is_terminal().then(|| Term::stdout().size().1.into());
        let table = Table { columns, width };
        if width.is_some() {
            let header: Vec<_> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
            print(style(table.line(&header)).bold());
        }
        table
    }

    /// Prints a row.
    pub fn row(&self, cells: &[String]) {
        print(self.line(cells));
    }

    fn line(&self, cells: &[String]) -> String {
        let Some(width) = self.width else {
            return cells.join("\t");
        };
        line(self.columns, width, cells)
    }
}

fn line(columns: &[(&str, usize)], terminal_width: usize, cells: &[String]) -> String {
    let mut text = String::new();
    for (i, (cell, (_, width))) in cells.iter().zip(columns).enumerate() {
        if i + 1 == columns.len() {
            let left = terminal_width
                .saturating_sub(measure_text_width(&text))
                .max(MIN_LAST_WIDTH);
            text.push_str(&truncate_str(cell, left, "…"));
        } else {
            text.push_str(&pad_str(cell, *width, console::Alignment::Left, None));
            text.push_str(GAP);
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_column_is_cut() {
        let cells = ["job-1".to_owned(), "a long name.mp4".to_owned()];
        let check = |width, expected| assert_eq!(line(&[("ID", 3), ("FILE", 0)], width, &cells), expected);
        check(80, "job-1  a long name.mp4");
        check(16, "job-1  a long n…");
        check(3, "job-1  a long …");
    }
}
