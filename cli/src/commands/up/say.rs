/// Prints a line on standard error. Unlike `eprintln!`, it does not end the system when the reader is gone.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($text)*);
    }};
}
