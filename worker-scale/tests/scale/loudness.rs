//! The loudness and the layout of the sound, measured by a second meter: ffmpeg's.

use crate::clip::{Clip, H264, Made, quiet, requesting};
use std::{collections::BTreeMap, fs, path::Path};
use vidp_contract::{AudioLayout, Codec, Rendition::P144, ScaleOptions, SoundReport};

const PICTURE: &str = "-f lavfi -i testsrc2=s=320x180:r=10";

/// Makes a film of ten seconds with the spoken English of the samples.
async fn speech(name: &str, args: &str) -> Clip {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/speech/en.ogg");
    let folder = tempfile::tempdir().unwrap();
    // Children may read the folder for temporary files alone.
    let copy = folder.path().join("en.ogg");
    fs::copy(sample, &copy).unwrap();
    let input = format!("{PICTURE}:d=10 -i {}", copy.display());
    Clip::make(name, &format!("{input} -map 0 -map 1 -shortest {H264} {args}")).await
}

/// Integrated loudness and highest true peak of the sound of a file.
async fn heard(clip: &Clip, path: &Path) -> (f64, f64) {
    let log = clip.folder.path().join("loudness.log");
    let meter = "ebur128=metadata=1:peak=true:framelog=verbose";
    let args = format!(
        "-i {} -map 0:a -af {meter},ametadata=mode=print:file={} -f null",
        path.display(),
        log.display()
    );
    clip.ffmpeg(&args, Path::new("-")).await;
    let text = fs::read_to_string(log).unwrap();
    let values = |key: &str| -> Vec<f64> {
        let lines = text.lines().filter(|line| line.starts_with(key));
        lines
            .filter_map(|line| line.rsplit_once('=')?.1.parse().ok())
            .collect()
    };
    let peaks = values("lavfi.r128.true_peaks_ch");
    let peak = peaks.into_iter().fold(0.0, f64::max);
    (*values("lavfi.r128.I=").last().unwrap(), 20.0 * peak.log10())
}

/// Makes one rendition, and returns it with the report of its only track.
async fn made(clip: &Clip, options: &ScaleOptions) -> (Made, SoundReport) {
    let (_, encoded, sounds) = clip.try_all(options, quiet()).await.unwrap();
    let [sound] = <[_; 1]>::try_from(sounds.into_values().collect::<Vec<_>>()).unwrap();
    (clip.made(&encoded.renditions[0]).await, sound)
}

fn loud(target: f64, codec: Codec) -> ScaleOptions {
    ScaleOptions {
        loudness: Some(target),
        codec,
        ..requesting(&[P144])
    }
}

#[tokio::test]
async fn a_track_gets_the_requested_loudness() {
    let noise = format!("{PICTURE}:d=8 -f lavfi -i anoisesrc=c=pink:a=0.05:d=8 {H264} -c:a pcm_s16le");
    // Short beeps over a quiet tone have high peaks, which a limiter lowers.
    let beeps = format!("{PICTURE}:d=8 -f lavfi -i sine=beep_factor=4:d=8 {H264} -c:a aac");
    let voice = speech("voice.mp4", "-c:a aac").await;
    let mono = speech("mono.mkv", "-ac 1 -ar 16000 -c:a flac").await;
    let (noise, beeps) = (
        Clip::make("noise.mov", &noise).await,
        Clip::make("beeps.mp4", &beeps).await,
    );
    for (clip, target, codec) in [
        (&voice, -23.0, Codec::H264),
        (&voice, -14.0, Codec::Vp9),
        (&mono, -16.0, Codec::H264),
        (&noise, -16.0, Codec::H264),
        (&noise, -23.0, Codec::Vp9),
        (&beeps, -14.0, Codec::H264),
    ] {
        let name = clip.path.display();
        let before = heard(clip, &clip.path).await.0;
        let (made, sound) = made(clip, &loud(target, codec)).await;
        let (loudness, peak) = heard(clip, &made.path).await;
        assert!(
            (loudness - target).abs() <= 0.5,
            "{name}: {loudness}, not {target}"
        );
        assert!(peak <= -1.0, "{name}: a true peak of {peak} dB");
        assert!(
            (sound.loudness.unwrap() - loudness).abs() <= 0.3,
            "{name}: {sound:?} {loudness}"
        );
        assert!(
            (sound.true_peak.unwrap() - peak).abs() <= 0.5,
            "{name}: {sound:?} {peak}"
        );
        let measured = sound.loudness_before.unwrap();
        assert!((measured - before).abs() <= 0.3, "{name}: {measured} {before}");
    }
}

#[tokio::test]
async fn without_the_option_the_loudness_is_measured_alone() {
    let clip = speech("voice.mp4", "-c:a aac").await;
    let (made, sound) = made(&clip, &requesting(&[P144])).await;
    let (source, rendition) = (heard(&clip, &clip.path).await.0, heard(&clip, &made.path).await.0);
    // The encoder changes it by a little.
    assert!((source - rendition).abs() < 0.6, "{source} {rendition}");
    assert!((sound.loudness.unwrap() - rendition).abs() < 0.2, "{sound:?}");
    assert!(
        sound.loudness_range.is_some_and(|range| range < 10.0),
        "{sound:?}"
    );
    assert_eq!((sound.channels, sound.loudness_before), (2, None));
}

