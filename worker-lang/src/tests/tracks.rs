//! Speech is heard on any track and any channel, and both stages hear the same.

use super::{captions, language, media::Media, words};
use crate::text::transcript::join;
use vidp_contract::{DetectOptions, DetectReport, SubtitleOptions, SubtitleReport};
use vidp_worker::ffmpeg::Input;

/// The reports of both stages, and the words.
async fn both(media: &Media) -> (DetectReport, SubtitleReport, Vec<String>) {
    let detected = language(Input::File(&media.path), &DetectOptions::default())
        .await
        .unwrap();
    let options = SubtitleOptions::default();
    let captioned = captions(media, &options).await.unwrap();
    let (report, _) = crate::subtitle::caption(&captioned, &options);
    assert_eq!((detected.track, detected.channel), (report.track, report.channel));
    assert_eq!(detected.language, report.language);
    let found = captioned
        .transcript
        .segments
        .iter()
        .flat_map(|segment| &segment.words);
    (detected, report, words(&join(found)))
}

/// Share of the words of the English sample's first seconds that were found.
fn is_the_sample(found: &[String]) -> bool {
    ["echo", "test", "mode", "everything"]
        .iter()
        .all(|word| found.iter().any(|found| found == word))
}

#[tokio::test]
async fn opposite_phase_is_heard() {
    let media = Media::of("-t 6 -i {en} -af pan=stereo|c0=c0|c1=-1*c0 -c:a flac", "flac").await;
    let (detected, _, found) = both(&media).await;
    assert_eq!((detected.language.code.as_str(), detected.channel), ("en", None));
    assert!(is_the_sample(&found), "{found:?}");
}

#[tokio::test]
async fn speech_is_heard_on_every_channel() {
    let check = async |args: &str, extension: &str, channel: Option<u32>| {
        let media = Media::of(
            &format!("-t 6 -i {{en}} -ar 48000 -af aformat=channel_layouts=mono,{args}"),
            extension,
        )
        .await;
        let detected = language(Input::File(&media.path), &DetectOptions::default())
            .await
            .unwrap();
        assert_eq!(
            (detected.language.code.as_str(), detected.channel),
            ("en", channel),
            "{args}"
        );
        media
    };
    // The file states a layout whose last channel is for low frequencies.
    let third = check("pan=2.1|c2=c0 -c:a pcm_s16le", "wav", Some(2)).await;
    let (_, report, found) = both(&third).await;
    assert!(report.channel == Some(2) && is_the_sample(&found), "{found:?}");
    check("pan=5.1|c3=c0 -c:a pcm_s16le", "wav", Some(3)).await;
    check("pan=5.1|c2=c0 -c:a ac3", "mkv", None).await;
    // The file states none, or one that ffmpeg does not mix.
    for (channels, voice) in [(10, 9), (12, 0)] {
        let silent: String = (1..channels).map(|k| format!("[s{k}]")).collect();
        let (before, after) = silent.split_at(silent.len() * voice / (channels - 1));
        let args = format!(
            "-t 6 -i {{en}} -f lavfi -t 6 -i anullsrc=r=48000:cl=mono -filter_complex \
             [1]asplit={}{silent};[0]aresample=48000,aformat=channel_layouts=mono[v];{before}[v]{after}amerge=inputs={channels} -c:a pcm_s16le",
            channels - 1
        );
        let media = Media::of(&args, "mov").await;
        let detected = language(Input::File(&media.path), &DetectOptions::default())
            .await
            .unwrap();
        assert_eq!(detected.language.code, "en", "{channels}");
    }
    check("pan=16c|c15=c0 -c:a pcm_s16le", "mov", None).await;
    check("pan=24c|c23=c0 -c:a pcm_s16le", "mov", None).await;
}

#[tokio::test]
async fn a_voice_below_the_noise_of_another_channel_is_heard() {
    let media = Media::of(
        "-t 6 -i {en} -f lavfi -i anoisesrc=color=white:amplitude=0.8:d=6:r=48000 -filter_complex [0]aresample=48000,volume=0.1[v];[1][v]join=inputs=2:channel_layout=stereo -c:a flac",
        "flac",
    )
    .await;
    let (detected, _, found) = both(&media).await;
    assert_eq!(detected.channel, Some(1));
    assert!(is_the_sample(&found), "{found:?}");
}

/// Recorders of games write the sound of the game, then the voice.
#[tokio::test]
async fn a_silent_first_track_is_not_the_only_one() {
    for extension in ["mkv", "mp4"] {
        let media = Media::of(
            "-f lavfi -i testsrc2=s=64x36:r=5:d=6 -f lavfi -i anullsrc=r=48000:cl=stereo:d=6 -i {en} -map 0 -map 1 -map 2 -t 6 -c:a aac",
            extension,
        )
        .await;
        let (detected, _, found) = both(&media).await;
        assert_eq!((detected.language.code.as_str(), detected.track), ("en", Some(2)));
        assert!(is_the_sample(&found), "{found:?}");
    }
    let media = Media::of("-t 6 -i {fr} -t 6 -i {en} -map 0 -map 1 -c:a aac", "mp4").await;
    let detected = language(Input::File(&media.path), &DetectOptions::default())
        .await
        .unwrap();
    assert_eq!((detected.language.code.as_str(), detected.track), ("fr", Some(0)));
}
