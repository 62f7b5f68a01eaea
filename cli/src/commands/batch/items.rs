//! What a batch is of: the videos of a folder, or the lines of a manifest.

use crate::{client::content_type, hash::hex};
use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// One video, and what to do with it.
pub struct Item {
    /// What people call it: a path below the folder, a URL, or bucket and key.
    pub name: String,
    pub source: Source,
    pub options: Value,
    /// The same whenever it is the same video, with the same options, of the same batch.
    pub key: String,
}

/// Where a video is.
pub enum Source {
    File(PathBuf),
    /// The server fetches it.
    Remote(Value),
    /// Nowhere, and why.
    Missing(io::Error),
}

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

/// All videos of a folder, or those that a manifest names, once each. Files below `out` are none: they are results.
pub fn find(from: &Path, out: Option<&Path>, batch: &str, options: &Value) -> Result<Vec<Item>> {
    let items = if from.is_dir() {
        let out = out.and_then(|out| out.canonicalize().ok());
        let mut paths = Vec::new();
        walk(from, out.as_deref(), &mut paths).with_context(|| format!("read {}", from.display()))?;
        paths.sort();
        let named = |path: PathBuf| {
            file(
                from,
                path.strip_prefix(from).unwrap_or(&path),
                batch,
                options.clone(),
            )
        };
        paths.into_iter().map(named).collect()
    } else {
        let text = fs::read_to_string(from).with_context(|| {
            format!(
                "read {}, which must be a folder, or a manifest with a line of JSON for each video",
                from.display()
            )
        })?;
        let folder = from.parent().unwrap_or(Path::new(""));
        manifest(&text, folder, batch, options).with_context(|| from.display().to_string())?
    };
    let mut seen = HashSet::new();
    Ok(items
        .into_iter()
        .filter(|item| seen.insert(item.key.clone()))
        .collect())
}

/// Whether a file's name says that it is a video or a recording.
fn is_media(path: &Path) -> bool {
    content_type(path) != "application/octet-stream"
}

fn walk(folder: &Path, out: Option<&Path>, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        } else if kind.is_dir() {
            if out.is_none_or(|out| path.canonicalize().is_ok_and(|path| path != out)) {
                walk(&path, out, paths)?;
            }
        } else if is_media(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn manifest(text: &str, folder: &Path, batch: &str, options: &Value) -> Result<Vec<Item>> {
    // Some editors begin a file with a byte order mark.
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
    merge(&mut merged, Value::Object(line.options.unwrap_or_default()));
    let (name, source) = match line {
        Line {
            path: Some(path),
            url: None,
            bucket: None,
            key: None,
            ..
        } => {
            return Ok(file(folder, &path, batch, merged));
        }
        Line {
            path: None,
            url: Some(url),
            bucket: None,
            key: None,
            ..
        } => (url.clone(), json!({ "url": url })),
        Line {
            path: None,
            url: None,
            bucket: Some(bucket),
            key: Some(key),
            ..
        } => (format!("{bucket}/{key}"), json!({ "bucket": bucket, "key": key })),
        _ => bail!("expected one of `path`, `url`, or `bucket` with `key`"),
    };
    Ok(Item {
        key: identity(batch, &json!([source, merged])),
        name,
        source: Source::Remote(source),
        options: merged,
    })
}

fn file(folder: &Path, path: &Path, batch: &str, options: Value) -> Item {
    let name = path.to_string_lossy().into_owned();
    let path = folder.join(path);
    let (source, facts) = match fs::metadata(&path) {
        Ok(meta) if !meta.is_file() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not a file");
            (Source::Missing(error), Value::Null)
        }
        Ok(meta) => (
            Source::File(path),
            json!([meta.size(), meta.mtime(), meta.mtime_nsec()]),
        ),
        Err(error) => (Source::Missing(error), Value::Null),
    };
    let key = identity(batch, &json!([name, facts, options]));
    Item {
        name,
        source,
        options,
        key,
    }
}

/// RFC 7396: fields that are null go away.
fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                match value {
                    Value::Null => drop(target.remove(&name)),
                    value => merge(target.entry(name).or_insert(Value::Null), value),
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

fn identity(batch: &str, of: &Value) -> String {
    let hash = Sha256::digest(of.to_string());
    format!("{batch}-{}", hex(&hash[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_videos_without_results() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        for name in [
            "b.mp4",
            "a/c.MOV",
            "note.txt",
            ".hidden.mp4",
            "out/b.mp4/144p.mp4",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let keys = || -> Vec<_> {
            let items = find(folder.path(), Some(&out), "batch", &json!({})).unwrap();
            items.into_iter().map(|item| (item.name, item.key)).collect()
        };
        let before = keys();
        let names: Vec<_> = before.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a/c.MOV", "b.mp4"]);
        assert_eq!(keys(), before);
        // Another file of the same name is another video.
        fs::write(folder.path().join("b.mp4"), "longer than before").unwrap();
        let after = keys();
        assert_eq!(after[0], before[0]);
        assert_ne!(after[1], before[1]);
    }

    #[test]
    fn a_manifest_names_files_and_sources_once() {
        let text = r#"
            {"path": "none.mp4", "options": {"scale": {"crf": 30}}}
            {"url": "https://example.com/a.mp4"}
            {"url": "https://example.com/a.mp4"}
            {"bucket": "films", "key": "a.mp4"}"#;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list.ndjson");
        fs::write(&file, text).unwrap();
        let options = json!({ "scale": { "codec": "vp9" } });
        let items = find(&file, None, "batch", &options).unwrap();
        let names: Vec<_> = items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names, ["none.mp4", "https://example.com/a.mp4", "films/a.mp4"]);
        assert!(matches!(items[0].source, Source::Missing(_)));
        assert_eq!(
            items[0].options,
            json!({ "scale": { "codec": "vp9", "crf": 30 } })
        );
    }

    #[test]
    fn a_wrong_manifest_says_where() {
        let check = |line: &str| {
            let error = manifest(&format!("\n{line}"), Path::new(""), "batch", &json!({}))
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
