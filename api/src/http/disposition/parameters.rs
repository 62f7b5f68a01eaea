//! The parameters of a header: `; name=value; name="value"`.

/// The parameters by their names in lower case, in order.
pub(super) struct Parameters(Vec<(String, Vec<u8>)>);

impl Parameters {
    /// Parses the parameters after the header's first word. Text that is no parameter is skipped.
    pub(super) fn parse(header: &[u8]) -> Parameters {
        let mut found = Vec::new();
        let mut rest = after(header, b';');
        while !rest.is_empty() {
            let length = rest.iter().take_while(|byte| !b"=;".contains(byte)).count();
            let name = rest[..length].trim_ascii().to_ascii_lowercase();
            rest = &rest[length..];
            if let Some(behind) = rest.strip_prefix(b"=") {
                let value;
                (value, rest) = match behind.trim_ascii_start().strip_prefix(b"\"") {
                    Some(quoted) => split_quoted(quoted),
                    None => {
                        let length = behind.iter().take_while(|byte| **byte != b';').count();
                        (behind[..length].trim_ascii().to_vec(), &behind[length..])
                    }
                };
                found.push((String::from_utf8_lossy(&name).into_owned(), value));
            }
            rest = after(rest, b';');
        }
        Parameters(found)
    }

    /// The value of the first parameter with this name.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_slice())
    }
}

/// The bytes after the first `separator`.
fn after(text: &[u8], separator: u8) -> &[u8] {
    let mut parts = text.splitn(2, |byte| *byte == separator);
    parts.nth(1).unwrap_or_default()
}

/// Splits a text after its opening quote into the quoted value and the rest.
///
/// Clients escape quotes by a backslash, or not at all, and write the backslashes of Windows paths once. So a quote ends the
/// value only before a semicolon or the end, and a backslash escapes only a quote or a backslash.
fn split_quoted(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut value, mut at) = (Vec::new(), 0);
    while let Some(&byte) = text.get(at) {
        let behind = &text[at + 1..];
        let next = behind.trim_ascii_start().first();
        match (byte, behind) {
            (b'"', _) if next.is_none_or(|byte| *byte == b';') => return (value, behind),
            (b'\\', [b'"', end @ ..]) if end.trim_ascii().is_empty() => value.push(byte),
            (b'\\', [escaped @ (b'"' | b'\\'), ..]) => {
                value.push(*escaped);
                at += 1;
            }
            _ => value.push(byte),
        }
        at += 1;
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_in_many_ways() {
        let check = |text: &str, expected: &str, rest: &str| {
            let (value, behind) = split_quoted(text.as_bytes());
            assert_eq!(
                (str::from_utf8(&value), str::from_utf8(behind)),
                (Ok(expected), Ok(rest)),
                "{text}"
            );
        };
        check(r#"a" ; b"#, "a", " ; b");
        check(r#"a"b""#, "a\"b", "");
        check(r#"a\"; b""#, "a\"; b", "");
        check(r#"a\""#, "a\\", "");
        check(r#"a\\" ;"#, "a\\", " ;");
        check(r"a\b", r"a\b", "");
        check("a", "a", "");
        check("", "", "");
    }
}
