//! Job options of a request: read strictly, and checked before anything is stored.

use crate::http::problem::Problem;
use serde_json::{Map, Value};
use std::collections::HashSet;
use vidp_contract::{Codec, JobOptions, Timestamp, language_name};

/// Longest options, in bytes of JSON.
pub(crate) const MAX_TEXT: usize = 64 << 10;
/// Longest metadata, in bytes of JSON.
const MAX_METADATA: usize = 16 << 10;
/// Deepest nesting of metadata.
const MAX_DEPTH: usize = 20;
/// Longest external id, in characters.
const MAX_EXTERNAL_ID: usize = 256;

/// Parses options; 400 with the reason for invalid ones. Unknown fields are refused, because a misspelt option would
/// silently have no effect.
pub(crate) fn parse(text: &str) -> Result<JobOptions, Problem> {
    // serde also accepts an array for a struct.
    if text.trim_start().starts_with('[') {
        return Err(Problem::invalid("options: expected a JSON object"));
    }
    let mut unknown = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde_ignored::deserialize(&mut json, |path| unknown.push(path.to_string()));
    let options = read
        .and_then(|options: JobOptions| json.end().map(|()| options))
        .map_err(|error| Problem::invalid(format!("options: {error}")))?;
    if let Some(field) = unknown.first() {
        return Err(Problem::invalid(format!("options: unknown field {field:?}")));
    }
    check(&options).map_err(|detail| Problem::invalid(format!("options: {detail}")))?;
    Ok(options)
}

fn check(options: &JobOptions) -> Result<(), String> {
    distinct("stages", &options.stages)?;
    let duration = options.detect.duration;
    ensure((1.0..=600.0).contains(&duration), || {
        format!("detect.duration must be 1 to 600 seconds, not {duration}")
    })?;
    for code in &options.detect.expected_languages {
        known_language("detect.expected_languages", code)?;
    }
    let scale = &options.scale;
    distinct("scale.renditions", &scale.renditions)?;
    let max_crf = match scale.codec {
        Codec::H264 | Codec::H265 => 51,
        Codec::Av1 | Codec::Vp9 => 63,
    };
    ensure(scale.crf <= max_crf, || {
        format!(
            "scale.crf must be 0 to {max_crf} for this codec, not {}",
            scale.crf
        )
    })?;
    if let Some(size) = scale.max_size_mb {
        ensure((0.01..=100_000.0).contains(&size), || {
            format!("scale.max_size_mb must be 0.01 to 100000, not {size}")
        })?;
    }
    let subtitle = &options.subtitle;
    if subtitle.language != "auto" {
        known_language("subtitle.language", &subtitle.language)?;
    }
    if subtitle.formats.is_empty() {
        return Err("subtitle.formats must not be empty".to_owned());
    }
    for (index, format) in subtitle.formats.iter().enumerate() {
        ensure(!subtitle.formats[..index].contains(format), || {
            "subtitle.formats names a format twice".to_owned()
        })?;
    }
    let id_length = options.external_id.as_deref().map_or(0, |id| id.chars().count());
    ensure(id_length <= MAX_EXTERNAL_ID, || {
        format!("external_id is longer than {MAX_EXTERNAL_ID} characters")
    })?;
    check_retention(options.retention_days, options.expires_at)?;
    check_metadata(&options.metadata)
}

/// Checks the metadata that a client stores with its job; returns the reason if it is refused.
pub(crate) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), String> {
    metadata
        .iter()
        .try_for_each(|(key, value)| storable(key, value, 1))?;
    let size = serde_json::to_vec(metadata).map_or(0, |json| json.len());
    ensure(size <= MAX_METADATA, || {
        format!("metadata is larger than {MAX_METADATA} bytes")
    })
}

/// Checks the retention that a client requests; returns the reason if it is refused. The settings may shorten it.
pub(crate) fn check_retention(days: Option<u32>, until: Option<Timestamp>) -> Result<(), String> {
    ensure(days.is_none() || until.is_none(), || {
        "set either retention_days or expires_at, but not both".to_owned()
    })?;
    ensure(days != Some(0), || "retention_days must be at least 1".to_owned())
}

