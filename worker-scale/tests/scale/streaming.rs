//! The track files of streams: the same pictures and sound as in the renditions, at the same times.

use crate::clip::{Clip, H264, requesting};
use std::{fs, path::Path};
use vidp_contract::{
    Codec,
    Rendition::{P144, P360},
    ScaleOptions, StreamSet, StreamTrack,
};
use worker_scale::Stream;

/// Nine seconds of a picture that changes at every frame, and of a tone.
const FILM: &str = "-f lavfi -i testsrc2=s=640x360:r=25:d=9 -f lavfi -i sine=beep_factor=4:d=9";

/// One hash over all packets of a stream of the file.
async fn packets(clip: &Clip, path: &Path, stream: &str) -> String {
    let hash = clip.folder.path().join("packets.md5");
    let args = format!(
        "-i {} -map 0:{stream} -c copy -f streamhash -hash md5",
        path.display()
    );
    clip.ffmpeg(&args, &hash).await;
    fs::read_to_string(hash).unwrap()
}

/// The decoded samples of the first audio track.
async fn samples(clip: &Clip, path: &Path) -> Vec<i16> {
    let raw = clip.folder.path().join("samples.raw");
    let args = format!("-i {} -map 0:a:0 -ac 1 -f s16le", path.display());
    clip.ffmpeg(&args, &raw).await;
    let bytes = fs::read(raw).unwrap();
    let (samples, _) = bytes.as_chunks::<2>();
    samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect()
}

fn path<'a>(stream: &'a Stream, name: &str) -> &'a Path {
    let mut files = stream.files.iter();
    &files.find(|(file, _)| file.name == name).unwrap().1
}

fn seconds(track: &StreamTrack) -> Vec<f64> {
    let segments = track.segments.iter();
    segments.map(|segment| track.seconds(segment.duration)).collect()
}

/// The index has every byte of each file, and a reader accepts it.
fn check_index(stream: &Stream) {
    for track in stream.set.tracks() {
        let size = fs::metadata(path(stream, &track.name)).unwrap().len();
        assert_eq!(track.init + track.index + track.size(), size, "{}", track.name);
    }
    let text = serde_json::to_vec(&stream.set).unwrap();
    assert_eq!(StreamSet::read(&text).as_ref(), Ok(&stream.set));
}

#[tokio::test]
async fn a_stream_has_the_packets_of_its_renditions() {
    for (codec, video, audio) in [
        (Codec::H264, "avc1.", "mp4a.40.2"),
        (Codec::H265, "hvc1.", "mp4a.40.2"),
        (Codec::Av1, "av01.", "opus"),
        (Codec::Vp9, "vp09.", "opus"),
    ] {
        let clip = Clip::make("film.mp4", &format!("{FILM} {H264} -c:a aac")).await;
        let options = ScaleOptions {
            codec,
            ..requesting(&[P360, P144])
        };
        let (encoded, stream) = clip.streamed(&options).await;
        check_index(&stream);
        let set = &stream.set;
        let names: Vec<&str> = set.tracks().map(|track| &*track.name).collect();
        assert_eq!(names, ["360p.cmfv", "144p.cmfv", "audio-1.cmfa"], "{codec}");
        for (rendition, shown) in encoded.renditions.iter().zip(&set.video) {
            assert!(shown.track.codec.starts_with(video), "{}", shown.track.codec);
            assert_eq!(
                (shown.width, shown.height),
                (rendition.rung.width, rendition.rung.height)
            );
            assert!((shown.fps - 25.0).abs() < 0.1, "{}", shown.fps);
            // WebM counts in milliseconds, from the first priming sample of Opus.
            let start = shown.track.seconds(shown.track.start);
            assert!(
                start < if codec == Codec::Vp9 { 0.01 } else { 1e-9 },
                "{codec}: {start} s"
            );
            assert_eq!(seconds(&shown.track), [4.0, 4.0, 1.0], "{codec}");
            let file = path(&stream, &shown.track.name);
            assert_eq!(
                packets(&clip, &rendition.path, "v").await,
                packets(&clip, file, "v").await,
                "{codec}"
            );
        }
        let sound = &set.audio[0];
        assert_eq!((sound.track.codec.as_str(), sound.channels), (audio, 2));
        assert!(sound.track.seconds(sound.track.start) < 0.021, "{codec}");
        assert!(
            (sound.track.end() - 9.0).abs() < 0.05,
            "{codec}: {}",
            sound.track.end()
        );
    }
}

