use super::{folder, item::Item, manifest};
use anyhow::{Context, Result};
use serde_json::Value;
use std::{collections::HashSet, fs, path::Path};

/// Returns all videos of a folder, or those that a manifest names, each once. Files below `out` are results and are
/// skipped.
pub(super) fn find(from: &Path, out: Option<&Path>, batch: &str, options: &Value) -> Result<Vec<Item>> {
    let items = if from.is_dir() {
        let paths = folder::videos(from, out).with_context(|| format!("read {}", from.display()))?;
        let item = |path: &Path| {
            let path = path.strip_prefix(from).unwrap_or(path);
            Item::file(from, path, batch, options.clone())
        };
        paths.iter().map(|path| item(path)).collect()
    } else {
        let text = fs::read_to_string(from).with_context(|| {
            format!(
                "read {}, which must be a folder, or a manifest with one line of JSON per video",
                from.display()
            )
        })?;
        let folder = from.parent().unwrap_or(Path::new(""));
        manifest::parse(&text, folder, batch, options).with_context(|| from.display().to_string())?
    };
    let mut seen = HashSet::new();
    Ok(items
        .into_iter()
        .filter(|item| seen.insert(item.key.clone()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::batch::item::Source;
    use serde_json::json;

    #[test]
    fn a_folder_has_its_videos_without_results() {
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
}
