//! One `Range` header (RFC 9110, section 14).

/// The requested part of a representation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole representation: without a range, and for several ranges, another unit or invalid syntax, which a server
    /// may ignore.
    Whole,
    /// The bytes from the first to the last, both inclusive.
    Bytes(u64, u64),
    /// The range lies outside the representation: 416.
    Unsatisfiable,
}

/// Parses a `Range` header for a representation of `size` bytes.
pub(crate) fn parse(header: Option<&str>, size: u64) -> Part {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else {
        return Part::Whole;
    };
    let end = size.saturating_sub(1);
    match (first.trim().parse::<u64>(), last.trim()) {
        (Ok(first), _) if first >= size => Part::Unsatisfiable,
        (Ok(first), "") => Part::Bytes(first, end),
        (Ok(first), last) => match last.parse::<u64>() {
            Ok(last) if last >= first => Part::Bytes(first, last.min(end)),
            _ => Part::Whole,
        },
        (Err(_), last) if first.trim().is_empty() => match last.parse::<u64>() {
            Ok(0) => Part::Unsatisfiable,
            Ok(_) if size == 0 => Part::Unsatisfiable,
            Ok(length) => Part::Bytes(size.saturating_sub(length), end),
            Err(_) => Part::Whole,
        },
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Part) {
        assert_eq!(parse(Some(header), 100), expected, "{header}");
    }

    proptest::proptest! {
        #[test]
        fn a_range_lies_within_what_is_there(header in "(bytes=)?[0-9 ,x-]{0,30}", size in 0..2000_u64) {
            if let Part::Bytes(first, last) = parse(Some(&header), size) {
                assert!(first <= last && last < size, "{header} of {size}: {first} to {last}");
            }
        }
    }

    #[test]
    fn ranges() {
        check("bytes=0-9", Part::Bytes(0, 9));
        check("bytes=90-", Part::Bytes(90, 99));
        check("bytes=-10", Part::Bytes(90, 99));
        check("bytes=-1000", Part::Bytes(0, 99));
        check("bytes=99-1000", Part::Bytes(99, 99));
        check("bytes=100-", Part::Unsatisfiable);
        check("bytes=-0", Part::Unsatisfiable);
        check("bytes=5-4", Part::Whole);
        check("bytes=0-1,5-6", Part::Whole);
        check("lines=0-1", Part::Whole);
        check("bytes=-", Part::Whole);
        check("bytes=x-y", Part::Whole);
        assert_eq!(parse(None, 100), Part::Whole);
        assert_eq!(parse(Some("bytes=0-0"), 0), Part::Unsatisfiable);
    }
}
