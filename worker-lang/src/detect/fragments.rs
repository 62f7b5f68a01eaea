//! Recognises fragmented MP4 files, which ffmpeg reads to their end each time that it opens them.

use tokio::io::AsyncReadExt;
use vidp_worker::{Attempt, TaskError};

/// Bytes at the beginning of a source that are read. The header of a fragmented file has one or two kilobytes.
const HEAD_BYTES: u64 = 16 << 10;
/// Bytes before the content of a box: its length and its name.
const BOX_HEADER: usize = 8;

/// True when the source is a fragmented MP4 file, so that reading ranges of it costs more than fetching it.
pub(super) async fn is_fragmented(attempt: &Attempt) -> Result<bool, TaskError> {
    let end = attempt.task.source.size.min(HEAD_BYTES);
    if end == 0 {
        return Ok(false);
    }
    let range = format!("bytes=0-{}", end - 1);
    let object = attempt.store.get(&attempt.task.source.key, Some(range)).await?;
    let mut head = Vec::new();
    let mut body = object.body.into_async_read().take(end);
    body.read_to_end(&mut head).await?;
    Ok(has_fragments(&head))
}

/// True when the beginning of an MP4 file declares fragments: the box `mvex` in `moov` (ISO/IEC 14496-12, 8.8.1).
fn has_fragments(head: &[u8]) -> bool {
    let mut boxes = Boxes(head);
    boxes.next().is_some_and(|(name, _)| name == *b"ftyp")
        && boxes
            .find(|(name, _)| name == b"moov")
            .is_some_and(|(_, content)| Boxes(content).any(|(name, _)| name == *b"mvex"))
}

/// The boxes in a part of a file: name and content. The last may be cut.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = ([u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (name, content) = rest.split_first_chunk::<4>()?;
        // Lengths of 0 and 1 stand for the rest of the file and for a long length, which only media data have.
        let length = (u32::from_be_bytes(*length) as usize).checked_sub(BOX_HEADER)?;
        let (content, rest) = content.split_at(length.min(content.len()));
        self.0 = rest;
        Some((*name, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::media::Media;

    fn boxed(name: &str, content: &[u8]) -> Vec<u8> {
        let length = (BOX_HEADER + content.len()) as u32;
        [&length.to_be_bytes(), name.as_bytes(), content].concat()
    }

    #[test]
    fn fragments_are_declared_in_the_header() {
        let check = |parts: &[Vec<u8>], expected| assert_eq!(has_fragments(&parts.concat()), expected);
        let ftyp = || boxed("ftyp", b"isom");
        let moov = |parts: &[Vec<u8>]| boxed("moov", &parts.concat());
        let (mvhd, trak, mvex) = (
            boxed("mvhd", &[0; 100]),
            boxed("trak", &[0; 300]),
            boxed("mvex", &[0; 32]),
        );
        let fragmented = moov(&[mvhd.clone(), trak.clone(), mvex]);
        check(&[ftyp(), fragmented.clone()], true);
        check(
            &[
                ftyp(),
                boxed("free", &[0; 9]),
                fragmented.clone(),
                boxed("moof", &[0; 9]),
            ],
            true,
        );
        check(&[ftyp(), moov(&[mvhd, trak])], false);
        check(&[fragmented], false);
        check(&[ftyp(), vec![0, 0, 0, 1, b'm', b'd', b'a', b't', 0]], false);
        check(&[], false);
    }

    #[tokio::test]
    async fn fragments_of_real_files_are_recognised() {
        let check = async |args: &str, extension: &str, expected| {
            let media = Media::of(&format!("-f lavfi -i sine=d=2 -c:a aac {args}"), extension).await;
            let mut head = std::fs::read(&media.path).unwrap();
            head.truncate(HEAD_BYTES as usize);
            assert_eq!(has_fragments(&head), expected, "{args} {extension}");
        };
        check(
            "-movflags empty_moov+default_base_moof+frag_keyframe",
            "mp4",
            true,
        )
        .await;
        check("-movflags frag_keyframe -frag_duration 500000", "mov", true).await;
        check("-movflags +faststart", "mp4", false).await;
        check("", "mp4", false).await;
        check("", "mkv", false).await;
    }
}
