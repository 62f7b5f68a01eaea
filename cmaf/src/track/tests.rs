use super::*;
use crate::samples::{TFHD, boxed, fragment, hex, init, three, words};
use crate::{MAX_HEADER, MAX_SAMPLES};
use std::io::Cursor;

fn read(parts: &[&[u8]]) -> Result<Track, Error> {
    Track::read(Cursor::new(parts.concat()))
}

fn check(parts: &[&[u8]], expected: &str) {
    let found = read(parts).err().map_or(String::new(), |error| error.to_string());
    assert_eq!(found, expected);
}

/// The only fragment of a file with these runs.
fn one(tfhd: &[u32], runs: &[&[u32]]) -> Fragment {
    let mut track = read(&[&init(&[]), &fragment(tfhd, 1000, runs, 60)]).unwrap();
    assert_eq!(track.fragments.len(), 1);
    track.fragments.remove(0)
}

#[test]
fn a_track_without_fragments() {
    let bytes = init(&[]);
    let expected = Track {
        init: bytes.len() as u64,
        kind: Kind::Video,
        timescale: 1000,
        codec: "avc1.64001f".to_owned(),
        fragments: Vec::new(),
    };
    assert_eq!(read(&[&bytes]).unwrap(), expected);
    expected.check().unwrap();
}

/// A file that is read after each byte of its writing.
#[test]
fn a_file_is_read_while_it_is_written() {
    let bytes = [init(&[]), three(1000), boxed(b"styp", &[&[0; 8]]), three(1120)].concat();
    let whole = read(&[&bytes]).unwrap();
    let mut found: Option<Track> = None;
    let mut counts = Vec::new();
    for length in 0..=bytes.len() {
        let file = || Cursor::new(&bytes[..length]);
        match &mut found {
            Some(track) => track.extend(file()).unwrap(),
            None => found = Track::begin(file()).unwrap(),
        }
        if let Some(track) = &found {
            assert_eq!(track.fragments[..], whole.fragments[..track.fragments.len()]);
            counts.push((length, track.fragments.len()));
        }
    }
    assert_eq!(found, Some(whole.clone()));
    counts.dedup_by_key(|(_, count)| *count);
    let ends = whole.fragments.iter().map(|one| (one.offset + one.size) as usize);
    let ends: Vec<usize> = [whole.init as usize].into_iter().chain(ends).collect();
    let at: Vec<usize> = counts.iter().map(|(length, _)| *length).collect();
    assert_eq!(at, ends, "each fragment is there when its last byte is");
    let mut other = found.unwrap();
    assert!(
        other
            .extend(Cursor::new([init(&[]), words(&[8, 0])].concat()))
            .is_ok(),
        "shorter"
    );
    assert!(
        Track::begin(Cursor::new(words(&[8, 0, 0, 0]))).is_err(),
        "no media file"
    );
}

#[test]
fn fragments_lie_side_by_side() {
    let (init, first, second) = (init(&[]), three(1000), three(1120));
    let index = boxed(b"sidx", &[&[0; 20]]);
    let track = read(&[&init, &first, &index, &second]).unwrap();
    let [one, two] = &track.fragments[..] else {
        panic!("{track:?}")
    };
    let expected = Fragment {
        offset: init.len() as u64,
        size: first.len() as u64,
        decode_time: 1000,
        duration: 120,
        samples: 3,
        first_pts: 1000,
        last_pts: 1080,
        starts_with_sync: true,
        first_sample_end: first.len() as u64 - 7,
    };
    assert_eq!(*one, expected);
    assert_eq!(two.offset, one.offset + one.size);
    assert_eq!(two.size, one.size + 28);
    assert_eq!(two.first_sample_end, one.first_sample_end + 28);
    track.check().unwrap();
}

