//! Job options of a request: read strictly, and checked before anything is stored.

use crate::http::problem::Problem;
use serde_json::{Map, Value};
use std::collections::HashSet;
use vidp_contract::{Codec, JobOptions, ScaleOptions, Timestamp, language_code};

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
    let mut options = read
        .and_then(|options: JobOptions| json.end().map(|()| options))
        .map_err(|error| Problem::invalid(format!("options: {error}")))?;
    if let Some(field) = unknown.first() {
        return Err(Problem::invalid(format!("options: unknown field {field:?}")));
    }
    languages(&mut options)
        .and_then(|()| check(&options))
        .map_err(|detail| Problem::invalid(format!("options: {detail}")))?;
    Ok(options)
}

/// Replaces the codes by which a client may name languages by the codes of the contract.
fn languages(options: &mut JobOptions) -> Result<(), String> {
    let mut expected = Vec::new();
    for tag in &options.detect.expected_languages {
        let code =
            language_code(tag).ok_or_else(|| unknown_language("detect.expected_languages", tag, ""))?;
        if !expected.iter().any(|known| known == code) {
            expected.push(code.to_owned());
        }
    }
    options.detect.expected_languages = expected;
    let language = &mut options.subtitle.language;
    *language = match language.trim() {
        tag if tag.eq_ignore_ascii_case("auto") => "auto".to_owned(),
        tag => match language_code(tag) {
            Some(code) => code.to_owned(),
            None => return Err(unknown_language("subtitle.language", tag, "`auto`, ")),
        },
    };
    Ok(())
}

/// The reason for the refusal of a language. `more` names further accepted values.
fn unknown_language(field: &str, tag: &str, more: &str) -> String {
    format!(
        "{field}: unknown language {tag:?}; send {more}a code of GET /api/v1/processing/supported-languages such as `pt` or \
         `por`, or a BCP 47 tag such as `pt-BR`"
    )
}

fn check(options: &JobOptions) -> Result<(), String> {
    distinct("stages", &options.stages)?;
    let duration = options.detect.duration;
    ensure((1.0..=600.0).contains(&duration), || {
        format!("detect.duration must be 1 to 600 seconds, not {duration}")
    })?;
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
    if let Some(loudness) = scale.loudness {
        ensure(ScaleOptions::LOUDNESS.contains(&loudness), || {
            format!("scale.loudness must be -31 to -9 LUFS, not {loudness}")
        })?;
    }
    let subtitle = &options.subtitle;
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

#[cfg(test)]
mod tests;
