//! Asks ffprobe about a file in which some streams have codecs that are not accepted.

use super::{error::MediaError, input::CODECS, input::Input, tools::Tools};
use parking_lot::Mutex;
use serde_json::Value;
use std::{ffi::OsString, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Limits, ProcessError};
use vidp_contract::FailureCode;

/// Resource limits of ffprobe, which reads headers and a few frames. A file that needs more was made to.
const LIMITS: Limits = Limits {
    wall: Duration::from_secs(60),
    cpu: Duration::from_secs(20),
    memory: 2 << 30,
    file_size: 0,
};
/// Maximum bytes of ffprobe's output: enough for a thousand streams.
const MAX_ANSWER: usize = 4 << 20;
/// Maximum number of streams without a decoder that are listed.
const MAX_STREAMS: usize = 256;
/// Maximum number of decoders that one file may ask for without being accepted.
const MAX_REFUSED: usize = 8;

/// The streams of a file that have no accepted decoder.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Closed {
    /// Names of decoders that the file asks for and that are not accepted.
    decoders: Vec<String>,
    /// Indices of streams whose decoder is not accepted. Other streams of the same codec are not listed.
    pub(super) not_accepted: Vec<u32>,
    /// Indices of streams for whose codec ffprobe has no decoder.
    pub(super) no_decoder: Vec<u32>,
}

impl Closed {
    /// Options of ffprobe, after its input, that prevent its end at a decoder that is not accepted.
    ///
    /// ffprobe opens the decoder of every stream before it prints anything. The empty stream specifier allows the refused
    /// decoders for this step alone. The container's whitelist stays, so that ffprobe gives them no packet to decode.
    pub(super) fn args(&self) -> Vec<OsString> {
        if self.decoders.is_empty() {
            return Vec::new();
        }
        let names = format!("{},{}", CODECS.join(","), self.decoders.join(","));
        vec!["-codec_whitelist:".into(), names.into()]
    }

    /// Reads the decoder and the stream from ffprobe's last lines; false when they name none, or too many.
    fn learn(&mut self, tail: &str) -> bool {
        let after = |line: &str, phrase: &str| Some(line.split_once(phrase)?.1.to_owned());
        let mut decoders = tail.lines().filter_map(|line| {
            let name = after(line, "Codec (")?
                .split_once(") not on whitelist")?
                .0
                .to_owned();
            let is_name = name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
            is_name.then_some(name)
        });
        let stream = tail
            .lines()
            .find_map(|line| after(line, "Could not open codec for input stream "));
        match (
            decoders.next_back(),
            stream.and_then(|index| index.trim().parse().ok()),
        ) {
            (Some(name), Some(index))
                if self.decoders.len() < MAX_REFUSED && !self.decoders.contains(&name) =>
            {
                self.decoders.push(name);
                self.not_accepted.push(index);
                true
            }
            _ => false,
        }
    }
}

/// Asks ffprobe for the `sections` of `input` as JSON, and finds the streams that have no accepted decoder.
pub(super) async fn ask(
    tools: &Tools,
    input: Input<'_>,
    sections: &[&str],
    cancel: &CancellationToken,
) -> Result<(Value, Closed), MediaError> {
    let mut closed = Closed::default();
    loop {
        let fixed = ["-v", "warning", "-print_format", "json"];
        let args = fixed.iter().chain(sections).map(OsString::from);
        let args = args.chain(input.args()).chain(closed.args());
        let (tools, access) = (&tools.ffprobe, input.access());
        let missing = Arc::new(Mutex::new(Vec::new()));
        let seen = missing.clone();
        let on_line = move |line: &str| {
            let index = line
                .strip_prefix("Unsupported codec with id ")
                .and_then(|rest| rest.split_once(" for input stream ")?.1.trim().parse().ok());
            let mut missing = seen.lock();
            if let Some(index) = index.filter(|_: &u32| missing.len() < MAX_STREAMS) {
                missing.push(index);
            }
        };
        match process::capture(tools, args, LIMITS, &access, MAX_ANSWER, cancel, on_line).await {
            Err(ProcessError::Failed { ref tail, .. }) if closed.learn(tail) => {}
            Err(error) => return Err(MediaError::probing(error)),
            Ok(answer) => {
                closed.no_decoder = std::mem::take(&mut *missing.lock());
                let Ok(answer) = serde_json::from_slice(&answer) else {
                    return Err(MediaError::media(
                        FailureCode::UnsupportedMedia,
                        "the file cannot be described",
                    ));
                };
                return Ok((answer, closed));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_decoder_is_read_from_the_last_lines() {
        let mut closed = Closed::default();
        let tail =
            "[tta @ 0x55] Codec (tta) not on whitelist 'h264,aac'\nCould not open codec for input stream 2";
        assert!(closed.learn(tail));
        assert_eq!(
            (closed.decoders.as_slice(), closed.not_accepted.as_slice()),
            (&["tta".to_owned()][..], &[2][..])
        );
        assert!(!closed.learn(tail), "the option had no effect");
        for tail in [
            "moov atom not found",
            "Could not open codec for input stream 2",
            "[x] Codec (a,b) not on whitelist 'h264'\nCould not open codec for input stream 2",
        ] {
            assert!(!closed.learn(tail), "{tail}");
        }
    }
}