#[test]
fn values_of_samples_come_from_run_fragment_and_track() {
    let own = one(
        TFHD,
        &[&[
            0x0100_0f01,
            2,
            0,
            10,
            5,
            0,
            7,
            20,
            6,
            0x1_0000,
            (-15_i32).cast_unsigned(),
        ]],
    );
    assert_eq!((own.duration, own.first_pts, own.last_pts), (30, 995, 1007));
    assert!(own.starts_with_sync);
    let of_fragment = one(TFHD, &[&[1, 3, 0]]);
    assert_eq!((of_fragment.duration, of_fragment.samples), (120, 3));
    assert!(!of_fragment.starts_with_sync);
    let of_track = one(&[0x0002_0000, 1], &[&[1, 2, 0]]);
    assert_eq!((of_track.duration, of_track.starts_with_sync), (80, false));
    // Offsets of version 0 have no sign. A second run continues the first.
    let two_runs = one(TFHD, &[&[0x0801, 1, 0, u32::MAX], &[0x100, 1, 9]]);
    assert_eq!((two_runs.samples, two_runs.duration), (2, 49));
    assert_eq!(two_runs.last_pts, 1000 + i64::from(u32::MAX));
}

#[test]
fn sizes_of_64_bits_are_read() {
    let mut bytes = three(1000);
    let data = bytes.split_off(bytes.len() - 12);
    bytes.truncate(bytes.len() - 8);
    // The position of the samples moves with the longer head.
    let at = bytes.len() - 4 * 5;
    bytes[at..at + 4].copy_from_slice(&136_u32.to_be_bytes());
    let long = [&words(&[1]), b"mdat".as_slice(), &words(&[0, 28]), &data].concat();
    let track = read(&[&init(&[]), &bytes, &long]).unwrap();
    assert_eq!(track.fragments[0].size, 120 + 16 + 12);
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let (init, init_with) = (init(&[]), init);
    check(&[], "the box `ftyp` is missing");
    check(
        &[b"RIFF"],
        "the box `????` at byte 0 ends beyond its file or parent box",
    );
    check(
        &[b"\x1a\x45\xdf\xa3\x01\0\0\0"],
        "the box `\\x01\\x00\\x00\\x00` at byte 0 ends beyond its file or parent box",
    );
    check(&[&init[12..]], "unexpected box `moov` at byte 0");
    check(&[&init[..12]], "the box `moov` is missing");
    check(
        &[&init, &init],
        &format!("unexpected box `ftyp` at byte {}", init.len()),
    );
    let index = boxed(b"mfra", &[]);
    check(
        &[&init, &three(0), &index],
        &format!("unexpected box `mfra` at byte {}", init.len() + 140),
    );
    let edits = |start| boxed(b"edts", &[&boxed(b"elst", &[&words(&[0, 1, 0, start, 1 << 16])])]);
    check(&[&init_with(&edits(0))], "");
    check(
        &[&init_with(&edits(1024))],
        "the box `elst` moves the track in time",
    );
    let second = boxed(b"mdia", &[]);
    check(&[&init_with(&second)], "the box `mdia` occurs twice");
    let two = boxed(b"moov", &[&boxed(b"trak", &[]), &boxed(b"trak", &[])]);
    check(&[&init[..12], &two], "2 tracks instead of one");
    check(&[&init[..12], &boxed(b"moov", &[])], "0 tracks instead of one");
}

#[test]
fn a_fragment_that_cannot_move_is_refused() {
    let init = init(&[]);
    let refuse = |bytes: &[u8], expected| check(&[&init, bytes], expected);
    let run: &[u32] = &[1, 1, 0];
    let position = "the box `tfhd` has a position in its file, so that its fragment cannot move";
    refuse(&fragment(&[1, 1, 0, 0], 0, &[run], 9), position);
    let entry = "the box `tfhd` uses another sample entry than the first";
    refuse(&fragment(&[2, 1, 2], 0, &[run], 9), entry);
    refuse(
        &fragment(&[0, 2], 0, &[run], 9),
        "the box `traf` belongs to another track",
    );
    refuse(&fragment(TFHD, 0, &[], 9), "the box `moof` has no sample");
    refuse(&fragment(TFHD, 0, &[&[0, 0]], 9), "the box `moof` has no sample");
    refuse(&boxed(b"moof", &[]), "the box `traf` is missing");
    refuse(&boxed(b"free", &[]), "the box `moof` is missing");
    let unsized_data = [fragment(TFHD, 0, &[run], 0), Vec::new()].concat();
    let head = unsized_data.len() - 8;
    refuse(&unsized_data[..head], "the box `mdat` is missing");
    let zero = [&unsized_data[..head], &words(&[0]), b"mdat123"].concat();
    refuse(&zero, "the box `mdat` has no valid size");
}

