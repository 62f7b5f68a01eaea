//! Probes the files of a round and verifies them against the source.

use crate::{
    codec::Rate,
    job::{Job, Rendition, Target},
    verify::{Shortfall, shortfall},
};
use futures_util::future::try_join_all;
use std::io;
use vidp_contract::{Codec, FailureCode};
use vidp_worker::ffmpeg::{self, Input, MediaError, Probe};

/// Probes the files of `targets` and verifies that each holds all of the source.
///
/// The packets of the source are measured before a rendition that lacks something is refused: the source may declare
/// more than it has.
///
/// # Errors
/// `damaged_media` when the source ends early or cannot be decoded. A file that is missing is a failure of the machine.
pub(crate) async fn read_back(job: &Job<'_>, targets: &[Target]) -> Result<Vec<Rendition>, MediaError> {
    let made = try_join_all(targets.iter().map(|target| probe(job, target))).await?;
    let first_shortfall = |source: &Probe| {
        let all = targets.iter().zip(&made);
        all.filter_map(|(target, made)| shortfall(source, &target.rung, made))
            .next()
    };
    if let Some(declared) = first_shortfall(job.probe) {
        let input = Input::File(job.source);
        let source = ffmpeg::probe_measured(&job.settings.tools, input, job.cancel).await?;
        tracing::info!(
            ?declared,
            ?source,
            "a rendition lacks something that its source declares"
        );
        if let Some(lacking) = first_shortfall(&source) {
            return Err(refusal(&lacking));
        }
    }
    Ok(targets
        .iter()
        .zip(made)
        .map(|(target, made)| rendition(job, target, made))
        .collect())
}

async fn probe(job: &Job<'_>, target: &Target) -> Result<Probe, MediaError> {
    let path = job.path(&target.rung);
    if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
        // ffmpeg creates its outputs before it decodes, so something else has removed the file.
        let error = io::Error::new(io::ErrorKind::NotFound, "an output file has disappeared");
        return Err(MediaError::reading(error));
    }
    let (tools, limits) = (&job.settings.tools, &job.settings.limits);
    match ffmpeg::probe(tools, Input::File(&path), limits, job.cancel).await {
        // The file has a header only, because ffmpeg could decode nothing.
        Err(MediaError::Media { .. }) => Err(refusal(&Shortfall::NoPicture)),
        probed => probed,
    }
}

fn rendition(job: &Job<'_>, target: &Target, made: Probe) -> Rendition {
    let picture = made.video.as_ref();
    let picture_end = picture.and_then(|video| Some(video.start - made.start + video.duration?));
    Rendition {
        rung: target.rung.clone(),
        file: target.rung.file(job.options.codec),
        path: job.path(&target.rung),
        picture_end: picture_end.unwrap_or(made.facts.duration),
        frames: picture.and_then(|video| video.frames),
        is_copy: target.rate.is_copy(),
        regular_keys: match target.rate {
            Rate::Copy { regular_keys } => regular_keys,
            _ => job.options.codec != Codec::Av1,
        },
        facts: made.facts,
    }
}

fn refusal(lacking: &Shortfall) -> MediaError {
    let reason = match lacking {
        Shortfall::NoPicture => "its video cannot be decoded".to_owned(),
        Shortfall::Sound => "some of its audio tracks cannot be decoded".to_owned(),
        Shortfall::Short { found, expected } => {
            format!("only {found:.1} s of {expected:.1} s can be decoded")
        }
        Shortfall::Frames { found, expected } => {
            format!("only {found} of {expected} frames can be decoded")
        }
        Shortfall::Size => {
            return MediaError::media(FailureCode::Internal, "a rendition has a wrong size");
        }
    };
    MediaError::media(
        FailureCode::DamagedMedia,
        format!("the file is damaged: {reason}"),
    )
}
