//! The codec of a sample entry, as RFC 6381 and the bindings of the codecs write it.

use crate::{Error, boxes::Box, cursor::Cursor};
use std::fmt::Write;

/// Bytes of the fields before the boxes in a sample entry of video.
const VIDEO_FIELDS: usize = 78;
/// Bytes of the fields before the boxes in a sample entry of audio.
const AUDIO_FIELDS: usize = 28;

/// Returns the codec of `entry`, for example `avc1.64001f`.
///
/// Optional parts are left out: colours and subsampling of AV1 and VP9.
///
/// # Errors
/// The codec is unknown, or its configuration is absent or damaged.
pub(crate) fn string(entry: &Box) -> Result<String, Error> {
    let config = |kind, skip| find(entry, kind, skip);
    match &entry.kind.0 {
        b"avc1" | b"avc3" => avc(entry, config(b"avcC", VIDEO_FIELDS)?),
        b"hvc1" | b"hev1" => hevc(entry, config(b"hvcC", VIDEO_FIELDS)?),
        b"av01" => av1(config(b"av1C", VIDEO_FIELDS)?),
        b"vp09" => vp9(config(b"vpcC", VIDEO_FIELDS)?),
        b"mp4a" => mp4_audio(config(b"esds", AUDIO_FIELDS)?),
        b"Opus" => config(b"dOps", AUDIO_FIELDS).map(|_| "opus".to_owned()),
        _ => Err(Error::UnknownCodec(entry.kind)),
    }
}

fn find<'a>(entry: &Box<'a>, kind: &[u8; 4], skip: usize) -> Result<Cursor<'a>, Error> {
    for child in entry.children(skip) {
        let child = child?;
        if child.kind == *kind {
            return Ok(child.cursor());
        }
    }
    Err(Error::Missing(crate::BoxKind(*kind)))
}

/// The code of the sample entry; it has only letters and digits here.
fn code(entry: &Box) -> String {
    entry.kind.0.escape_ascii().to_string()
}

/// RFC 6381, section 3.3: profile, constraints and level.
fn avc(entry: &Box, mut config: Cursor) -> Result<String, Error> {
    let _version = config.u8()?;
    let (profile, constraints, level) = (config.u8()?, config.u8()?, config.u8()?);
    Ok(format!(
        "{}.{profile:02x}{constraints:02x}{level:02x}",
        code(entry)
    ))
}

/// ISO/IEC 14496-15, annex E: profile space and profile, compatibility in reverse bit order, tier and level, and the
/// constraints without the zeroes at their end.
fn hevc(entry: &Box, mut config: Cursor) -> Result<String, Error> {
    let _version = config.u8()?;
    let profile = config.u8()?;
    let compatibility = config.u32()?.reverse_bits();
    let constraints = config.take(6)?;
    let level = config.u8()?;
    let space = ["", "A", "B", "C"][usize::from(profile >> 6)];
    let tier = if profile & 0x20 == 0 { 'L' } else { 'H' };
    let mut text = format!(
        "{}.{space}{}.{compatibility:X}.{tier}{level}",
        code(entry),
        profile & 0x1f
    );
    let used = constraints
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{byte:X}");
    }
    Ok(text)
}

/// AV1 in ISOBMFF, section 5: profile, level, tier and bit depth.
fn av1(mut config: Cursor) -> Result<String, Error> {
    if config.u8()? != 0x81 {
        return Err(config.error("has an unknown version"));
    }
    let (level, depth) = (config.u8()?, config.u8()?);
    let tier = if depth & 0x80 == 0 { 'M' } else { 'H' };
    let bits = match (depth & 0x40, depth & 0x20) {
        (0, _) => 8,
        (_, 0) => 10,
        _ => 12,
    };
    Ok(format!("av01.{}.{:02}{tier}.{bits:02}", level >> 5, level & 0x1f))
}

/// VP codec binding for ISOBMFF: profile, level and bit depth.
fn vp9(mut config: Cursor) -> Result<String, Error> {
    let _version = config.version_and_flags()?;
    let (profile, level, depth) = (config.u8()?, config.u8()?, config.u8()? >> 4);
    Ok(format!("vp09.{profile:02}.{level:02}.{depth:02}"))
}

/// RFC 6381, section 3.3: the object type, and for MPEG-4 audio its audio object type.
fn mp4_audio(mut config: Cursor) -> Result<String, Error> {
    let _version = config.version_and_flags()?;
    let mut stream = descriptor(&mut config, 3)?;
    let _id = stream.u16()?;
    let flags = stream.u8()?;
    if flags & 0x80 != 0 {
        stream.u16()?;
    }
    if flags & 0x40 != 0 {
        let length = stream.u8()?;
        stream.take(length.into())?;
    }
    if flags & 0x20 != 0 {
        stream.u16()?;
    }
    let mut decoder = descriptor(&mut stream, 4)?;
    let object_type = decoder.u8()?;
    if object_type != 0x40 {
        return Ok(format!("mp4a.{object_type:02x}"));
    }
    // Stream type, buffer size, and the largest and the mean bit rate.
    decoder.take(12)?;
    let mut specific = descriptor(&mut decoder, 5)?;
    let first = specific.u8()?;
    let audio_type = match first >> 3 {
        31 => 32 + ((first & 7) << 3 | specific.u8()? >> 5),
        short => short,
    };
    Ok(format!("mp4a.40.{audio_type}"))
}

