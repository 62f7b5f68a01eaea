//! Runs both stages on real speech, with the real models and the real ffmpeg.

pub(crate) mod media;
mod times;
mod tracks;
mod verdicts;

use crate::{
    detect::detect,
    model::engine::Engine,
    subtitle::{Captioned, caption, transcribe},
    text::{
        formats,
        transcript::{Transcript, join},
    },
};
use media::{Media, engine, reference, repeated, sample, serve, tones_then};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use vidp_contract::{DetectOptions, DetectReport, FailureCode, SkipCode, SubtitleFormat, SubtitleOptions};
use vidp_worker::{TaskError, ffmpeg::Input};

async fn language(input: Input<'_>, options: &DetectOptions) -> Result<DetectReport, TaskError> {
    detect(engine(), input, options, |_| {}, &CancellationToken::new()).await
}

async fn captions(media: &Media, options: &SubtitleOptions) -> Result<Captioned, TaskError> {
    let (input, cancel) = (Input::File(&media.path), CancellationToken::new());
    transcribe(engine(), input, options, |_, _| {}, &cancel).await
}

async fn text(media: &Media, options: &SubtitleOptions) -> Result<Transcript, TaskError> {
    Ok(captions(media, options).await?.transcript)
}

fn words(text: &str) -> Vec<String> {
    let plain = text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " ");
    plain.split_whitespace().map(str::to_owned).collect()
}

/// Word error rate: changed, added and missing words, as a share of the reference.
fn word_errors(reference: &[String], found: &[String]) -> f64 {
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (i, expected) in reference.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, word) in found.iter().enumerate() {
            let substituted = corner + usize::from(expected != word);
            corner = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(corner + 1);
        }
    }
    row[found.len()] as f64 / reference.len() as f64
}

#[tokio::test]
async fn every_sample_is_recognised() {
    for code in ["en", "fr", "es", "it", "ru"] {
        let report = language(Input::File(&sample(code).path), &DetectOptions::default())
            .await
            .unwrap();
        assert_eq!(report.language.code, code);
        assert!(report.confidence > 0.8, "{code}: {}", report.confidence);
        assert_eq!(report.probabilities.len(), 99);
        let sum: f64 = report.probabilities.iter().map(|entry| entry.probability).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert!(
            report
                .windows
                .iter()
                .any(|window| window.language.as_deref() == Some(code))
        );
    }
}

#[tokio::test]
async fn options_narrow_the_answer() {
    let sample = sample("it");
    let options = DetectOptions {
        duration: 5.0,
        test_all_languages: false,
        expected_languages: vec!["es".to_owned(), "fr".to_owned()],
    };
    let report = language(Input::File(&sample.path), &options).await.unwrap();
    assert_eq!(report.probabilities.len(), 2);
    assert!(["es", "fr"].contains(&&*report.language.code));
    let sum: f64 = report.probabilities.iter().map(|entry| entry.probability).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
}

