//! Sound from ffmpeg: one channel of 32-bit floats at 16 kHz.

use crate::{engine::Engine, speech::CHUNK};
use std::{
    ffi::OsString,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{io::AsyncReadExt, sync::mpsc};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Child, Limits, ProcessError};
use vidp_worker::ffmpeg::{Input, MediaError, input_bytes, process_limits};

/// Samples in a block: about 10 s, whole chunks.
pub const BLOCK: usize = 312 * CHUNK;
/// Bytes of a sample.
const SAMPLE: usize = size_of::<f32>();

/// One audio track of one input.
#[derive(Clone, Copy)]
pub struct Track<'a> {
    /// Programs and limits.
    pub engine: &'a Engine,
    /// The file or URL.
    pub input: Input<'a>,
    /// Index of the stream in the input.
    pub stream: u32,
}

/// A piece of a track.
#[derive(Debug)]
pub struct Piece {
    /// Its sound: less than was asked for at the track's end, or where the file is damaged.
    pub samples: Vec<f32>,
    /// Bytes of the input that were read for it.
    pub bytes_read: u64,
    /// Why it is shorter than it should be, when ffmpeg said so.
    pub error: Option<MediaError>,
}

impl Track<'_> {
    /// Reads `length` seconds from `start` on.
    ///
    /// # Errors
    /// Only those that say nothing of the file: no ffmpeg, no network, cancelled.
    pub async fn piece(
        &self,
        start: f64,
        length: f64,
        cancel: &CancellationToken,
    ) -> Result<Piece, MediaError> {
        let bytes_read = Arc::new(AtomicU64::new(0));
        let counter = bytes_read.clone();
        let seek = ["-ss".into(), format!("{start:.3}").into()];
        let mut child = self.decode(&seek, length, process_limits(length), move |line| {
            counter.fetch_add(input_bytes(line).unwrap_or(0), Ordering::Relaxed);
        })?;
        let mut stdout = child.stdout();
        let mut bytes = Vec::new();
        let (read, ended) = tokio::join!(stdout.read_to_end(&mut bytes), child.finish(cancel));
        read.map_err(pipe_error)?;
        let error = match ended.map_err(MediaError::decoding) {
            Ok(()) => None,
            Err(error @ MediaError::Media { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        Ok(Piece {
            samples: floats(&bytes),
            bytes_read: bytes_read.load(Ordering::Relaxed),
            error,
        })
    }

    /// Reads the whole track into `blocks` of [`BLOCK`] samples (the last may be shorter), no faster than they are
    /// taken. Returns the number of samples; ends early, without error, when nobody takes blocks any more.
    ///
    /// `duration` bounds the time it may take; a track that turns out longer is read up to the limit of all media.
    pub async fn stream(
        &self,
        duration: f64,
        blocks: mpsc::Sender<Vec<f32>>,
        cancel: &CancellationToken,
    ) -> Result<usize, MediaError> {
        let mut child = self.decode(
            &["-xerror".into()],
            self.engine.limits.max_duration_seconds,
            process_limits(duration),
            |_| {},
        )?;
        let mut stdout = child.stdout();
        let mut reading = pin!(async move {
            let (mut total, mut bytes) = (0, vec![0; BLOCK * SAMPLE]);
            loop {
                let filled = fill(&mut stdout, &mut bytes).await.map_err(pipe_error)?;
                let block = floats(&bytes[..filled]);
                total += block.len();
                let over = filled == 0;
                if over || blocks.send(block).await.is_err() {
                    return Ok::<_, MediaError>((total, over));
                }
            }
        });
        let mut ended = pin!(child.finish(cancel));
        tokio::select! {
            read = &mut reading => {
                let (total, over) = read?;
                if over {
                    ended.await.map_err(MediaError::decoding)?;
                }
                Ok(total)
            }
            end = &mut ended => {
                end.map_err(MediaError::decoding)?;
                Ok(reading.await?.0)
            }
        }
    }

    /// Starts ffmpeg, which writes at most `length` seconds.
    fn decode(
        &self,
        first: &[OsString],
        length: f64,
        allowed: Limits,
        on_line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Child, MediaError> {
        let Engine { tools, limits, .. } = self.engine;
        // `verbose` counts the bytes read.
        let general = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose"];
        let map = format!("0:{}", self.stream);
        let length_given = format!("{length:.3}");
        let output = [
            "-map",
            &map,
            "-t",
            &length_given,
            // Silence where the track begins late or has holes, so that times are the video's own.
            "-af",
            "aresample=async=1:first_pts=0",
            "-ac",
            "1",
            "-ar",
            "16000",
            "-f",
            "f32le",
            "pipe:1",
        ];
        let args = general
            .into_iter()
            .map(OsString::from)
            .chain(first.iter().cloned())
            .chain(limits.decode_args())
            .chain(self.input.args())
            .chain(output.into_iter().map(OsString::from));
        Ok(process::spawn(
            &tools.ffmpeg,
            args,
            self.input.allow(allowed),
            on_line,
        )?)
    }
}

/// Reads until `buffer` is full or the pipe ends.
async fn fill(pipe: &mut (impl AsyncReadExt + Unpin), buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match pipe.read(&mut buffer[filled..]).await? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (samples, _) = bytes.as_chunks::<SAMPLE>();
    samples.iter().map(|sample| f32::from_le_bytes(*sample)).collect()
}

fn pipe_error(error: std::io::Error) -> MediaError {
    MediaError::Process(ProcessError::Read {
        program: "ffmpeg".to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_little_endian() {
        assert_eq!(floats(&[0, 0, 128, 63, 0, 0, 0, 191, 7]), [1.0, -0.5]);
    }
}
