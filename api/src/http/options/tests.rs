//! Tests of the options of a request.

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
fn languages_are_stored_as_the_codes_of_the_contract() {
    let check = |language: &str, expected: &str| {
        let text = format!(
            r#"{{"detect":{{"expected_languages":["{language}","fr","fr-CA"]}},"subtitle":{{"language":"{language}"}}}}"#
        );
        let options = parse(&text).unwrap();
        assert_eq!(options.subtitle.language, expected, "{language}");
        assert_eq!(options.detect.expected_languages, [expected, "fr"], "{language}");
    };
    check("jv", "jv");
    check("jw", "jv");
    check("EN", "en");
    check("pt-BR", "pt");
    check("ger", "de");
    check("iw", "he");
    for text in ["auto", "AUTO", " auto "] {
        let options = parse(&format!(r#"{{"subtitle":{{"language":"{text}"}}}}"#)).unwrap();
        assert_eq!(options.subtitle.language, "auto");
    }
    let accepted = "a code of GET /api/v1/processing/supported-languages";
    for language in ["", "xx", "auto-en", "en_US.UTF-8", "und"] {
        check_refused(language, accepted);
    }
}

/// Checks that both options refuse a language, with an error that lists the accepted ones.
fn check_refused(language: &str, accepted: &str) {
    for text in [
        format!(r#"{{"subtitle":{{"language":"{language}"}}}}"#),
        format!(r#"{{"detect":{{"expected_languages":["{language}"]}}}}"#),
    ] {
        check(&text, accepted);
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
    check(r#"{"scale":{"audio_layout":"source","loudness":-16}}"#, "");
    check(r#"{"scale":{"audio_layout":"7.1"}}"#, "unknown variant");
    check(r#"{"scale":{"loudness":-8}}"#, "scale.loudness");
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
