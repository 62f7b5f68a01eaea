use crate::client::content_type;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Returns the paths of all videos below a folder, sorted. Skips hidden files and the folder `out`, which has results.
pub(super) fn videos(folder: &Path, out: Option<&Path>) -> io::Result<Vec<PathBuf>> {
    let out = out.and_then(|out| out.canonicalize().ok());
    let mut paths = Vec::new();
    walk(folder, out.as_deref(), &mut paths)?;
    paths.sort();
    Ok(paths)
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

/// True when the file's extension is that of a video or a recording.
fn is_media(path: &Path) -> bool {
    content_type(path) != "application/octet-stream"
}
