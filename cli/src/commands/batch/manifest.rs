use super::item::Item;
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use vidp_contract::merge_patch;

/// A line of a manifest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: Option<PathBuf>,
    url: Option<String>,
    bucket: Option<String>,
    key: Option<String>,
    options: Option<Map<String, Value>>,
}

/// Reads a manifest: one JSON object per line. Paths are relative to `folder`.
///
/// The options of a line are merged into `options` (RFC 7396).
pub(super) fn parse(text: &str, folder: &Path, batch: &str, options: &Value) -> Result<Vec<Item>> {
    // Some editors write a byte order mark at the beginning of a file.
    let lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let items = lines.map(|(i, line)| {
        let parsed = match line.trim_start().starts_with('{') {
            true => serde_json::from_str::<Line>(line).map_err(Into::into),
            false => Err(anyhow!("expected an object, such as {{\"path\": \"a.mp4\"}}")),
        };
        let item = parsed.and_then(|line| item(line, folder, batch, options));
        item.with_context(|| format!("line {}", i + 1))
    });
    items.collect()
}

fn item(line: Line, folder: &Path, batch: &str, options: &Value) -> Result<Item> {
    let mut merged = options.clone();
    merge_patch(&mut merged, Value::Object(line.options.unwrap_or_default()));
    let (name, source) = match (line.path, line.url, line.bucket, line.key) {
        (Some(path), None, None, None) => return Ok(Item::file(folder, &path, batch, merged)),
        (None, Some(url), None, None) => (url.clone(), json!({ "url": url })),
        (None, None, Some(bucket), Some(key)) => {
            (format!("{bucket}/{key}"), json!({ "bucket": bucket, "key": key }))
        }
        _ => bail!("expected one of `path`, `url`, or `bucket` with `key`"),
    };
    Ok(Item::remote(name, source, batch, merged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_line_merge_deep_over_those_of_the_command_line() {
        let check = |line: Value, expected: Value| {
            let defaults = json!({ "scale": { "renditions": ["480p"] } });
            let text = json!({ "url": "https://example.com/a.mp4", "options": line }).to_string();
            let items = parse(&text, Path::new(""), "batch", &defaults).unwrap();
            assert_eq!(items[0].options, expected, "{line}");
        };
        check(
            json!({ "scale": { "crf": 30 } }),
            json!({ "scale": { "renditions": ["480p"], "crf": 30 } }),
        );
        check(
            json!({ "scale": { "renditions": ["144p"] }, "lane": "batch" }),
            json!({ "scale": { "renditions": ["144p"] }, "lane": "batch" }),
        );
        // null removes the option, so that the server's default applies.
        check(json!({ "scale": { "renditions": null } }), json!({ "scale": {} }));
    }

    #[test]
    fn a_wrong_manifest_is_refused_with_its_line() {
        let check = |line: &str| {
            let error = parse(&format!("\n{line}"), Path::new(""), "batch", &json!({}))
                .err()
                .unwrap();
            assert!(error.to_string().contains("line 2"), "{line}: {error}");
        };
        for line in [
            "{",
            "{}",
            r#"{"path":"a","url":"b"}"#,
            r#"{"bucket":"a"}"#,
            r#"{"file":"a"}"#,
        ] {
            check(line);
        }
    }
}