#[tokio::test]
async fn noise_tones_and_silence_are_no_speech() {
    for source in [
        "anoisesrc=color=pink:amplitude=0.3",
        "sine=frequency=440:beep_factor=4",
        "anullsrc=sample_rate=16000",
    ] {
        let media = Media::make(&["-f", "lavfi", "-i", source, "-t", "45"], "wav").await;
        let found = language(Input::File(&media.path), &DetectOptions::default()).await;
        assert!(
            matches!(found, Err(TaskError::Skip(SkipCode::NoSpeech))),
            "{source}: {found:?}"
        );
        let found = text(&media, &SubtitleOptions::default()).await;
        assert!(
            matches!(found, Err(TaskError::Skip(SkipCode::NoSpeech))),
            "{source}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_video_without_sound_is_skipped() {
    let media = Media::make(&["-f", "lavfi", "-i", "testsrc=size=64x64", "-t", "2"], "mp4").await;
    let found = language(Input::File(&media.path), &DetectOptions::default()).await;
    assert!(
        matches!(found, Err(TaskError::Skip(SkipCode::NoAudio))),
        "{found:?}"
    );
    let found = text(&media, &SubtitleOptions::default()).await;
    assert!(
        matches!(found, Err(TaskError::Skip(SkipCode::NoAudio))),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_film_that_opens_with_music_gets_its_language() {
    let media = tones_then("fr").await;
    let report = language(Input::File(&media.path), &DetectOptions::default())
        .await
        .unwrap();
    assert_eq!(report.language.code, "fr", "{:?}", report.windows);
    let options = SubtitleOptions {
        translate: true,
        ..SubtitleOptions::default()
    };
    let transcript = text(&media, &options).await.unwrap();
    assert_eq!(transcript.language, "fr");
    let first = &transcript.segments[0];
    assert!(first.start >= 39.0, "there is no speech before: {first:?}");
    let english = words(&join(
        transcript.segments.iter().flat_map(|segment| &segment.words),
    ));
    assert!(
        english
            .iter()
            .filter(|word| ["the", "to", "you", "and"].contains(&&***word))
            .count()
            > 5,
        "{english:?}"
    );
}

#[tokio::test]
async fn only_a_part_of_a_long_file_is_read() {
    let media = repeated("es", 30, "mp4").await;
    let size = std::fs::metadata(&media.path).unwrap().len();
    let server = serve(&media.path).await;
    let report = language(Input::Ranges(&server.ranges), &DetectOptions::default())
        .await
        .unwrap();
    server.ranges.check().unwrap();
    assert_eq!(report.language.code, "es");
    assert!(
        report.bytes_read > 10_000 && report.bytes_read < size / 10,
        "{} of {size}",
        report.bytes_read
    );
    assert!(report.windows[0].start > 300.0, "{:?}", report.windows);
}

/// ffmpeg ends with 0 when the connection to its input breaks, and decodes what it got.
#[tokio::test]
async fn a_store_that_fails_on_the_way_is_not_the_end_of_the_file() {
    let media = repeated("es", 30, "mp4").await;
    let mut served = serve(&media.path).await;
    let (engine, input) = (engine(), Input::Ranges(&served.ranges));
    let never = CancellationToken::new();
    vidp_worker::ffmpeg::probe(&engine.tools, input, &engine.limits, &never)
        .await
        .unwrap();
    served.server.daemon().kill();
    let found = language(input, &DetectOptions::default()).await;
    assert!(matches!(found, Err(TaskError::Retry(_))), "{found:?}");
    let failure = TaskError::from(served.ranges.check().unwrap_err());
    assert!(matches!(failure, TaskError::Retry(_)), "{failure}");
}

/// The tags of a file may look like the statistics that ffmpeg prints.
#[tokio::test]
async fn the_tags_of_a_file_are_not_the_bytes_read() {
    let forged = format!("[AVIOContext @ 0x1] Statistics: {} bytes read, 0 seeks", i64::MAX);
    let (title, name) = (
        format!("title=a\n{forged}\r{forged}"),
        format!("x\n{forged}\ny=z"),
    );
    let speech = sample("it");
    let source = speech.path.to_str().unwrap();
    let tags = [
        "-movflags",
        "use_metadata_tags",
        "-metadata",
        &title,
        "-metadata",
        &name,
    ];
    let media = Media::make(&[&["-i", source, "-c:a", "aac"][..], &tags[..]].concat(), "mp4").await;
    let size = std::fs::metadata(&media.path).unwrap().len();
    let served = serve(&media.path).await;
    let report = language(Input::Ranges(&served.ranges), &DetectOptions::default())
        .await
        .unwrap();
    assert_eq!(report.language.code, "it");
    // One run of ffprobe and a run of ffmpeg for each window read the file at most once, and its index at the end.
    let (runs, index) = (1 + report.windows.len() as u64, 64 << 10);
    assert!(
        report.bytes_read > 0 && report.bytes_read <= size * runs + index,
        "{}",
        report.bytes_read
    );
}

#[tokio::test]
async fn a_sample_is_transcribed_and_captioned() {
    let options = SubtitleOptions::default();
    let captioned = captions(&sample("en"), &options).await.unwrap();
    let transcript = &captioned.transcript;
    assert_eq!(transcript.language, "en");
    let found: Vec<_> = transcript
        .segments
        .iter()
        .flat_map(|segment| &segment.words)
        .collect();
    let rate = word_errors(&words(&reference("en")), &words(&join(found.iter().copied())));
    assert!(rate < 0.2, "{rate}: {}", join(found.iter().copied()));
    assert!(
        found
            .windows(2)
            .all(|pair| pair[0].start <= pair[0].end && pair[0].end <= pair[1].start)
    );
    assert!(found.last().unwrap().end <= transcript.duration);

    let (report, cues) = caption(&captioned, &options);
    assert_eq!(report.words as usize, found.len());
    assert!(report.rules_kept > 0.7, "{}: {cues:#?}", report.rules_kept);
    assert!(cues.windows(2).all(|pair| pair[0].end < pair[1].start));
    assert!(cues.last().unwrap().end as f64 <= transcript.duration * 1000.0 + 1.0);
    let vtt = formats::write(SubtitleFormat::Vtt, "en", transcript, &cues);
    assert_eq!(vtt.matches(" --> ").count(), cues.len());
}

#[tokio::test]
async fn a_track_cut_short_is_damaged() {
    let media = repeated("it", 4, "mp4").await;
    let half = std::fs::metadata(&media.path).unwrap().len() / 2;
    std::fs::File::options()
        .write(true)
        .open(&media.path)
        .unwrap()
        .set_len(half)
        .unwrap();
    let found = text(&media, &SubtitleOptions::default()).await;
    let damaged = matches!(
        found,
        Err(TaskError::Fail {
            code: FailureCode::DamagedMedia,
            ..
        })
    );
    assert!(damaged, "{found:?}");
}

#[test]
fn cancelling_stops_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cancelled = runtime.block_on(async {
        let media = repeated("ru", 8, "ogg").await;
        let cancel = CancellationToken::new();
        let (reports, mut first) = tokio::sync::mpsc::unbounded_channel();
        let progress = move |_, _| reports.send(()).unwrap_or_default();
        let options = SubtitleOptions::default();
        let work = transcribe(engine(), Input::File(&media.path), &options, progress, &cancel);
        let stop = async {
            first.recv().await;
            cancel.cancel();
            Instant::now()
        };
        let (found, cancelled) = tokio::join!(work, stop);
        assert!(matches!(found, Err(TaskError::Cancelled)), "{found:?}");
        assert!(
            cancelled.elapsed() < Duration::from_secs(3),
            "{:?}",
            cancelled.elapsed()
        );
        cancelled
    });
    // Dropping the runtime waits for the model's threads.
    drop(runtime);
    assert!(
        cancelled.elapsed() < Duration::from_secs(15),
        "{:?}",
        cancelled.elapsed()
    );
}

#[test]
fn a_wrong_model_is_named() {
    let mut config = media::config();
    std::mem::swap(&mut config.whisper_model, &mut config.vad_model);
    let error = Engine::load(&config, 1).err().unwrap().to_string();
    assert!(
        error.contains("this is a voice activity model") && error.contains("VIDP_WHISPER_MODEL"),
        "{error}"
    );
}
