//! Whatever a worker reports, the record can store a result that passes the checks of the contract.

use super::{
    finished, rejected,
    tests::{TIMES, job},
};
use mongodb::bson::{self, DateTime};
use proptest::{collection::vec, option, prelude::*};
use serde_json::Value;
use uuid::Uuid;
use vidp_contract::{
    AudioTrack, CaptionsReport, DetectReport, DropReason, Language, LanguageProbability, LanguageWindow,
    Made, MediaFacts, Outcome, RenditionReport, ScaleReport, SoundReport, Stage, StreamFate, StreamKind,
    StreamReport, SubtitleReport, Success, TaskResult, Timings, VideoTrack, streams,
};

/// MongoDB's limit of a document in bytes.
const MAX_DOCUMENT: usize = 16 << 20;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,12}", any::<String>()]
}

fn whole() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(u64::MAX), Just(i64::MAX.cast_unsigned() + 1)]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX)]
}

fn language() -> impl Strategy<Value = Language> {
    (text(), text()).prop_map(|(code, name)| Language { code, name })
}

fn detect() -> impl Strategy<Value = Value> {
    let probability =
        (text(), real()).prop_map(|(code, probability)| LanguageProbability { code, probability });
    let window = (real(), real(), real(), option::of(text()), option::of(real())).prop_map(
        |(start, duration, speech_seconds, language, probability)| LanguageWindow {
            start,
            duration,
            speech_seconds,
            language,
            probability,
        },
    );
    (
        language(),
        real(),
        vec(probability, 0..9),
        vec(window, 0..9),
        [whole(), whole()],
        option::of(any::<u32>()),
        option::of(any::<u32>()),
    )
        .prop_map(
            |(language, confidence, probabilities, windows, [bytes_read, decode_errors], track, channel)| {
                let report = DetectReport {
                    language,
                    confidence,
                    other_languages: probabilities.clone(),
                    probabilities,
                    windows,
                    bytes_read,
                    track,
                    channel,
                    decode_errors,
                };
                serde_json::to_value(report).unwrap()
            },
        )
}

fn media() -> impl Strategy<Value = MediaFacts> {
    let video = (text(), any::<[u32; 3]>(), real(), text(), any::<[bool; 2]>()).prop_map(
        |(codec, [width, height, rotation], fps, pixel_format, [interlaced, hdr])| VideoTrack {
            codec,
            width,
            height,
            fps,
            pixel_format,
            rotation,
            interlaced,
            hdr,
        },
    );
    let audio = (text(), any::<[u32; 2]>(), option::of(text())).prop_map(
        |(codec, [channels, sample_rate], language)| AudioTrack {
            codec,
            channels,
            sample_rate,
            language,
        },
    );
    (
        text(),
        real(),
        whole(),
        whole(),
        option::of(video),
        vec(audio, 0..5),
    )
        .prop_map(|(container, duration, size, bitrate, video, audio)| MediaFacts {
            container,
            duration,
            size,
            bitrate,
            video,
            audio,
        })
}

fn scale() -> impl Strategy<Value = Value> {
    let rendition = (
        text(),
        [whole(), whole()],
        real(),
        any::<[u32; 2]>(),
        text(),
        option::of(text()),
        real(),
    )
        .prop_map(
            |(name, [size, bitrate], ratio, [width, height], video_codec, audio_codec, duration)| {
                RenditionReport {
                    name,
                    size,
                    ratio,
                    width,
                    height,
                    video_codec,
                    audio_codec,
                    bitrate,
                    duration,
                    frames: Some(size),
                    made: Made::Copied,
                }
            },
        );
    let stream = (
        option::of(any::<u32>()),
        prop::sample::select(StreamKind::ALL.to_vec()),
        text(),
        option::of(text()),
        prop::sample::select(StreamFate::ALL.to_vec()),
        option::of(prop::sample::select(DropReason::ALL.to_vec())),
        option::of((any::<u32>(), [(); 4].map(|()| option::of(real())))),
    )
        .prop_map(
            |(index, kind, codec, language, fate, reason, sound)| StreamReport {
                index,
                kind,
                codec,
                language,
                fate,
                reason,
                sound: sound.map(
                    |(channels, [loudness, loudness_range, true_peak, loudness_before])| SoundReport {
                        channels,
                        loudness,
                        loudness_range,
                        true_peak,
                        loudness_before,
                    },
                ),
            },
        );
    let captions = (text(), option::of(text()), any::<[bool; 2]>()).prop_map(
        |(name, language, [forced, hearing_impaired])| CaptionsReport {
            name,
            language,
            forced,
            hearing_impaired,
        },
    );
    let lists = (vec(rendition, 0..5), vec(stream, 0..5), vec(captions, 0..5));
    (media(), lists, whole()).prop_map(|(media, (renditions, streams, captions), decode_errors)| {
        let report = ScaleReport {
            media,
            renditions,
            streams,
            captions,
            decode_errors,
        };
        serde_json::to_value(report).unwrap()
    })
}

