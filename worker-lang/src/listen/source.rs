//! A track, and the channels that are listened to.

use crate::{
    audio::{mix::Ear, track::Track},
    model::engine::Engine,
};
use vidp_worker::ffmpeg::{AudioDetails, Input};

/// A track of the input, and the channels of it that are listened to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The audio stream.
    pub(crate) audio: &'a AudioDetails,
    /// Its channels.
    pub(crate) ear: Ear,
}

impl<'a> Source<'a> {
    /// All channels of a stream.
    pub(crate) fn mix(audio: &'a AudioDetails) -> Self {
        Source { audio, ear: Ear::Mix }
    }

    /// The track to decode.
    pub(crate) fn track<'b>(&self, engine: &'b Engine, input: Input<'b>) -> Track<'b>
    where
        'a: 'b,
    {
        Track {
            tools: &engine.tools,
            limits: &engine.limits,
            input,
            audio: self.audio,
            ear: self.ear,
        }
    }

    /// Number of the only channel that is listened to, from 0.
    pub(crate) fn channel(&self) -> Option<u32> {
        match self.ear {
            Ear::Mix => None,
            Ear::Channel(number) => u32::try_from(number).ok(),
        }
    }
}