#[tokio::test]
async fn a_silent_track_stays_silent() {
    let silence = format!("{PICTURE}:d=3 -f lavfi -i anullsrc -shortest {H264} -c:a aac");
    let clip = Clip::make("silence.mp4", &silence).await;
    let (_, sound) = made(&clip, &loud(-14.0, Codec::H264)).await;
    let expected = SoundReport {
        channels: 2,
        loudness: None,
        loudness_range: None,
        true_peak: None,
        loudness_before: None,
    };
    assert_eq!(sound, expected);
}

/// Each track has its own gain. A film in parts has the same sound.
#[tokio::test]
async fn tracks_of_a_long_film_are_equally_loud() {
    let tones = "-f lavfi -i sine=f=300:d=20 -f lavfi -i sine=f=500:d=20";
    let levels = "-filter:a:0 volume=0.1 -filter:a:1 volume=2";
    let args = format!("{PICTURE}:d=20 {tones} -map 0 -map 1 -map 2 {levels} {H264} -g 20 -c:a aac");
    let mut clip = Clip::make("two.mp4", &args).await;
    clip.settings.part_seconds = 4;
    let (_, encoded, sounds) = clip.try_all(&loud(-20.0, Codec::H264), quiet()).await.unwrap();
    assert!(encoded.parts > 2);
    assert_eq!(sounds.len(), 2);
    for sound in sounds.values() {
        assert!((sound.loudness.unwrap() + 20.0).abs() <= 0.5, "{sounds:?}");
    }
}

#[tokio::test]
async fn surround_sound_is_kept_on_request() {
    for (layout, channels, name, codec) in [
        ("5.1(side)", 6, "film.mkv", "ac3"),
        ("5.1", 6, "film.mp4", "aac"),
        ("7.1", 8, "film.mov", "pcm_s16le"),
        ("stereo", 2, "film.mp4", "aac"),
        ("quad", 4, "film.mkv", "flac"),
    ] {
        let tones: Vec<String> = (0..channels)
            .map(|k| {
                format!(
                    "{}*sin(2*PI*{}*t)",
                    if k == 2 { 0.9 } else { 0.01 },
                    200 + 100 * k
                )
            })
            .collect();
        let source = format!("-f lavfi -i aevalsrc={}:d=4:s=48000:c={layout}", tones.join("|"));
        let clip = Clip::make(name, &format!("{PICTURE}:d=4 {source} {H264} -c:a {codec}")).await;
        let expected = if channels > 4 { (6, "5.1") } else { (2, "stereo") };
        for codec in [Codec::H264, Codec::Vp9] {
            let options = ScaleOptions {
                audio_layout: AudioLayout::Source,
                codec,
                loudness: Some(-14.0),
                ..requesting(&[P144])
            };
            let (made, sound) = made(&clip, &options).await;
            let track = &made.probe.audio[0];
            assert_eq!(
                (track.channels, track.layout.as_deref()),
                (expected.0, Some(expected.1))
            );
            assert_eq!(sound.channels, expected.0, "{layout}");
            made.lasts(4.0);
            let (loudness, peak) = heard(&clip, &made.path).await;
            assert!(peak <= -1.0, "{layout}: a true peak of {peak} dB");
            assert!(
                (sound.loudness.unwrap() - loudness).abs() <= 0.3,
                "{layout}: {sound:?} {loudness}"
            );
        }
        // Without the option every layout becomes stereo.
        let stereo: BTreeMap<_, _> = clip.try_all(&requesting(&[P144]), quiet()).await.unwrap().2;
        assert!(stereo.values().all(|sound| sound.channels == 2), "{stereo:?}");
    }
}

/// The first track has no packet, so that the second one is the first of the renditions.
#[tokio::test]
async fn an_empty_track_has_no_sound() {
    let tone = format!("{PICTURE}:d=4 -f lavfi -i sine=d=4 {H264} -c:a aac");
    let clip = Clip::make("film.mp4", &tone).await;
    let path = clip.folder.path().join("empty.mp4");
    let args = format!(
        "-i {} -map 0:v -map 0:a -map 0:a -c copy -bsf:a:0 noise=drop=1",
        clip.path.display()
    );
    clip.ffmpeg(&args, &path).await;
    let clip = Clip { path, ..clip };
    let (probe, encoded, sounds) = clip.try_all(&requesting(&[P144]), quiet()).await.unwrap();
    let kept = encoded.renditions[0].facts.audio.len();
    assert!(
        sounds.len() == kept || sounds.is_empty(),
        "{sounds:?} of {probe:?}"
    );
    assert!(
        sounds.values().all(|sound| sound.loudness.is_some()),
        "{sounds:?}"
    );
}
