//! Reading of single values, which may be missing or absurd.

use serde_json::Value;

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

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
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
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
}
