use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use vidp_contract::hex;

/// One video of a batch, with its options.
pub(super) struct Item {
    /// Name for people: a path below the folder, a URL, or bucket and key.
    pub(super) name: String,
    /// Location of the video.
    pub(super) source: Source,
    /// Job options of this video.
    pub(super) options: Value,
    /// Identity of the item: equal for the same video with the same options in the same batch.
    pub(super) key: String,
}

/// Location of a video.
pub(super) enum Source {
    /// A file to upload.
    File(PathBuf),
    /// A source that the server fetches: `url`, or `bucket` and `key`.
    Remote(Value),
    /// A file that cannot be read, with the reason.
    Missing(io::Error),
}

impl Item {
    /// An item for a file; `path` is relative to `folder`. Size and time of change are part of its identity.
    pub(super) fn file(folder: &Path, path: &Path, batch: &str, options: Value) -> Item {
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

    /// An item for a source that the server fetches.
    pub(super) fn remote(name: String, source: Value, batch: &str, options: Value) -> Item {
        Item {
            key: identity(batch, &json!([source, options])),
            name,
            source: Source::Remote(source),
            options,
        }
    }
}

fn identity(batch: &str, facts: &Value) -> String {
    let hash = Sha256::digest(facts.to_string());
    format!("{batch}-{}", hex(&hash[..16]))
}