/// The content of the next descriptor, which must have `tag`. Its length has up to four bytes of seven bits.
fn descriptor<'a>(cursor: &mut Cursor<'a>, tag: u8) -> Result<Cursor<'a>, Error> {
    if cursor.u8()? != tag {
        return Err(cursor.error("has its descriptors in another order"));
    }
    let mut length = 0;
    for _ in 0..4 {
        let byte = cursor.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(Cursor::new(crate::BoxKind(*b"esds"), cursor.take(length)?));
        }
    }
    Err(cursor.error("has a descriptor with a damaged length"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{boxed, hex};

    fn entry(kind: &[u8; 4], config: &[u8; 4], content: &str) -> Result<String, Error> {
        let skip = if matches!(kind, b"mp4a" | b"Opus") {
            AUDIO_FIELDS
        } else {
            VIDEO_FIELDS
        };
        let bytes = [vec![0; skip], boxed(config, &[&hex(content)])].concat();
        string(&Box {
            kind: crate::BoxKind(*kind),
            at: 0,
            content: &bytes,
        })
    }

    #[test]
    fn codecs_are_written_as_players_expect_them() {
        let check = |kind, config, content, expected: &str| {
            assert_eq!(entry(kind, config, content).unwrap(), expected);
        };
        check(b"avc1", b"avcC", "0164001f ffe1", "avc1.64001f");
        check(b"avc3", b"avcC", "0142c00d", "avc3.42c00d");
        check(
            b"hvc1",
            b"hvcC",
            "01 01 60000000 900000000000 3c",
            "hvc1.1.6.L60.90",
        );
        check(
            b"hvc1",
            b"hvcC",
            "01 22 20000000 b00000000000 99",
            "hvc1.2.4.H153.B0",
        );
        check(
            b"hev1",
            b"hvcC",
            "01 41 80000000 000000000000 5d",
            "hev1.A1.1.L93",
        );
        check(
            b"hev1",
            b"hvcC",
            "01 04 08000000 9d0800000000 5d",
            "hev1.4.10.L93.9D.8",
        );
        check(b"av01", b"av1C", "81000c00", "av01.0.00M.08");
        check(b"av01", b"av1C", "810d4c00", "av01.0.13M.10");
        check(b"av01", b"av1C", "8153ec00", "av01.2.19H.12");
        check(b"vp09", b"vpcC", "01000000 00 0b 82 020202 0000", "vp09.00.11.08");
        check(b"vp09", b"vpcC", "01000000 02 33 a2 090910 0000", "vp09.02.51.10");
        check(b"Opus", b"dOps", "00020138 0000bb80 0000 00", "opus");
        let aac =
            "00000000 03808080 1f 0001 00 04808080 17 40 15000000 0001f400 0001f400 05808080 05 119056e500";
        check(b"mp4a", b"esds", aac, "mp4a.40.2");
        let with_fields =
            "00000000 03 1d 0001 e0 1234 02 6869 5678 04 11 40 15000000 0001f400 0001f400 05 02 2990";
        check(b"mp4a", b"esds", with_fields, "mp4a.40.5");
        let escaped = "00000000 03 16 0001 00 04 11 40 15000000 0001f400 0001f400 05 02 f94c";
        check(b"mp4a", b"esds", escaped, "mp4a.40.42");
        check(
            b"mp4a",
            b"esds",
            "00000000 03 12 0001 00 04 0d 6b 15000000 0001f400 0001f400",
            "mp4a.6b",
        );
    }

    #[test]
    fn damaged_configurations_are_refused() {
        let check = |kind, config, content, expected: &str| {
            assert_eq!(entry(kind, config, content).unwrap_err().to_string(), expected);
        };
        check(b"encv", b"avcC", "", "the sample entry `encv` is no known codec");
        check(b"avc1", b"hvcC", "0164001f", "the box `avcC` is missing");
        check(
            b"avc1",
            b"avcC",
            "0164",
            "the box `avcC` is too short for its content",
        );
        check(
            b"av01",
            b"av1C",
            "82000c00",
            "the box `av1C` has an unknown version",
        );
        let problem = "the box `esds` has its descriptors in another order";
        check(b"mp4a", b"esds", "00000000 04 10", problem);
        let problem = "the box `esds` has a descriptor with a damaged length";
        check(b"mp4a", b"esds", "00000000 03 ffffffff 7f", problem);
        check(
            b"mp4a",
            b"esds",
            "00000000 03 7f 00",
            "the box `esds` is too short for its content",
        );
    }
}
