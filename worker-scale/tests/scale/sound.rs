//! The sound of a rendition: its time, its channels and its level.

use crate::clip::{Clip, H264, requesting};
use vidp_contract::{Codec, Rendition::P144, ScaleOptions};

const PICTURE: &str = "-f lavfi -i testsrc2=s=64x36:r=10";

/// Decodes the sound of the rendition `path` to `channels` channels of interleaved floats at 48 kHz.
async fn decoded(clip: &Clip, path: &std::path::Path, channels: usize) -> Vec<f32> {
    let raw = clip.folder.path().join("sound.f32");
    let args = format!(
        "-i {} -map 0:a:0 -ac {channels} -ar 48000 -f f32le",
        path.display()
    );
    clip.ffmpeg(&args, &raw).await;
    let bytes = std::fs::read(raw).unwrap();
    let (samples, _) = bytes.as_chunks::<4>();
    samples.iter().map(|sample| f32::from_le_bytes(*sample)).collect()
}

fn peak(samples: impl Iterator<Item = f32>) -> f32 {
    samples.fold(0.0, |peak, sample| peak.max(sample.abs()))
}

/// A clip whose sound consists of parts, each a tone of two seconds, as a broadcast has them.
async fn broadcast(codec: &str, parts: &[&str]) -> Clip {
    let clip = Clip::make("picture.ts", &format!("{PICTURE}:d={} {H264}", 2 * parts.len())).await;
    let mut bytes = Vec::new();
    for part in parts {
        let path = clip.folder.path().join(format!("part.{codec}"));
        clip.ffmpeg(
            &format!("-f lavfi -i sine=d=2:r=48000 {part} -c:a {codec}"),
            &path,
        )
        .await;
        bytes.extend(std::fs::read(&path).unwrap());
    }
    let sound = clip.folder.path().join(format!("all.{codec}"));
    std::fs::write(&sound, bytes).unwrap();
    let path = clip.folder.path().join("broadcast.ts");
    let inputs = format!("-i {} -i {}", clip.path.display(), sound.display());
    clip.ffmpeg(&format!("{inputs} -map 0 -map 1 -c copy"), &path)
        .await;
    Clip { path, ..clip }
}

#[tokio::test]
async fn a_change_of_layout_or_rate_adds_no_silence() {
    let check = async |codec: &str, parts: &[&str]| {
        let clip = broadcast(codec, parts).await;
        let made = clip.one(P144).await;
        made.lasts(2.0 * parts.len() as f64);
        let sound = decoded(&clip, &made.path, 1).await;
        let seconds = sound.len() as f64 / 48_000.0;
        assert!(
            (seconds - 2.0 * parts.len() as f64).abs() < 0.1,
            "{parts:?}: {seconds}"
        );
        let tenths = sound.chunks_exact(4800);
        let silent = tenths.filter(|tenth| peak(tenth.iter().copied()) < 0.003).count();
        assert!(silent <= 2, "{parts:?}: {silent}");
    };
    check("ac3", &["-ac 2", "-ac 6"]).await;
    check("ac3", &["-ac 6", "-ac 2", "-ac 6"]).await;
    check("mp2", &["-ac 2", "-ac 2 -ar 44100"]).await;
    check("aac", &["-ac 2", "-ac 6"]).await;
}

#[tokio::test]
async fn a_late_start_is_silence() {
    for name in ["late.mp4", "late.mkv"] {
        let tone = "-itsoffset 2 -f lavfi -i sine=d=3:r=48000";
        let clip = Clip::make(
            name,
            &format!("{PICTURE}:d=5 {tone} -map 0 -map 1 {H264} -c:a aac"),
        )
        .await;
        let made = clip.one(P144).await;
        made.lasts(5.0);
        let sound = decoded(&clip, &made.path, 1).await;
        let start = sound.iter().position(|sample| sample.abs() > 0.03).unwrap() as f64 / 48_000.0;
        assert!((start - 2.0).abs() < 0.1, "{name}: {start}");
    }
}

#[tokio::test]
async fn every_channel_is_in_the_rendition() {
    for (channels, name) in [
        (3, "2.1"),
        (6, "5.1"),
        (16, "hexadecagonal"),
        (24, "22.2"),
        (12, ""),
    ] {
        let loud = |k| {
            if k == channels - 1 || k == 3 {
                "0.3*sin(2000*t)"
            } else {
                "0"
            }
        };
        let signals: Vec<&str> = (0..channels).map(loud).collect();
        let layout = if name.is_empty() {
            String::new()
        } else {
            format!(":c={name}")
        };
        let source = format!("-f lavfi -i aevalsrc={}:d=2:s=48000{layout}", signals.join("|"));
        let clip = Clip::make(
            "many.mov",
            &format!("{PICTURE}:d=2 {source} {H264} -c:a pcm_s16le"),
        )
        .await;
        let made = clip.one(P144).await;
        let sound = decoded(&clip, &made.path, 1).await;
        let heard = peak(sound.into_iter().skip(24_000));
        assert!(heard > 0.04, "{channels}: {heard}");
    }
}

#[tokio::test]
async fn loud_surround_does_not_clip() {
    let tone = "0.9*sin(1000*t)";
    let source = format!("-f lavfi -i aevalsrc={tone}|{tone}|{tone}|0|{tone}|{tone}:d=2:s=48000:c=5.1");
    let clip = Clip::make(
        "loud.mkv",
        &format!("{PICTURE}:d=2 {source} {H264} -c:a ac3 -b:a 448k"),
    )
    .await;
    for codec in [Codec::H264, Codec::Vp9] {
        let options = ScaleOptions {
            codec,
            ..requesting(&[P144])
        };
        let made = clip.scale(&options).await;
        let sound = decoded(&clip, &made[0].path, 2).await;
        let heard = peak(sound.into_iter());
        assert!((0.5..=1.0).contains(&heard), "{codec:?}: {heard}");
    }
}
