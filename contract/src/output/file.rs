use crate::{Codec, Stage, SubtitleFormat};
use std::borrow::Cow;

/// A file that a stage may store: its fixed name and its media type.
///
/// Workers take every name and type from here, and the API accepts no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// File name, for example `720p.mp4`.
    pub name: Cow<'static, str>,
    /// Media type.
    pub content_type: &'static str,
}

impl OutputFile {
    /// The still picture of `scale`.
    pub const POSTER: OutputFile = fixed("poster.jpg", "image/jpeg");
    /// The grid of small pictures of `scale`.
    pub const STORYBOARD: OutputFile = fixed("storyboard.jpg", "image/jpeg");
    /// The times of the storyboard's pictures.
    pub const STORYBOARD_TIMES: OutputFile = fixed("storyboard.vtt", "text/vtt");

    /// The index of the stream of `scale`: a [`crate::StreamSet`].
    pub const STREAM: OutputFile = fixed("stream.json", "application/json");

    /// The picture of a rendition for streaming: a CMAF track file (ISO/IEC 23000-19, section 7.3.3).
    pub fn stream_video(short_side: u32) -> OutputFile {
        OutputFile {
            name: format!("{short_side}p.cmfv").into(),
            content_type: VIDEO_TRACK,
        }
    }

    /// An audio track for streaming, numbered from 1: a CMAF track file.
    pub fn stream_audio(number: usize) -> OutputFile {
        OutputFile {
            name: format!("audio-{number}.cmfa").into(),
            content_type: AUDIO_TRACK,
        }
    }

    /// A text subtitle track of the source, numbered from 1.
    pub fn captions(number: usize) -> OutputFile {
        OutputFile {
            name: format!("captions-{number}.vtt").into(),
            content_type: CAPTIONS,
        }
    }

    /// True for the picture or an audio track of a stream.
    pub fn is_stream_track(&self) -> bool {
        self.name.ends_with(".cmfv") || self.name.ends_with(".cmfa")
    }

    /// A rendition of `scale`, named by the short side of its picture in pixels.
    pub fn rendition(short_side: u32, codec: Codec) -> OutputFile {
        let (extension, content_type) = match codec {
            Codec::Vp9 => ("webm", "video/webm"),
            Codec::H264 | Codec::H265 | Codec::Av1 => ("mp4", "video/mp4"),
        };
        OutputFile {
            name: format!("{short_side}p.{extension}").into(),
            content_type,
        }
    }

    /// A caption or transcript file of `subtitle`.
    pub const fn subtitle(format: SubtitleFormat) -> OutputFile {
        match format {
            SubtitleFormat::Srt => fixed("subtitles.srt", "application/x-subrip"),
            SubtitleFormat::Vtt => fixed("subtitles.vtt", CAPTIONS),
            SubtitleFormat::Json => fixed("transcript.json", "application/json"),
            SubtitleFormat::Txt => fixed("transcript.txt", "text/plain; charset=utf-8"),
        }
    }

    /// The file with this name that `stage` may store; `None` when the stage stores no such file.
    pub fn of(stage: Stage, name: &str) -> Option<OutputFile> {
        let known = match stage {
            Stage::Detect => Vec::new(),
            Stage::Scale => {
                let fixed = [
                    Self::POSTER,
                    Self::STORYBOARD,
                    Self::STORYBOARD_TIMES,
                    Self::STREAM,
                ];
                let numbered = [
                    numbered(name, "audio-").map(Self::stream_audio),
                    numbered(name, "captions-").map(Self::captions),
                ];
                let named = renditions(name).into_iter().chain(numbered.into_iter().flatten());
                fixed.into_iter().chain(named).collect()
            }
            Stage::Subtitle => SubtitleFormat::ALL.map(Self::subtitle).to_vec(),
        };
        known.into_iter().find(|file| file.name == name)
    }
}

/// Media types of track files (ISO/IEC 23000-19, section 7.3.3).
const VIDEO_TRACK: &str = "video/mp4";
const AUDIO_TRACK: &str = "audio/mp4";
/// Media type of WebVTT.
const CAPTIONS: &str = "text/vtt; charset=utf-8";

const fn fixed(name: &'static str, content_type: &'static str) -> OutputFile {
    OutputFile {
        name: Cow::Borrowed(name),
        content_type,
    }
}

/// Returns the renditions of the height at the start of `name`, one for each codec and one for streaming. A small source is encoded
/// at its own height.
fn renditions(name: &str) -> Vec<OutputFile> {
    let side = name.split_once('p').and_then(|(side, _)| side.parse().ok());
    side.map_or_else(Vec::new, |side| {
        let files = Codec::ALL.map(|codec| OutputFile::rendition(side, codec));
        files
            .into_iter()
            .chain([OutputFile::stream_video(side)])
            .collect()
    })
}

/// Returns the number between `prefix` and the extension.
fn numbered(name: &str, prefix: &str) -> Option<usize> {
    name.strip_prefix(prefix)?.split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_files() {
        let check = |stage, name, expected| {
            let file = OutputFile::of(stage, name);
            assert_eq!(file.map(|file| file.content_type), expected, "{stage} {name}");
        };
        check(Stage::Scale, "720p.mp4", Some("video/mp4"));
        check(Stage::Scale, "180p.webm", Some("video/webm"));
        check(Stage::Scale, "poster.jpg", Some("image/jpeg"));
        check(Stage::Scale, "storyboard.vtt", Some("text/vtt"));
        check(Stage::Scale, "stream.json", Some("application/json"));
        check(Stage::Scale, "720p.cmfv", Some("video/mp4"));
        check(Stage::Scale, "audio-2.cmfa", Some("audio/mp4"));
        check(Stage::Scale, "captions-2.vtt", Some("text/vtt; charset=utf-8"));
        check(Stage::Subtitle, "subtitles.vtt", Some("text/vtt; charset=utf-8"));
        check(Stage::Scale, "subtitles.vtt", None);
        check(Stage::Subtitle, "720p.mp4", None);
        check(Stage::Detect, "720p.mp4", None);
        for name in [
            "",
            "p.mp4",
            "+720p.mp4",
            "0720p.mp4",
            "-1p.mp4",
            "720p.html",
            "720p.mp4/x",
            "99999999999p.mp4",
            "audio-.cmfa",
            "audio-01.cmfa",
            "captions-01.vtt",
            "captions-1.srt",
            "audio-1.cmfv",
            "720p.cmfa",
        ] {
            check(Stage::Scale, name, None);
        }
    }
}
