//! The file name of a download.

/// Longest part of the source's name in a file name, in bytes.
const MAX_STEM: usize = 100;

/// The file name of a download: `holiday-480p.mp4` for the output `480p.mp4` of `holiday.mov`.
///
/// It contains only characters that need no quoting in headers, shells and file systems; others are omitted.
pub(crate) fn file_name(source: &str, output: &str) -> String {
    let stem = source.rsplit_once('.').map_or(source, |(stem, _)| stem);
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
    let stem: String = stem.chars().filter(plain).take(MAX_STEM).collect();
    match stem.is_empty() {
        true => output.to_owned(),
        false => format!("{stem}-{output}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_have_plain_names() {
        let check =
            |source: &str, expected: &str| assert_eq!(file_name(source, "480p.mp4"), expected, "{source}");
        check("holiday.mov", "holiday-480p.mp4");
        check("../../etc/pass\"wd\r\n.mp4", "etcpasswd-480p.mp4");
        check("休日.mp4", "480p.mp4");
        check("", "480p.mp4");
    }
}
