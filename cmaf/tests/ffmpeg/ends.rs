//! The durations that ffmpeg guesses for the last picture, and their correction.

use crate::clip::{Clip, H264, compare, times};
use std::io::Cursor;
use vidp_cmaf::{Error, Track};

/// Sets the end of the track, and returns the result.
fn set(clip: &Clip, end: u64) -> Result<Track, Error> {
    let mut file = Cursor::new(clip.bytes());
    let mut track = clip.track();
    track.set_end(&mut file, end)?;
    clip.write(file.get_ref());
    assert_eq!(clip.track(), track);
    compare(&track, &clip.packets());
    Ok(track)
}

#[test]
fn frames_at_rates_that_do_not_divide_the_timescale() {
    for (rate, samples) in [("60000/1001", 120), ("24000/1001", 48)] {
        let clip = Clip::video(&format!("r={rate}:d=2"), "null", H264);
        let [fragment] = &clip.track().fragments[..] else {
            panic!("one fragment")
        };
        assert_eq!(fragment.samples, samples);
        let end = fragment.end() + 7;
        assert_eq!(set(&clip, end).unwrap().fragments[0].end(), end);
    }
}

#[test]
fn a_single_frame_in_the_last_fragment() {
    let clip = Clip::video("r=25:d=2.04", "null", H264);
    assert_eq!(
        times(&set(&clip, 300_000).unwrap().fragments),
        [(0, 180_000, 50), (180_000, 120_000, 1)]
    );
}

#[test]
fn equal_durations_are_stored_once() {
    let clip = Clip::video("r=25:d=2", "null", H264);
    set(&clip, 180_000).unwrap();
    let error = set(&clip, 200_000).unwrap_err();
    assert!(matches!(error, Error::SharedDuration(3600)), "{error}");
}

#[test]
fn a_pause_at_the_start_delays_the_decode_times() {
    // The picture stands still for 0.68 s after the first frame. The encoder derives its decode times from the first three
    // frames, so that all decode times of the part are late and the last ones lie after its end.
    let pause = "select='lt(n,1)+gt(n,16)'";
    let clip = Clip::video("r=25:d=4", pause, H264);
    let track = clip.track();
    let [first, second] = &track.fragments[..] else {
        panic!("{track:?}")
    };
    assert_eq!((first.first_pts, second.first_pts), (0, 180_000));
    assert_eq!((second.decode_time, second.end()), (237_600, 417_600));
    compare(&track, &clip.packets());
    let error = set(&clip, 360_000).unwrap_err();
    assert!(matches!(error, Error::SharedDuration(3600)), "{error}");

    let next = Clip::video("r=25:d=6", &format!("{pause},trim=start_pts=360000"), H264);
    let fragments = &next.bytes()[next.track().init as usize..];
    let joined = Track::read(Cursor::new([&clip.bytes(), fragments].concat())).unwrap();
    let error = joined.check().unwrap_err().to_string();
    assert_eq!(
        error,
        "fragment 2 begins at 360000, before the previous one ends at 417600"
    );
}
