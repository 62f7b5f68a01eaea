//! Properties of the pictures of a file that its probe does not have.

use super::{
    error::MediaError,
    input::Input,
    rows::{limited_rows, or_nothing, rows},
    tools::Tools,
};
use std::ffi::OsString;
use tokio_util::sync::CancellationToken;
use vidp_common::process::Limits;

/// Looks of pictures at most that are listed.
const MAX_LOOKS: usize = 8;

/// The look of a picture, which may change within a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Coded width in pixels.
    pub width: u32,
    /// Coded height in pixels.
    pub height: u32,
    /// True when the picture is no pair of fields and has square pixels.
    pub is_plain: bool,
}

/// The looks of the key frames of the video stream `index`, each once, in the order in which they appear, at most eight; and the
/// number of key frames.
///
/// Decoders that can, decode no other pictures. None is found in a file with a fault, or within the limits.
///
/// # Errors
/// ffprobe could not be started or was cancelled.
pub async fn key_frames(
    tools: &Tools,
    input: Input<'_>,
    index: u32,
    limits: Limits,
    cancel: &CancellationToken,
) -> Result<(Vec<Look>, usize), MediaError> {
    let index = index.to_string();
    let fields = "frame=width,height,sample_aspect_ratio,interlaced_frame";
    let mut args: Vec<OsString> = ["-v", "error", "-skip_frame", "nokey", "-select_streams", &index]
        .map(Into::into)
        .into();
    args.extend(["-show_entries", fields].map(OsString::from));
    args.extend(input.args());
    let read = |(looks, count): &mut (Vec<Look>, usize), line: &str| {
        let fields: Vec<&str> = line.split('|').collect();
        let &[width, height, aspect, interlaced, ..] = fields.as_slice() else {
            return;
        };
        if let (Ok(width), Ok(height)) = (width.parse(), height.parse()) {
            let look = Look {
                width,
                height,
                is_plain: interlaced == "0" && ["1:1", "N/A", "0:1"].contains(&aspect),
            };
            *count += 1;
            if looks.len() < MAX_LOOKS && !looks.contains(&look) {
                looks.push(look);
            }
        }
    };
    let (found, ended) =
        limited_rows(tools, args, limits, &input.access(), cancel, |_: &str| {}, read).await?;
    or_nothing(found, ended)
}

/// What the header of an H.264 stream states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct H264Header {
    /// ffprobe's name of the profile.
    pub profile: String,
    /// Ten times the level.
    pub level: u32,
    /// True when the parameter sets are not in the header alone (`avc3`), or a matrix turns or mirrors the picture.
    pub is_special: bool,
}

/// Reads the header of the H.264 stream `index`; `None` when ffprobe does not know its profile and level.
///
/// # Errors
/// ffprobe could not be started or was cancelled.
pub async fn h264_header(
    tools: &Tools,
    input: Input<'_>,
    index: u32,
    cancel: &CancellationToken,
) -> Result<Option<H264Header>, MediaError> {
    let index = index.to_string();
    let fields = "stream=profile,codec_tag_string,level:stream_side_data=side_data_type";
    let mut args: Vec<OsString> = ["-v", "error", "-select_streams", &index, "-show_entries", fields]
        .map(Into::into)
        .into();
    args.extend(input.args());
    let read = |found: &mut Option<H264Header>, line: &str| {
        let fields: Vec<&str> = line.split('|').collect();
        if let &[profile, tag, level, ..] = fields.as_slice()
            && let Ok(level) = level.parse()
        {
            *found = Some(H264Header {
                profile: profile.to_owned(),
                level,
                is_special: tag == "avc3" || line.contains("Display Matrix"),
            });
        }
    };
    let (found, ended) = rows(tools, args, &input.access(), cancel, |_: &str| {}, read).await?;
    or_nothing(found, ended)
}
