//! Places decoded sound in time: gaps of the track become silence, and an overlap is left out.

use super::{
    chunk::RATE,
    pipe::{Block, Reader},
};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that one read of the pipe takes at most: the size of a pipe.
const READ_BYTES: usize = 64 << 10;
/// Frames by which the time of a block may differ from the end of the block before: 0.1 s, as in ffmpeg's `aresample`.
/// Times of many containers are rounded, and a shorter silence in a word would be heard.
const TOLERANCE: usize = RATE / 10;

/// Samples of all channels, interleaved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sound {
    /// Number of channels.
    pub(crate) channels: usize,
    /// The samples.
    pub(crate) samples: Vec<f32>,
}

/// Decoder of the sound in ffmpeg's pipe.
pub(super) struct Decoder<P> {
    pipe: P,
    reader: Reader,
    buffer: Vec<u8>,
    /// The block after the one that is placed next.
    ahead: Option<Block>,
    /// Samples that wait to be returned, after `silence`.
    ready: Vec<f32>,
    /// Frames of silence that precede `ready`.
    silence: usize,
    /// Frames of the track until now, returned or waiting.
    position: usize,
    /// Frames at most.
    limit: usize,
}

impl<P: AsyncRead + Unpin> Decoder<P> {
    /// A decoder that returns at most `limit` frames.
    pub(super) fn new(pipe: P, limit: usize) -> Self {
        Decoder {
            pipe,
            reader: Reader::default(),
            buffer: vec![0; READ_BYTES],
            ahead: None,
            ready: Vec::new(),
            silence: 0,
            position: 0,
            limit,
        }
    }

    /// True when ffmpeg has written as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.position >= self.limit
    }

    /// The next `frames` frames, or fewer at the end of the sound.
    pub(super) async fn next(&mut self, frames: usize) -> io::Result<Sound> {
        let mut sound = Sound::default();
        loop {
            let channels = self.reader.channels();
            let wanted = frames * channels - sound.samples.len();
            let silent = wanted.min(self.silence * channels);
            sound.channels = channels;
            sound.samples.resize(sound.samples.len() + silent, 0.0);
            self.silence -= silent.checked_div(channels).unwrap_or(0);
            let loud = (wanted - silent).min(self.ready.len());
            sound.samples.extend(self.ready.drain(..loud));
            if (channels > 0 && sound.samples.len() == frames * channels) || !self.read().await? {
                return Ok(sound);
            }
        }
    }

    /// Reads on until a block is ready. Returns false at the end of the sound.
    async fn read(&mut self) -> io::Result<bool> {
        if self.is_full() {
            return Ok(false);
        }
        let block = match self.ahead.take() {
            Some(block) => block,
            None => match self.block().await? {
                Some(block) => block,
                None => return Ok(false),
            },
        };
        self.ahead = self.block().await?;
        let frames = block.samples.len() / self.reader.channels().max(1);
        // ffmpeg states a wrong time for the first frame after some changes of the rate, and stands still until the time
        // is right again.
        let advances = |next: &Block| next.position >= block.position + frames / 2;
        let position = self.ahead.as_ref().is_none_or(advances).then_some(block.position);
        self.place(position, block.samples);
        Ok(true)
    }

    /// The next block of the pipe; `None` at its end.
    async fn block(&mut self) -> io::Result<Option<Block>> {
        loop {
            if let Some(block) = self.reader.next()? {
                return Ok(Some(block));
            }
            match self.pipe.read(&mut self.buffer).await? {
                0 => return Ok(None),
                count => self.reader.push(&self.buffer[..count]),
            }
        }
    }

    /// Appends a block, after the silence or without the overlap that its position demands, if it has a certain one.
    fn place(&mut self, position: Option<usize>, mut samples: Vec<f32>) {
        let channels = self.reader.channels();
        let position = position.unwrap_or(self.position);
        let is_first = self.position == 0;
        let gap = position.saturating_sub(self.position);
        if gap > TOLERANCE || is_first {
            self.silence = gap.min(self.limit - self.position);
            self.position += self.silence;
        } else if self.position > position + TOLERANCE {
            let overlap = (self.position - position) * channels;
            samples.drain(..overlap.min(samples.len()));
        }
        samples.truncate((self.limit - self.position) * channels);
        self.position += samples.len() / channels;
        self.ready = samples;
    }
}