#[test]
fn samples_lie_in_their_media_data() {
    let problem = "the box `trun` has samples outside its media data";
    let place = |at: u32, expected| {
        check(&[&init(&[]), &fragment(TFHD, 0, &[&[1, 1, at]], 3)], expected);
    };
    place(0, "");
    place(1_u32.wrapping_neg(), problem);
    place(1, problem);
    place(u32::MAX, problem);
    check(&[&init(&[]), &fragment(TFHD, 0, &[&[0, 1]], 3)], problem);
}

#[test]
fn counts_are_bounded() {
    let mut tfhd = TFHD.to_vec();
    tfhd[4] = 0;
    let count = |count| fragment(&tfhd, 0, &[&[1, count, 0]], 0);
    check(&[&init(&[]), &count(MAX_SAMPLES)], "");
    let error = "more than 100000 samples in a fragment";
    check(&[&init(&[]), &count(MAX_SAMPLES + 1)], error);
    check(&[&init(&[]), &count(u32::MAX)], error);
    let two: &[&[u32]] = &[&[1, MAX_SAMPLES, 0], &[0, 1]];
    check(&[&init(&[]), &fragment(&tfhd, 0, two, 0)], error);
    let full = [init(&[]), count(MAX_SAMPLES).repeat(100)].concat();
    check(&[&full, &count(1)], "more than 10000000 samples");
    let large = boxed(b"moof", &[&vec![0; MAX_HEADER as usize + 1]]);
    check(
        &[&init(&[]), &large],
        "more than 1048576 bytes in a `moov` or `moof`",
    );
}

#[test]
fn too_many_fragments_are_refused() {
    let one = fragment(TFHD, 0, &[&[1, 1, 0]], 3);
    let full = [init(&[]), one.repeat(MAX_FRAGMENTS)].concat();
    assert_eq!(read(&[&full]).unwrap().fragments.len(), MAX_FRAGMENTS);
    check(&[&full, &one], "more than 100000 fragments");
}

#[test]
fn times_beyond_64_bits_are_refused() {
    let at = |time| fragment(TFHD, time, &[&[1, 2, 0]], 60);
    check(
        &[&init(&[]), &at(i64::MAX as u64)],
        "a time in fragment 0 does not fit into 64 bits",
    );
    let negative = read(&[&init(&[]), &at(1024_u64.wrapping_neg())]).unwrap();
    assert_eq!(negative.fragments[0].first_pts, -1024);
    assert!(matches!(
        negative.check(),
        Err(Error::NegativeTime {
            fragment: 0,
            time: -1024
        })
    ));
}

#[test]
fn a_damaged_size_ends_no_later_than_its_parent() {
    let traf = boxed(b"traf", &[&hex("00000100"), b"tfhd"]);
    check(
        &[&init(&[]), &boxed(b"moof", &[&traf])],
        "the box `tfhd` at byte 8 ends beyond its file or parent box",
    );
    let traf = boxed(b"traf", &[&hex("00000004"), b"tfhd"]);
    check(
        &[&init(&[]), &boxed(b"moof", &[&traf])],
        "the box `tfhd` at byte 8 ends beyond its file or parent box",
    );
    let traf = boxed(b"traf", &[&hex("000001")]);
    check(
        &[&init(&[]), &boxed(b"moof", &[&traf])],
        "the box `????` is too short for its content",
    );
}
