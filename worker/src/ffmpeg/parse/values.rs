//! Reading of single values, which may be missing or absurd.

use serde_json::Value;

/// Maximum length of a text in characters. ffmpeg's own names are shorter.
const MAX_TEXT: usize = 100;
/// Maximum whole number: JSON and MongoDB hold it exactly, also where they use 64-bit floats.
const MAX_COUNT: u64 = (1 << 53) - 1;
/// Maximum seconds: about 30 years.
const MAX_SECONDS: f64 = 1e9;
/// Maximum frame rate or ratio.
const MAX_RATIO: f64 = 1e6;

/// A text of at most [`MAX_TEXT`] characters; `None` when it is empty.
pub(super) fn text(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| !text.is_empty())?;
    Some(text.chars().take(MAX_TEXT).collect())
}

/// A whole number from 0 to [`MAX_COUNT`].
pub(super) fn count(number: f64) -> u64 {
    (number as u64).min(MAX_COUNT)
}

/// Positive seconds, at most [`MAX_SECONDS`].
pub(super) fn seconds(number: f64) -> Option<f64> {
    (number > 0.0).then_some(number.min(MAX_SECONDS))
}

/// A time in seconds, at most [`MAX_SECONDS`] from 0 on either side; 0 when it is missing.
pub(super) fn time(value: &Value) -> f64 {
    number(value).unwrap_or(0.0).clamp(-MAX_SECONDS, MAX_SECONDS)
}

/// A finite number, also from a text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    number.is_finite().then_some(number)
}

pub(super) fn whole(value: &Value) -> u32 {
    number(value).map_or(0, |number| number as u32)
}

/// Quotient of `30000/1001` or `4:3`; `None` when either side is 0.
pub(super) fn ratio(value: &Value, separator: char) -> Option<f64> {
    let (above, below) = value.as_str()?.split_once(separator)?;
    let ratio = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio.min(MAX_RATIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ratios() {
        assert_eq!(ratio(&json!("30000/1001"), '/'), Some(30000.0 / 1001.0));
        assert_eq!(ratio(&json!("0/0"), '/'), None);
    }

    #[test]
    fn bounds() {
        assert_eq!(count(i64::MAX as f64), MAX_COUNT);
        assert_eq!((count(-1.0), count(f64::NAN), count(7.9)), (0, 0, 7));
        assert_eq!((seconds(1e300), seconds(0.0)), (Some(MAX_SECONDS), None));
        assert_eq!(ratio(&json!("1e300/1"), '/'), Some(MAX_RATIO));
        assert_eq!(text(&json!("é".repeat(999))), Some("é".repeat(MAX_TEXT)));
    }
}
