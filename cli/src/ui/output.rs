//! Standard output: columns and colours on a terminal, plain lines in a pipe, JSON for programs.

use console::{Term, measure_text_width, pad_str, style, truncate_str};
use serde_json::Value;
use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write, stdout},
};

/// As a shell counts a program that SIGPIPE ended.
const READER_GONE: i32 = 141;
const GAP: &str = "  ";
/// A last column narrower than this is not worth cutting.
const LEAST: usize = 8;

/// Prints a line. A reader that went away (`vidp jobs | head`) ends the program without a word; a full disk with one.
pub fn print(line: impl Display) {
    if let Err(error) = writeln!(stdout(), "{line}") {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(READER_GONE);
        }
        eprintln!("standard output: {error}");
        std::process::exit(1);
    }
}

/// Prints fields: blanks between them on a terminal, tabs in a pipe.
pub fn fields(fields: &[&str]) {
    print(fields.join(if is_terminal() { GAP } else { "\t" }).trim_end());
}

/// Text of others, such as a file's name, without what would control the terminal.
pub fn plain(text: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Prints a document: on one line, or indented on a terminal.
pub fn json(document: &Value) {
    if stdout().is_terminal() {
        print(format!("{document:#}"));
    } else {
        print(document);
    }
}

/// Whether people read it.
pub fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// Rows under a head on a terminal; fields with tabs between them, and no head, in a pipe. The last column takes what
/// the terminal has left.
pub struct Table {
    columns: &'static [(&'static str, usize)],
    width: Option<usize>,
}

impl Table {
    /// Prints the head. `columns` are names and widths.
    pub fn new(columns: &'static [(&'static str, usize)]) -> Table {
        let width = stdout().is_terminal().then(|| Term::stdout().size().1.into());
        let table = Table { columns, width };
        if width.is_some() {
            let head: Vec<_> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
            print(style(table.line(&head)).bold());
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

fn line(columns: &[(&str, usize)], width: usize, cells: &[String]) -> String {
    let mut text = String::new();
    for (i, (cell, (_, wide))) in cells.iter().zip(columns).enumerate() {
        if i + 1 == columns.len() {
            let left = width.saturating_sub(measure_text_width(&text)).max(LEAST);
            text.push_str(&truncate_str(cell, left, "…"));
        } else {
            text.push_str(&pad_str(cell, *wide, console::Alignment::Left, None));
            text.push_str(GAP);
        }
    }
    text.trim_end().to_owned()
}

/// A status in its colour, where there are colours.
pub fn status(status: &str) -> String {
    status_of_width(status, 0)
}

/// The same with blanks behind it: colours have no width, but characters.
pub fn status_of_width(status: &str, width: usize) -> String {
    let padded = style(format!("{status:<width$}"));
    match status {
        "succeeded" | "ok" => padded.green(),
        "failed" | "refused" | "unreadable" | "FAIL" => padded.red(),
        "partial" | "cancelled" | "warn" => padded.yellow(),
        "running" | "uploading" => padded.cyan(),
        _ => padded,
    }
    .to_string()
}

/// Time in one unit, for columns: `42s`, `5m`, `3h`, `12d`.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s}s"),
        s @ 120..7200 => format!("{}m", s / 60),
        s @ 7200..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// The text of a field, or a dash.
pub fn field(document: &Value, name: &str) -> String {
    match &document[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let check = |seconds, expected| assert_eq!(age(seconds), expected);
        check(-3, "0s");
        check(119, "119s");
        check(120, "2m");
        check(7200, "2h");
        check(172_800, "2d");
    }

    #[test]
    fn names_do_not_control_the_terminal() {
        assert_eq!(plain("été 1.mp4"), "été 1.mp4");
        assert_eq!(plain("\u{1b}[2J\n.mp4"), "\\u{1b}[2J\\n.mp4");
    }

    #[test]
    fn only_the_last_column_is_cut() {
        let cells = ["job-1".to_owned(), "a long name.mp4".to_owned()];
        let check = |width, expected| assert_eq!(line(&[("ID", 3), ("FILE", 0)], width, &cells), expected);
        check(80, "job-1  a long name.mp4");
        check(16, "job-1  a long n…");
        check(3, "job-1  a long …");
    }
}
