//! Every codec, by the recipe for parts of a film.

use crate::clip::{Clip, H264, compare, times};
use vidp_cmaf::{Error, Kind, Track};

const H265: &str = "-c:v libx265 -preset ultrafast -forced-idr 1 -tag:v hvc1 -force_key_frames expr:gte(t,n_forced*2) \
    -x265-params log-level=error:no-info=1:open-gop=0:wpp=1:scenecut=0:keyint=9999";
const AV1: &str = "-c:v libsvtav1 -preset 12 -crf 40 -g 50";
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -force_key_frames expr:gte(t,n_forced*2)";
/// The frames from 10 s to 14 s.
const PART: &str = "setpts=PTS+720000,trim=start_pts=900000:end_pts=1260000";

#[test]
fn a_part_of_a_film() {
    let codecs = [
        ("avc1.64001f", H264),
        ("hvc1.1.6.L60.90", H265),
        ("av01.0.00M.08", AV1),
        ("vp09.00.11.08", VP9),
    ];
    for (name, codec) in codecs {
        let clip = Clip::video("r=25:d=7", PART, codec);
        let track = clip.track();
        assert_eq!((track.kind, track.timescale), (Kind::Video, 90000), "{name}");
        assert_eq!(track.codec, name);
        let expected = [(900_000, 180_000, 50), (1_080_000, 180_000, 50)];
        assert_eq!(times(&track.fragments), expected, "{name}");
        assert_eq!(track.fragments[1].first_pts, 1_080_000);
        assert_eq!(track.fragments[1].last_pts, 1_256_400);
        compare(&track, &clip.packets());
    }
}

#[test]
fn parts_join_byte_by_byte() {
    let part = |start: u32, end: u32| {
        Clip::video("r=25:d=6", &format!("trim=start_pts={start}:end_pts={end}"), H264)
    };
    let parts = [part(0, 270_000), part(270_000, 540_000), part(540_000, 540_000)];
    let tracks = parts.each_ref().map(Clip::track);
    let init = |at: usize| parts[at].bytes()[..tracks[at].init as usize].to_vec();
    assert_eq!(init(0), init(1));
    assert_eq!(
        init(0),
        init(2),
        "a part without frames has the same init segment"
    );
    assert!(tracks[2].fragments.is_empty());
    let mut joined = init(0);
    for (part, track) in parts.iter().zip(&tracks) {
        for fragment in &track.fragments {
            let start = fragment.offset as usize;
            joined.extend(&part.bytes()[start..start + fragment.size as usize]);
        }
    }
    parts[2].write(&joined);
    let whole = parts[2].track();
    let expected = [
        (0, 180_000, 50),
        (180_000, 90_000, 25),
        (270_000, 180_000, 50),
        (450_000, 90_000, 25),
    ];
    assert_eq!(times(&whole.fragments), expected);
    compare(&whole, &parts[2].packets());
}

#[test]
fn sound() {
    let aac = Clip::audio("-c:a aac", 1024);
    let track = aac.track();
    assert_eq!((track.kind, track.timescale), (Kind::Audio, 48000));
    assert_eq!(track.codec, "mp4a.40.2");
    let durations = times(&track.fragments);
    assert_eq!(durations[..2], [(0, 95_232, 93), (95_232, 95_232, 93)]);
    compare(&track, &aac.packets());
    let opus = Clip::audio("-c:a libopus", 312);
    let track = opus.track();
    assert_eq!((track.timescale, track.codec.as_str()), (48000, "opus"));
    assert_eq!(track.fragments.len(), 3);
    compare(&track, &opus.packets());
}

#[test]
fn a_negative_decode_time_is_found() {
    let flags = "-f mp4 -frag_duration 1984000 -movflags +cmaf+frag_discont+skip_trailer";
    let clip = Clip::make(&format!("-f lavfi -i sine=d=3:r=48000 -c:a aac {flags}"));
    let track = Track::read(std::io::Cursor::new(clip.bytes())).unwrap();
    let error = track.check().unwrap_err();
    assert!(
        matches!(
            error,
            Error::NegativeTime {
                fragment: 0,
                time: -1024
            }
        ),
        "{error}"
    );
}

#[test]
fn other_files_of_ffmpeg_are_refused() {
    let check = |args: &str, expected: &str| {
        let clip = Clip::make(&format!("-f lavfi -i testsrc2=s=64x64:d=1 {args}"));
        let error = Track::read(std::io::Cursor::new(clip.bytes()))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{args}: {error}");
    };
    let h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    check(
        &format!("{h264} -movflags +faststart"),
        "the box `mvex` is missing",
    );
    check(&format!("{h264} -movflags +cmaf"), "unexpected box `mfra`");
    check(&format!("{h264} -f matroska"), "the box `");
    let two = "-f lavfi -i sine=d=1 -c:a aac -movflags +cmaf+skip_trailer";
    check(&format!("{two} {h264}"), "2 tracks instead of one");
    let edited = format!("{h264} -bf 2 -movflags +frag_keyframe+empty_moov+delay_moov+skip_trailer");
    check(&edited, "the box `elst` moves the track in time");
}