/// Checks that MongoDB can store a value of the metadata.
fn storable(key: &str, value: &Value, depth: usize) -> Result<(), String> {
    ensure(!key.contains('\0'), || {
        "metadata contains a name with a NUL character".to_owned()
    })?;
    ensure(depth <= MAX_DEPTH, || {
        format!("metadata is nested deeper than {MAX_DEPTH} levels")
    })?;
    match value {
        Value::Object(map) => map
            .iter()
            .try_for_each(|(key, value)| storable(key, value, depth + 1)),
        Value::Array(list) => list.iter().try_for_each(|value| storable("", value, depth + 1)),
        Value::Number(number) if number.is_u64() && !number.is_i64() => Err(format!(
            "metadata: {number} is larger than a signed 64-bit integer"
        )),
        _ => Ok(()),
    }
}

fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

fn distinct<T: Eq + std::hash::Hash>(field: &str, values: &[T]) -> Result<(), String> {
    ensure(!values.is_empty(), || format!("{field} must not be empty"))?;
    let different: HashSet<_> = values.iter().collect();
    ensure(different.len() == values.len(), || {
        format!("{field} names a value twice")
    })
}

fn known_language(field: &str, code: &str) -> Result<(), String> {
    ensure(language_name(code).is_some(), || {
        format!("{field}: unknown language {code:?}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        collection::{hash_map, vec},
        prelude::*,
        sample::{Index, select},
    };
    use vidp_record::job::Job;

    fn check(text: &str, expected: &str) {
        match parse(text) {
            Ok(_) => assert_eq!(expected, "", "{text} was accepted"),
            Err(problem) => {
                let problem = format!("{problem:?}");
                assert!(
                    !expected.is_empty() && problem.contains(expected),
                    "{text}: {problem}"
                );
            }
        }
    }

    #[test]
    fn options_are_read_strictly() {
        check("{}", "");
        check(
            r#"{"stages":["detect","subtitle"],"detect":{"duration":30,"test_all_languages":false,
                "expected_languages":["fr","en"]},"subtitle":{"language":"fr","formats":["srt","txt"],
                "translate":true},"lane":"batch","external_id":"a","metadata":{"k":[1]}}"#,
            "",
        );
        check(
            r#"{"scale":{"renditions":["1080p","144p"],"codec":"av1","crf":60,"max_size_mb":1.5}}"#,
            "",
        );
        check("", "EOF");
        check("[]", "expected a JSON object");
        check("1", "invalid type");
        check("{} x", "trailing");
        check(r#"{"stage":["detect"]}"#, "unknown field \\\"stage\\\"");
        check(r#"{"scale":{"codecs":"h264"}}"#, "scale.codecs");
        check(r#"{"stages":[]}"#, "stages must not be empty");
        check(r#"{"stages":["scale","scale"]}"#, "twice");
        check(r#"{"stages":["burn"]}"#, "unknown variant");
        check(r#"{"detect":{"duration":0}}"#, "detect.duration");
        check(r#"{"detect":{"expected_languages":["xx"]}}"#, "unknown language");
        check(r#"{"scale":{"renditions":["721p"]}}"#, "unknown variant");
        check(r#"{"scale":{"crf":52}}"#, "scale.crf");
        check(r#"{"scale":{"max_size_mb":0}}"#, "max_size_mb");
        check(r#"{"subtitle":{"language":"klingon"}}"#, "unknown language");
        check(r#"{"subtitle":{"formats":[]}}"#, "formats");
        check(
            &format!(r#"{{"external_id":"{}"}}"#, "x".repeat(257)),
            "external_id",
        );
        check(
            &format!(r#"{{"metadata":{{"k":"{}"}}}}"#, "x".repeat(17_000)),
            "metadata",
        );
        check(r#"{"retention_days":7}"#, "");
        check(r#"{"expires_at":"2031-02-03T04:05:06Z"}"#, "");
        check(r#"{"retention_days":0}"#, "retention_days");
        check(r#"{"retention_days":-1}"#, "invalid value");
        check(r#"{"expires_at":"tomorrow"}"#, "options: ");
        check(
            r#"{"retention_days":1,"expires_at":"2031-02-03T04:05:06Z"}"#,
            "either",
        );
    }

    const GOLDEN: &str = r#"{"stages":["detect"],"detect":{"duration":1e1},"scale":{"crf":20,"max_size_mb":0.5},
        "subtitle":{"formats":["vtt"]},"external_id":"ü","metadata":{"a":{"$b.c":[1,-2,3.5,null,true]}},
        "expires_at":"2031-02-03T04:05:06Z"}"#;

    /// JSON as an attacker might send it.
    fn json() -> impl Strategy<Value = Value> {
        let name = prop_oneof![
            "\\PC{0,6}",
            select(vec![
                "stages",
                "detect",
                "duration",
                "scale",
                "crf",
                "metadata",
                "external_id",
                "expires_at",
                "lane",
                "retention_days",
                "$oid",
                "$date",
                "$numberLong",
                "$binary",
                "a.b",
                "",
                "\0",
                "__proto__",
            ])
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            select(vec!["scale", "auto", "5f0000000000000000000000", "1", "\0"]).prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..5).prop_map(Value::from),
                hash_map(name.clone(), inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Accepted options survive a round trip through BSON.
    fn storable_if_accepted(text: &str) {
        let Ok(options) = parse(text) else { return };
        let id = uuid::Uuid::now_v7();
        let now = vidp_record::time::DateTime::now();
        let (tenant, name) = ("t".to_owned(), "a".to_owned());
        let job = Job::uploading(id, tenant, options, name.clone(), name, now);
        let bytes = bson::serialize_to_vec(&job).expect("the job can be stored");
        let back: Job = bson::deserialize_from_slice(&bytes).expect("the job can be read");
        assert_eq!(back.options, job.options, "{text}");
        assert_eq!(back.metadata, job.metadata, "{text}");
    }

    #[test]
    fn metadata_that_resembles_extended_json_is_stored_unchanged() {
        for odd in [
            r#"{"$oid":"5f0000000000000000000000"}"#,
            r#"{"$date":"2031-02-03T04:05:06Z"}"#,
            r#"{"$date":{"$numberLong":"1"}}"#,
            r#"{"$numberDouble":"1.5"}"#,
            r#"{"$numberDecimal":"1"}"#,
            r#"{"$binary":{"base64":"AA==","subType":"00"}}"#,
            r#"{"$timestamp":{"t":1,"i":2}}"#,
            r#"{"$regularExpression":{"pattern":"a","options":""}}"#,
            r#"{"$undefined":true}"#,
            r#"{"$minKey":1}"#,
        ] {
            storable_if_accepted(&format!(r#"{{"metadata":{{"k":{odd},"l":[{odd}]}}}}"#));
            storable_if_accepted(&format!(r#"{{"metadata":{odd}}}"#));
        }
    }

    proptest! {
        #[test]
        fn damaged_options_are_refused_or_stored(
            changes in vec((any::<Index>(), any::<u8>(), 0..3_u8), 0..5)
        ) {
            let mut bytes = GOLDEN.as_bytes().to_vec();
            for (place, byte, how) in changes {
                let place = place.index(bytes.len());
                match how {
                    0 => bytes[place] = byte,
                    1 => bytes.insert(place, byte),
                    _ => { bytes.remove(place); }
                }
            }
            storable_if_accepted(&String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn random_json_is_refused_or_stored(value in json()) {
            storable_if_accepted(&value.to_string());
            storable_if_accepted(&serde_json::json!({ "metadata": value, "lane": "batch" }).to_string());
        }
    }
}