fn subtitle() -> impl Strategy<Value = Value> {
    let other = (text(), real()).prop_map(|(code, probability)| LanguageProbability { code, probability });
    let track = [option::of(any::<u32>()), option::of(any::<u32>())];
    (
        language(),
        any::<bool>(),
        real(),
        any::<[u32; 2]>(),
        real(),
        track,
        whole(),
        vec(other, 0..9),
    )
        .prop_map(
            |(
                language,
                translated,
                speech_seconds,
                [cues, words],
                rules_kept,
                [track, channel],
                decode_errors,
                other_languages,
            )| {
                let report = SubtitleReport {
                    language,
                    translated,
                    speech_seconds,
                    cues,
                    words,
                    rules_kept,
                    other_languages,
                    track,
                    channel,
                    decode_errors,
                };
                serde_json::to_value(report).unwrap()
            },
        )
}

/// Any JSON, as a worker that was taken over sends it.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(20, 60, 4, |inner| {
        let name = prop_oneof!["[a-z$.]{0,3}", any::<String>()];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Applies the result of a stage with this report; returns the size of the job's document.
fn store(stage: Stage, report: &Value) -> Result<usize, String> {
    let mut job = job(&[stage]);
    let report = report.as_object().cloned().unwrap_or_default();
    let result = TaskResult {
        task_id: job.stages[&stage].task_id,
        job_id: job.id,
        stage,
        attempt: u32::MAX,
        outcome: Outcome::Succeeded(Success {
            outputs: Vec::new(),
            report,
        }),
        timings: Timings::default(),
        worker: "w".to_owned(),
    };
    result.belongs(&streams::result(stage, result.task_id))?;
    let now = DateTime::now();
    match result.fits() {
        Ok(()) => assert!(finished(&mut job, &result, TIMES, now)),
        Err(_) => assert!(rejected(&mut job, stage, result.task_id, TIMES, now)),
    }
    let bytes = bson::serialize_to_vec(&job).map_err(|error| error.to_string())?;
    Ok(bytes.len())
}

proptest! {
    #[test]
    fn every_report_is_stored(detect in detect(), scale in scale(), subtitle in subtitle()) {
        for (stage, report) in [(Stage::Detect, detect), (Stage::Scale, scale), (Stage::Subtitle, subtitle)] {
            let size = store(stage, &report);
            prop_assert!(size.as_ref().is_ok_and(|size| *size < MAX_DOCUMENT), "{size:?} {report}");
        }
    }

    #[test]
    fn any_report_is_stored_or_rejected(report in anything()) {
        let size = store(Stage::Scale, &report);
        prop_assert!(size.as_ref().is_ok_and(|size| *size < MAX_DOCUMENT), "{size:?} {report}");
    }
}

#[test]
fn a_rejected_stage_is_an_internal_failure() {
    let mut job = job(&[Stage::Scale]);
    let task_id = job.stages[&Stage::Scale].task_id;
    assert!(!rejected(
        &mut job,
        Stage::Scale,
        Uuid::now_v7(),
        TIMES,
        DateTime::now()
    ));
    assert!(rejected(&mut job, Stage::Scale, task_id, TIMES, DateTime::now()));
    assert_eq!(job.stages[&Stage::Scale].error.as_ref().unwrap().code, "internal");
    assert!(job.status.is_terminal());
    assert!(!rejected(&mut job, Stage::Scale, task_id, TIMES, DateTime::now()));
}
