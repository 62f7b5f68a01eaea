//! Bounds of numbers and texts in messages.

use serde::Serializer;

/// Maximum whole number in a report. MongoDB stores whole numbers as `i64`.
const MAX_WHOLE: u64 = i64::MAX.cast_unsigned();

/// Writes a whole number, at most [`MAX_WHOLE`]; for `#[serde(serialize_with)]`.
pub(crate) fn whole<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64((*number).min(MAX_WHOLE))
}

/// True when MongoDB can store every number and every key in `value`, which nests at most `depth` levels.
pub(crate) fn is_storable(value: &serde_json::Value, depth: usize) -> bool {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_u64().is_none_or(|number| number <= MAX_WHOLE),
        Value::Array(values) => depth > 0 && values.iter().all(|value| is_storable(value, depth - 1)),
        Value::Object(fields) => {
            depth > 0
                && fields
                    .iter()
                    .all(|(name, value)| !name.contains('\0') && is_storable(value, depth - 1))
        }
    }
}
