//! Hand-made boxes for tests.

/// A box with these parts as its content.
pub(crate) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_slice(), &content].concat()
}

/// Bytes in hexadecimal digits; spaces are ignored.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// Big-endian words.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// `ftyp` and `moov` of H.264 with 1000 ticks a second; `extra` is put into the track.
pub(crate) fn init(extra: &[u8]) -> Vec<u8> {
    let avc = boxed(b"avcC", &[&hex("0164001f")]);
    let entry = boxed(b"avc1", &[&[0; 78], &avc]);
    let stbl = boxed(b"stbl", &[&boxed(b"stsd", &[&words(&[0, 1]), &entry])]);
    let mdhd = boxed(b"mdhd", &[&words(&[0, 0, 0, 1000, 0, 0])]);
    let hdlr = boxed(b"hdlr", &[&words(&[0, 0]), b"vide", &[0; 13]]);
    let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &boxed(b"minf", &[&stbl])]);
    let trak = boxed(
        b"trak",
        &[&boxed(b"tkhd", &[&words(&[0, 0, 0, 1])]), extra, &mdia],
    );
    let trex = boxed(b"trex", &[&words(&[0, 1, 1, 40, 3, 0x0101_0000])]);
    let moov = boxed(b"moov", &[&trak, &boxed(b"mvex", &[&trex])]);
    [boxed(b"ftyp", &[b"iso6"]), moov].concat()
}

/// A `moof` of track 1 with `runs` (the words of each `trun`), and an `mdat` of `data` bytes.
///
/// The position of a run counts from the first byte of the media data.
pub(crate) fn fragment(tfhd: &[u32], decode_time: u64, runs: &[&[u32]], data: usize) -> Vec<u8> {
    let moof = |head: u32| {
        let time = words(&[1 << 24, (decode_time >> 32) as u32, decode_time as u32]);
        let mut traf = [boxed(b"tfhd", &[&words(tfhd)]), boxed(b"tfdt", &[&time])].concat();
        for run in runs {
            let mut run = run.to_vec();
            if run[0] & 1 != 0 {
                run[2] = run[2].wrapping_add(head);
            }
            traf.extend(boxed(b"trun", &[&words(&run)]));
        }
        boxed(
            b"moof",
            &[&boxed(b"mfhd", &[&words(&[0, 1])]), &boxed(b"traf", &[&traf])],
        )
    };
    let head = u32::try_from(moof(0).len() + 8).unwrap();
    [moof(head), boxed(b"mdat", &[&vec![0; data]])].concat()
}

/// `tfhd` as ffmpeg writes it: one sample entry, and a duration of 40 ticks, a size of 3 bytes and no key frame.
pub(crate) const TFHD: &[u32] = &[0x0002_003a, 1, 1, 40, 3, 0x0101_0000];

/// A fragment at `decode_time` with three samples of 40 ticks and 5, 3 and 4 bytes; the first is a key frame.
pub(crate) fn three(decode_time: u64) -> Vec<u8> {
    let run = [0x0100_0205, 3, 0, 0x0200_0000, 5, 3, 4];
    fragment(TFHD, decode_time, &[&run], 12)
}
