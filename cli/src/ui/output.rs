//! Standard output: colours on a terminal, plain lines in a pipe, JSON for programs.

use console::style;
use serde_json::Value;
use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal, Write, stdout},
};

/// Exit code when the reader closed the pipe: 128 plus the number of SIGPIPE, as in a shell.
const READER_GONE: i32 = 141;
/// Space between columns on a terminal.
pub(super) const GAP: &str = "  ";

/// Prints a line.
///
/// A closed pipe (`vidp jobs | head`) ends the program silently. Any other error, such as a full disk, ends it with a
/// message.
pub fn print(line: impl Display) {
    if let Err(error) = writeln!(stdout(), "{line}") {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(READER_GONE);
        }
        eprintln!("standard output: {error}");
        std::process::exit(1);
    }
}

/// Prints fields separated by spaces on a terminal and by tabs in a pipe.
pub fn fields(fields: &[&str]) {
    print(fields.join(if is_terminal() { GAP } else { "\t" }).trim_end());
}

/// Escapes control characters: foreign text, such as a file name, must not control the terminal.
pub fn printable(text: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_control() => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Prints a document: indented on a terminal, on one line in a pipe.
pub fn json(document: &Value) {
    if stdout().is_terminal() {
        print(format!("{document:#}"));
    } else {
        print(document);
    }
}

/// True when standard output is a terminal.
pub fn is_terminal() -> bool {
    stdout().is_terminal()
}

/// A status in its colour; without colour in a pipe and with `NO_COLOR`.
pub fn status(status: &str) -> String {
    padded_status(status, 0)
}

/// A status in its colour, padded to `width` characters first, because the colour's own characters have no width.
pub fn padded_status(status: &str, width: usize) -> String {
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

/// A duration in one unit, for columns: `42s`, `5m`, `3h`, `12d`.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s}s"),
        s @ 120..7200 => format!("{}m", s / 60),
        s @ 7200..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// The text of a field; a dash when the field is null or absent.
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
    fn names_cannot_control_the_terminal() {
        assert_eq!(printable("été 1.mp4"), "été 1.mp4");
        assert_eq!(printable("\u{1b}[2J\n.mp4"), "\\u{1b}[2J\\n.mp4");
    }
}
