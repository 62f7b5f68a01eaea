//! Searches all tracks and channels for speech, before a file is said to have none.

use super::{feed::feed, source::Source};
use crate::{
    audio::{
        chunk::seconds,
        decoder::Sound,
        meter::Meter,
        mix::{Ear, Mixer, channel},
        speech::MIN_SPEECH,
        track::Track,
    },
    model::engine::Engine,
    transcribe::MAX_PAUSE,
};
use anyhow::Result;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use vidp_worker::{
    TaskError,
    ffmpeg::{AudioDetails, Input, Probe},
};

/// Length of all channels of a track that are searched, as a share of the longest accepted media: its length twice.
const MAX_CHANNEL_SHARE: f64 = 2.0;

/// A track whose mix has no speech.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Silent {
    /// True when the channels differ, so that one of them may have speech.
    pub(crate) distinct: bool,
}

/// Finds the first track with speech in the mix of its channels; failing that, the channel with the most speech.
///
/// Both stages use this search and find the same source. `first` says that the caller has listened to all of the first
/// track. Undecodable tracks after the first are ignored.
pub(crate) async fn search<'a>(
    engine: &Arc<Engine>,
    input: Input<'_>,
    probe: &'a Probe,
    first: Option<Silent>,
    cancel: &CancellationToken,
) -> Result<Option<Source<'a>>, TaskError> {
    let (duration, mut first, mut damage) = (probe.facts.duration, first, None);
    let mut distinct: Vec<&AudioDetails> = Vec::new();
    for (number, audio) in probe.audio.iter().enumerate() {
        let source = Source::mix(audio);
        let silent = match first.take() {
            Some(silent) => Ok(silent),
            None => listen_to_mix(engine, &source.track(engine, input), duration, cancel).await,
        };
        match silent {
            Ok(silent) if silent.distinct => distinct.push(audio),
            Ok(_) => {}
            Err(NotSilent::Speech) => return Ok(Some(source)),
            Err(NotSilent::Failed(error @ TaskError::Fail { .. })) => {
                tracing::warn!(track = audio.index, %error, "an audio track cannot be searched for speech");
                damage = damage.or(Some(error).filter(|_| number == 0));
            }
            Err(NotSilent::Failed(error)) => return Err(error),
        }
    }
    for audio in distinct {
        // Any channel: nothing is mixed.
        let mut source = Source {
            audio,
            ear: Ear::Channel(0),
        };
        let models = engine.clone();
        let longest = engine.limits.max_duration_seconds * MAX_CHANNEL_SHARE;
        let listen = move |blocks: &mut dyn Iterator<Item = Sound>, _: &CancellationToken| {
            loudest_voice(&models, blocks, longest)
        };
        let (found, _) = feed(&source.track(engine, input), duration, cancel, listen).await?;
        if let Some(number) = found {
            source.ear = Ear::Channel(number);
            return Ok(Some(source));
        }
    }
    damage.map_or(Ok(None), Err)
}

/// Why a track is not [`Silent`].
enum NotSilent {
    Speech,
    Failed(TaskError),
}

/// Listens to the mix of a track until there is speech.
async fn listen_to_mix(
    engine: &Arc<Engine>,
    track: &Track<'_>,
    duration: f64,
    cancel: &CancellationToken,
) -> Result<Silent, NotSilent> {
    let (models, is_mixed) = (engine.clone(), track.is_mixed_by_ffmpeg());
    let listen = move |blocks: &mut dyn Iterator<Item = Sound>, _: &CancellationToken| {
        let mut meter = Meter::new(models.vad()?, MAX_PAUSE);
        let mut mixer = Mixer::new(Ear::Mix);
        for block in blocks {
            meter.feed(&mixer.mix(block))?;
            if meter.seconds() >= MIN_SPEECH {
                return Ok(None);
            }
        }
        Ok(Some(Silent {
            distinct: is_mixed || mixer.distinct(),
        }))
    };
    match feed(track, duration, cancel, listen).await {
        Ok((Some(silent), _)) => Ok(silent),
        Ok((None, _)) => Err(NotSilent::Speech),
        Err(error) => Err(NotSilent::Failed(error)),
    }
}

/// Finds the channel with the most speech. Listens to `longest` seconds of all channels together at most.
fn loudest_voice(
    engine: &Engine,
    blocks: &mut dyn Iterator<Item = Sound>,
    longest: f64,
) -> Result<Option<usize>> {
    let (mut meters, mut listened) = (Vec::new(), 0.0);
    for block in blocks {
        while meters.len() < block.channels {
            meters.push(Meter::new(engine.vad()?, MAX_PAUSE));
        }
        listened += seconds(block.samples.len());
        if listened > longest {
            tracing::warn!("the track has too many channels; its end is not searched for speech");
            break;
        }
        for (number, meter) in meters.iter_mut().enumerate() {
            meter.feed(&channel(&block, number))?;
        }
    }
    let speech = |number: &usize| meters[*number].seconds();
    let best = (0..meters.len()).max_by(|a, b| speech(a).total_cmp(&speech(b)));
    Ok(best.filter(|best| speech(best) >= MIN_SPEECH))
}
