use super::{
    ask::{Closed, ask},
    error::MediaError,
    input::Input,
    limits::MediaLimits,
    measure::measure,
    parse::{Probe, clock_jumps, is_picture, needs_measuring},
    tools::Tools,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use vidp_contract::{DropReason, FailureCode};

/// Sections of ffprobe's output that describe a file.
const SECTIONS: [&str; 3] = ["-show_format", "-show_streams", "-show_chapters"];
/// Frames that [`first_frames`] looks at.
const FRAMES: &str = "%+#8";

/// Probes a media file and refuses one that is not accepted.
///
/// The packets of the file are measured when a declared value would refuse it, is missing, or contradicts another.
///
/// # Errors
/// [`MediaError::Media`] with `unsupported_media`, `damaged_media`, `media_too_large` or `media_too_long`. A file
/// without video or without audio is accepted here, and so is one whose video alone cannot be decoded.
pub async fn probe(
    tools: &Tools,
    input: Input<'_>,
    limits: &MediaLimits,
    cancel: &CancellationToken,
) -> Result<Probe, MediaError> {
    let (answer, closed) = ask(tools, input, &SECTIONS, cancel).await?;
    let mut probe = Probe::parse(&answer, &closed, None);
    let unsupported = |detail| Err(MediaError::media(FailureCode::UnsupportedMedia, detail));
    if is_picture(&answer) {
        return unsupported("the file is a picture, not a video");
    }
    if probe.streams == 0 {
        return unsupported("the file has neither video nor audio");
    }
    check_decodable(&probe)?;
    if needs_measuring(&probe, &answer, limits.max_duration_seconds) {
        probe = measured(tools, input, &answer, &closed, cancel).await?;
        if probe.facts.duration <= 0.0 {
            return Err(damaged("there is no media in it"));
        }
        check_decodable(&probe)?;
    }
    limits.check(&probe)?;
    Ok(probe)
}

/// Probes a file and measures its packets, also when its declared values look right.
///
/// # Errors
/// Those of [`probe`], without the limits.
pub async fn probe_measured(
    tools: &Tools,
    input: Input<'_>,
    cancel: &CancellationToken,
) -> Result<Probe, MediaError> {
    let (answer, closed) = ask(tools, input, &SECTIONS, cancel).await?;
    measured(tools, input, &answer, &closed, cancel).await
}

async fn measured(
    tools: &Tools,
    input: Input<'_>,
    answer: &Value,
    closed: &Closed,
    cancel: &CancellationToken,
) -> Result<Probe, MediaError> {
    let measured = measure(tools, input, closed, clock_jumps(answer), cancel).await?;
    tracing::info!(?measured, "measured the packets of the file");
    Ok(Probe::parse(answer, closed, Some(&measured)))
}

/// Properties of a stream of pictures that its frames alone have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstFrames {
    /// True when a frame is interlaced. DV and MPEG-4 state it in each frame.
    pub interlaced: bool,
    /// True when a frame has closed captions (CEA-608 or CEA-708, by ATSC A/53), as television has them.
    pub captions: bool,
}

/// Looks at the first frames of the stream `index`.
///
/// # Errors
/// A failure of ffprobe.
pub async fn first_frames(
    tools: &Tools,
    input: Input<'_>,
    index: u32,
    cancel: &CancellationToken,
) -> Result<FirstFrames, MediaError> {
    let index = index.to_string();
    let sections = [
        "-select_streams",
        &index,
        "-read_intervals",
        FRAMES,
        "-show_entries",
        // ffprobe knows the captions of a stream once it has decoded frames.
        "frame=interlaced_frame:stream=closed_captions",
    ];
    let (answer, _) = ask(tools, input, &sections, cancel).await?;
    let has = |section: &str, entry: &str| {
        let found = answer[section].as_array();
        found.is_some_and(|found| found.iter().any(|one| one[entry] == 1))
    };
    Ok(FirstFrames {
        interlaced: has("frames", "interlaced_frame"),
        captions: has("streams", "closed_captions"),
    })
}

/// Refuses a file of which no stream can be decoded.
fn check_decodable(probe: &Probe) -> Result<(), MediaError> {
    if probe.video.is_some() || !probe.audio.is_empty() {
        return Ok(());
    }
    if let Some((code, detail)) = &probe.video_fault {
        return Err(MediaError::media(*code, detail));
    }
    let closed = probe.listed.iter().find(|stream| {
        matches!(
            stream.obstacle,
            Some(DropReason::NotAccepted | DropReason::NoDecoder)
        )
    });
    Err(match closed {
        Some(stream) => MediaError::media(
            FailureCode::UnsupportedMedia,
            format!("the sound has the codec {}, which is not accepted", stream.codec),
        ),
        None => damaged("its streams cannot be read"),
    })
}

fn damaged(reason: &str) -> MediaError {
    MediaError::media(
        FailureCode::DamagedMedia,
        format!("the file is damaged: {reason}"),
    )
}
