//! Fuzz tests of every reader of external data. A reader must not panic, and must not pass on a value that it cannot
//! write again.

use crate::ffmpeg::{Closed, Probe, progress};
use proptest::{collection::vec, prelude::*};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use vidp_contract::{MediaFacts, Progress, Task, TaskResult, TraceParent, keys};

/// A golden message with some bytes changed, removed or inserted.
fn damaged(golden: &'static str) -> impl Strategy<Value = Vec<u8>> {
    vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6).prop_map(move |changes| {
        let mut bytes = golden.as_bytes().to_vec();
        for (place, byte, how) in changes {
            let place = place.index(bytes.len().max(1)).min(bytes.len());
            match how {
                0 if place < bytes.len() => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => bytes.truncate(place),
            }
        }
        bytes
    })
}

/// Checks that a readable message can be written and read again without a change.
fn check_round_trip<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<T>(bytes) {
        let written = serde_json::to_vec(&message).unwrap();
        assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), message);
    }
}

/// Values that ffprobe may print, some under the control of the file.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[a-z]{0,3}".prop_map(|text| Value::from(text.repeat(999))),
        any::<u64>().prop_map(Value::from),
        prop::sample::select(vec![
            "nan",
            "inf",
            "-inf",
            "1e400",
            "-1",
            "0",
            "0/0",
            "1/0",
            "25/1",
            "30000/1001",
            "16:9",
            "0:1",
            "N/A",
            "9223372036854775807",
            "-9223372036854775808",
            "00:00:01.5",
            "99999999:00:00",
            "1e18",
            "1e300",
            "1e-300/1",
            "1/1e-300",
            "18446744073709551615",
            "video",
            "audio",
            "aac",
        ])
        .prop_map(Value::from),
        prop::sample::select(vec![i64::MIN, i64::MAX, -1, 0, 1, 90, 270]).prop_map(Value::from),
    ]
}

fn fields(names: &'static [&'static str]) -> impl Strategy<Value = Map<String, Value>> {
    vec((prop::sample::select(names), odd()), 0..14).prop_map(|pairs| {
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    })
}

const STREAM: &[&str] = &[
    "index",
    "codec_type",
    "codec_name",
    "width",
    "height",
    "coded_width",
    "sample_aspect_ratio",
    "avg_frame_rate",
    "r_frame_rate",
    "duration",
    "bit_rate",
    "nb_frames",
    "channels",
    "sample_rate",
    "pix_fmt",
    "color_transfer",
    "color_primaries",
    "color_space",
    "profile",
    "field_order",
    "start_time",
    "channel_layout",
];

fn ffprobe() -> impl Strategy<Value = Value> {
    let stream = (
        prop::sample::select(vec!["video", "audio", "data"]),
        fields(STREAM),
        odd(),
        odd(),
        odd(),
    );
    let stream = stream.prop_map(|(kind, mut stream, rotation, default, language)| {
        stream.entry("codec_type").or_insert(json!(kind));
        stream.insert("side_data_list".to_owned(), json!([{ "rotation": rotation }]));
        stream.insert(
            "disposition".to_owned(),
            json!({ "default": default, "attached_pic": 0 }),
        );
        stream.insert(
            "tags".to_owned(),
            json!({ "language": language, "DURATION": language, "rotate": rotation }),
        );
        Value::Object(stream)
    });
    let format = fields(&[
        "format_name",
        "duration",
        "size",
        "bit_rate",
        "nb_streams",
        "start_time",
        "tags",
    ]);
    let stream = stream.boxed();
    let streams = prop_oneof![
        99 => vec(stream.clone(), 0..4),
        1 => stream.prop_map(|stream| vec![stream; 300]),
    ];
    (streams, format).prop_map(|(streams, format)| json!({ "streams": streams, "format": format }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_messages(
        task in damaged(include_str!("../../contract/wire/task-scale.json")),
        result in damaged(include_str!("../../contract/wire/result-succeeded.json")),
        progress in damaged(include_str!("../../contract/wire/progress.json")),
    ) {
        check_round_trip::<Task>(&task);
        check_round_trip::<TaskResult>(&result);
        check_round_trip::<Progress>(&progress);
    }

    #[test]
    fn bytes_that_are_no_message(bytes in vec(any::<u8>(), 0..200)) {
        check_round_trip::<Task>(&bytes);
        check_round_trip::<TaskResult>(&bytes);
        check_round_trip::<Progress>(&bytes);
    }

    #[test]
    fn what_ffprobe_says(answer in ffprobe()) {
        let probe = Probe::parse(&answer, &Closed::default(), None);
        let facts = &probe.facts;
        prop_assert!(facts.duration.is_finite() && facts.duration >= 0.0, "{facts:?}");
        prop_assert!(probe.start.is_finite(), "{}", probe.start);
        if let Some(video) = &facts.video {
            prop_assert!(video.fps.is_finite(), "{video:?}");
        }
        if let Some(details) = &probe.video {
            prop_assert!(details.pixel_aspect.is_finite() && details.pixel_aspect > 0.0, "{details:?}");
            prop_assert!(details.duration.is_none_or(f64::is_finite), "{details:?}");
        }
        let written = serde_json::to_vec(facts).unwrap();
        prop_assert!(serde_json::from_slice::<MediaFacts>(&written).is_ok(), "{facts:?}");
        let stored = bson::serialize_to_vec(facts);
        prop_assert!(stored.as_ref().is_ok_and(|bytes| bytes.len() < 100_000), "{facts:?}");
        prop_assert_eq!(&bson::deserialize_from_slice::<MediaFacts>(&stored.unwrap()).unwrap(), facts);
        let details = probe.video.iter().flat_map(|video| [video.bitrate, video.frames]);
        let numbers = details.chain(probe.audio.iter().map(|audio| audio.bitrate)).flatten();
        prop_assert!(numbers.max().unwrap_or(0) <= i64::MAX.cast_unsigned(), "{probe:?}");
        prop_assert!(probe.audio.iter().all(|audio| audio.duration.is_none_or(f64::is_finite)));
    }

    #[test]
    fn lines_and_names(line in "\\PC{0,120}", number in "[0-9:.a-z=/ -]{0,40}") {
        for text in [&line, &number] {
            let _ = progress(text);
            let time = progress(&format!("frame=1 fps=1 q=0.0 size=1kB time={text} bitrate=1kbits/s speed={text}x"));
            prop_assert!(time.is_none_or(|done| done.time_seconds >= 0.0 && done.time_seconds.is_finite()));
            let _ = keys::attempt(text);
            let _ = TraceParent::parse(text);
        }
    }
}
