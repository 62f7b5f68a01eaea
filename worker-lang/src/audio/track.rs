//! Decodes a track with ffmpeg to one channel of 32-bit floats at 16 kHz.

use super::chunk::CHUNK;
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
use vidp_worker::ffmpeg::{Input, MediaError, MediaLimits, Tools, input_bytes, process_limits};

/// Samples of a block: about 10 s, in whole chunks.
const BLOCK: usize = 312 * CHUNK;
/// Bytes of a sample.
const SAMPLE_BYTES: usize = size_of::<f32>();

/// An audio track of an input.
#[derive(Clone, Copy)]
pub(crate) struct Track<'a> {
    /// Path of ffmpeg.
    pub(crate) tools: &'a Tools,
    /// Limits of decoding.
    pub(crate) limits: &'a MediaLimits,
    /// File or URL.
    pub(crate) input: Input<'a>,
    /// Index of the stream in the input.
    pub(crate) stream: u32,
}

/// A decoded part of a track.
#[derive(Debug)]
pub(crate) struct Piece {
    /// Samples: fewer than requested at the track's end or where the file is damaged.
    pub(crate) samples: Vec<f32>,
    /// Bytes of the input that ffmpeg read.
    pub(crate) bytes_read: u64,
    /// Damage that ffmpeg reported; it explains missing samples.
    pub(crate) error: Option<MediaError>,
}

impl Track<'_> {
    /// Decodes `length` seconds from `start` on.
    ///
    /// # Errors
    /// Errors that do not concern the file: ffmpeg is missing, the network failed, or the task was cancelled.
    pub(crate) async fn piece(
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

    /// Decodes the track and sends blocks of [`BLOCK`] samples to `blocks`. The last block may be shorter.
    ///
    /// Decoding waits while the channel is full, and it stops without an error when the receiver is dropped. Returns
    /// the number of samples. `duration` determines the time limit of ffmpeg. A track with a longer duration is
    /// decoded up to the limit for all media.
    pub(crate) async fn stream(
        &self,
        duration: f64,
        blocks: mpsc::Sender<Vec<f32>>,
        cancel: &CancellationToken,
    ) -> Result<usize, MediaError> {
        let mut child = self.decode(
            &["-xerror".into()],
            self.limits.max_duration_seconds,
            process_limits(duration),
            |_| {},
        )?;
        let mut stdout = child.stdout();
        let mut reading = pin!(async move {
            let (mut total, mut bytes) = (0, vec![0; BLOCK * SAMPLE_BYTES]);
            loop {
                let filled = fill(&mut stdout, &mut bytes).await.map_err(pipe_error)?;
                let block = floats(&bytes[..filled]);
                total += block.len();
                let complete = filled == 0;
                if complete || blocks.send(block).await.is_err() {
                    return Ok::<_, MediaError>((total, complete));
                }
            }
        });
        let mut ended = pin!(child.finish(cancel));
        tokio::select! {
            read = &mut reading => {
                let (total, complete) = read?;
                if complete {
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

    /// Starts ffmpeg, which writes at most `length` seconds. The arguments `first` precede the input.
    fn decode(
        &self,
        first: &[OsString],
        length: f64,
        allowed: Limits,
        on_line: impl FnMut(&str) + Send + 'static,
    ) -> Result<Child, MediaError> {
        // The level `verbose` makes ffmpeg report the bytes that it read.
        let general = ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "verbose"];
        let map = format!("0:{}", self.stream);
        let duration = format!("{length:.3}");
        let output = [
            "-map",
            &map,
            "-t",
            &duration,
            // Fills gaps and a late start with silence, so that times agree with the video's.
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
            .chain(self.limits.decode_args())
            .chain(self.input.args())
            .chain(output.into_iter().map(OsString::from));
        Ok(process::spawn(
            &self.tools.ffmpeg,
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
    let (samples, _) = bytes.as_chunks::<SAMPLE_BYTES>();
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