#[tokio::test]
async fn sound_is_at_the_same_sample_as_in_the_rendition() {
    let clip = Clip::make("film.mp4", &format!("{FILM} {H264} -c:a aac")).await;
    let (encoded, stream) = clip.streamed(&requesting(&[P144])).await;
    let rendition = samples(&clip, &encoded.renditions[0].path).await;
    let track = samples(&clip, path(&stream, "audio-1.cmfa")).await;
    // How much the track differs when it is moved by this number of samples. AAC has random noise, so that no two decodes are equal.
    let differs = |by: usize| -> u64 {
        let (one, other) = (&rendition[4096 + by..], &track[4096..200_000]);
        let pairs = one.iter().zip(other);
        pairs.map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
    };
    // A fiftieth of a millisecond. The first 1024 samples differ: their packet lacks the one before it.
    assert!(differs(0) * 5 < differs(1), "{} {}", differs(0), differs(1));
    let later = |by: usize| -> u64 {
        let pairs = rendition[4096..200_000].iter().zip(&track[4096 + by..]);
        pairs.map(|(one, other)| u64::from(one.abs_diff(*other))).sum()
    };
    assert!(later(0) * 5 < later(1), "{} {}", later(0), later(1));
}

#[tokio::test]
async fn late_tracks_are_late_in_the_stream() {
    for (name, delayed) in [("sound.mkv", "a"), ("picture.mkv", "v")] {
        let inputs = "-f lavfi -i testsrc2=s=640x360:r=25:d=6 -f lavfi -i sine=d=6";
        let clip = Clip::make("film.mp4", &format!("{inputs} {H264} -c:a aac")).await;
        let source = clip.path.display().to_string();
        let other = if delayed == "a" { "v" } else { "a" };
        let late = format!("-itsoffset 0.5 -i {source} -map 0:{other} -map 1:{delayed} -c copy");
        let clip = clip.remade(name, &late).await;
        let (encoded, stream) = clip.streamed(&requesting(&[P144])).await;
        check_index(&stream);
        let made = clip.made(&encoded.renditions[0]).await;
        let picture = &stream.set.video[0].track;
        let begins = made.probe.video.as_ref().unwrap().start;
        let shown = picture.seconds(picture.start);
        assert!(
            (shown - begins).abs() < 0.001,
            "{name}: {shown} s instead of {begins} s"
        );
        let sound = &stream.set.audio[0].track;
        let heard = sound.seconds(sound.start);
        let begins = made.probe.audio[0].start;
        assert!(
            (heard - begins.max(0.0)).abs() < 0.022,
            "{name}: {heard} s instead of {begins} s"
        );
    }
}

#[tokio::test]
async fn a_copied_picture_has_its_own_segments() {
    let film = FILM.replace("testsrc2", "testsrc");
    let phone = "-c:v libx264 -preset ultrafast -crf 14 -pix_fmt yuv420p -g 37 -c:a aac -b:a 96k -metadata:s:a:0 language=deu";
    let clip = Clip::make("film.mp4", &format!("{film} {phone}")).await;
    let (encoded, stream) = clip.streamed(&requesting(&[P360, P144])).await;
    assert!(encoded.renditions[0].is_copy);
    check_index(&stream);
    let [copied, made] = &stream.set.video[..] else {
        panic!()
    };
    // Key frames every 1.48 s.
    assert_eq!(seconds(&copied.track), [4.44, 4.44, 0.12]);
    assert_eq!(seconds(&made.track), [4.0, 4.0, 1.0]);
    assert_eq!(stream.set.audio[0].language.as_deref(), Some("deu"));
}

#[tokio::test]
async fn pictures_without_sound_and_a_single_picture_are_streamed() {
    let silent = Clip::make(
        "film.mp4",
        &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=2 {H264}"),
    )
    .await;
    let single = Clip::make(
        "one.mp4",
        &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=0.04 {H264}"),
    )
    .await;
    for clip in [silent, single] {
        let (_, stream) = clip.streamed(&requesting(&[P144])).await;
        check_index(&stream);
        assert!(stream.set.audio.is_empty());
        assert_eq!(stream.set.video[0].track.segments.len(), 1);
    }
}
