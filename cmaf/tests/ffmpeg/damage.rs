//! Damaged files: no panic, and no more memory than the bounds of the crate.

use crate::clip::{Clip, H264};
use proptest::{collection::vec, prelude::*};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::Cursor,
    sync::LazyLock,
};
use vidp_cmaf::Track;

/// The largest allocation of the thread since its last measurement.
struct Measured;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Measured {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller's layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the memory is of the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measured = Measured;

static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let video = Clip::video("r=12:d=3", "scale=32:32", H264);
    let audio = Clip::make(
        "-f lavfi -i sine=d=3:r=8000 -c:a aac -frag_duration 1984000 -movflags +cmaf+skip_trailer",
    );
    [video.bytes(), audio.bytes()]
});

/// Reads, checks and changes a file, and asserts that a track lies inside it.
fn read(bytes: &[u8]) -> Option<Track> {
    LARGEST.set(0);
    let track = Track::read(Cursor::new(bytes)).ok();
    // The file is the bound of its boxes; a list of fragments doubles its memory as it grows.
    let largest = LARGEST.get();
    assert!(
        largest <= bytes.len() + 4096,
        "{largest} bytes at once for a file of {}",
        bytes.len()
    );
    let mut track = track?;
    let mut end = track.init;
    for fragment in &track.fragments {
        assert_eq!(fragment.offset, end);
        assert!(
            fragment.samples > 0 && fragment.first_sample_end <= fragment.size,
            "{fragment:?}"
        );
        end += fragment.size;
    }
    assert_eq!(end, bytes.len() as u64);
    if track.check().is_ok() {
        let mut file = Cursor::new(bytes.to_vec());
        let last = track.fragments.last().map_or(0, |last| last.end());
        if track.set_end(&mut file, last.saturating_add(11)).is_ok() {
            assert_eq!(Track::read(&mut file).unwrap(), track);
        }
    }
    Some(track)
}

#[test]
fn a_file_that_was_cut() {
    for bytes in &*FILES {
        let whole = read(bytes).unwrap();
        let ends = whole.fragments.iter().map(|fragment| fragment.offset);
        let complete: Vec<u64> = ends.collect();
        for length in 0..bytes.len() {
            let found = read(&bytes[..length]);
            assert_eq!(
                found.is_some(),
                complete.contains(&(length as u64)),
                "{length} bytes"
            );
        }
    }
}

/// Changes of bytes, mostly in the first 2000 bytes, where the heads are.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, bool)>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(vec![0, 1, 2, 0x7f, 0x80, 0xff])];
    vec(
        (any::<prop::sample::Index>(), byte, prop::bool::weighted(0.8)),
        1..6,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, ..ProptestConfig::default() })]

    #[test]
    fn changed_bytes(changes in changes(), file in 0..2_usize) {
        let mut bytes = FILES[file].clone();
        for (place, byte, head) in changes {
            let length = if head { bytes.len().min(2000) } else { bytes.len() };
            bytes[place.index(length)] = byte;
        }
        read(&bytes);
    }
}
