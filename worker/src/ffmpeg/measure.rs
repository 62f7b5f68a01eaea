//! Measures a file by its packets, for files whose header is wrong or silent.

use super::{ask::Closed, error::MediaError, input::Input, rows::rows, tools::Tools};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::sync::CancellationToken;
use vidp_common::process::ProcessError;

/// Streams that are measured at most.
const MAX_STREAMS: usize = 256;
/// A step of the clock, in seconds, that is a cut in a transport stream. ffmpeg has the same limit (`dts_delta_threshold`).
const MAX_STEP: f64 = 10.0;
/// Messages of demuxers at the end of a file that was cut.
const CUT_MESSAGES: [&str; 3] = ["File ended prematurely", "partial file", "Packet corrupt"];

/// The content of a file, from its packets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Measured {
    streams: BTreeMap<u32, Content>,
    /// True when the demuxer found the end of the file at a sound place.
    pub(super) is_whole: bool,
}

/// The packets of one stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    /// Number of all packets that are shown.
    pub(super) all: u64,
    /// Number of these packets from the first key frame on.
    pub(super) packets: u64,
    /// Time of the first packet from the first key frame on, in seconds.
    pub(super) start: f64,
    /// Time at which the last one ends.
    pub(super) end: f64,
    /// Time of the last one.
    latest: f64,
    /// The time in the file of the packet that was counted last.
    clock: Option<f64>,
    /// Difference between these times and those in the file, after steps of the clock were removed.
    offset: f64,
}

impl Content {
    /// Packets a second, if there are two or more.
    pub(super) fn rate(&self) -> Option<f64> {
        let gaps = self.packets.checked_sub(1).filter(|gaps| *gaps > 0)?;
        (self.latest > self.start).then(|| gaps as f64 / (self.latest - self.start))
    }

    /// Counts a packet. `is_key` is true for packets that a decoder can begin with.
    fn count(&mut self, time: Option<f64>, duration: f64, is_key: bool, clock_jumps: bool) {
        self.all += 1;
        if self.packets == 0 && !is_key {
            return;
        }
        self.packets += 1;
        let Some(time) = time else { return };
        match self.clock.replace(time) {
            None => (self.start, self.end, self.latest) = (time, time, time),
            Some(before) if clock_jumps && (time - before).abs() > MAX_STEP => self.offset = self.end - time,
            Some(_) => {}
        }
        let time = time + self.offset;
        self.start = self.start.min(time);
        self.latest = self.latest.max(time);
        self.end = self.end.max(time + duration);
    }
}

impl Measured {
    /// The content of a stream. A stream without packets has none.
    pub(super) fn of(&self, index: u32) -> Content {
        self.streams.get(&index).cloned().unwrap_or_default()
    }

    /// Reads a line of ffprobe: `0|1.040000|1.000000|0.040000|K_`. Other lines are ignored.
    fn read(&mut self, line: &str, clock_jumps: bool) {
        let mut fields = line.split('|');
        let Some(index) = fields.next().and_then(|field| field.parse().ok()) else {
            return;
        };
        let mut seconds = || {
            fields
                .next()?
                .parse::<f64>()
                .ok()
                .filter(|seconds| seconds.is_finite())
        };
        let (shown, decoded, duration) = (seconds(), seconds(), seconds());
        let flags = fields.next().unwrap_or_default();
        // An edit list excludes the packet.
        if flags.contains('D') || (self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&index)) {
            return;
        }
        let duration = duration.unwrap_or(0.0).clamp(0.0, 1e9);
        let stream = self.streams.entry(index).or_default();
        stream.count(shown.or(decoded), duration, flags.contains('K'), clock_jumps);
    }
}

/// Reads all packets of `input` with constant memory.
pub(super) async fn measure(
    tools: &Tools,
    input: Input<'_>,
    closed: &Closed,
    clock_jumps: bool,
    cancel: &CancellationToken,
) -> Result<Measured, MediaError> {
    let fields = "packet=stream_index,pts_time,dts_time,duration_time,flags";
    let mut args: Vec<OsString> = ["-v", "warning", "-show_entries", fields].map(Into::into).into();
    args.extend(input.args());
    args.extend(closed.args());
    let is_cut = Arc::new(AtomicBool::new(false));
    let seen = is_cut.clone();
    let on_message = move |line: &str| {
        if CUT_MESSAGES.iter().any(|message| line.contains(message)) {
            seen.store(true, Ordering::Relaxed);
        }
    };
    let read = move |measured: &mut Measured, line: &str| measured.read(line, clock_jumps);
    let (mut measured, ended) = rows(tools, args, &input.access(), cancel, on_message, read).await?;
    // A broadcast has no declared end, and damaged packets amid its content.
    measured.is_whole = clock_jumps || ended.is_ok() && !is_cut.load(Ordering::Relaxed);
    match ended {
        // After a fault the file counts up to that point.
        Ok(()) | Err(ProcessError::Failed { .. }) => Ok(measured),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(lines: &[&str], clock_jumps: bool) -> Content {
        let mut measured = Measured::default();
        for line in lines {
            measured.read(line, clock_jumps);
        }
        measured.of(0)
    }

    #[test]
    fn the_content_begins_with_a_key_frame() {
        let content = measured(
            &[
                "0|0.000000|0.000000|0.040000|__",
                "0|0.040000|0.040000|0.040000|K_",
                "0|0.080000|0.080000|0.040000|__",
                "0|0.120000|0.120000|0.040000|_D",
                "1|9.0|9.0|1.0|K_",
                "0|0.120000|N/A|N/A|__",
                "rubbish",
            ],
            false,
        );
        assert_eq!((content.packets, content.start, content.end), (3, 0.04, 0.12));
        assert!((content.rate().unwrap() - 25.0).abs() < 0.01, "{content:?}");
    }

    #[test]
    fn a_stream_without_packets_has_no_content() {
        assert_eq!(measured(&[], false), Content::default());
        assert_eq!(measured(&["0|0.0|0.0|0.04|K_"], false).rate(), None);
    }

    #[test]
    fn jumps_of_the_clock_are_removed_where_they_are_usual() {
        let joined = [
            "0|0.0|0.0|1.0|K_",
            "0|1.0|1.0|1.0|K_",
            "0|9000.0|9000.0|1.0|K_",
            "0|9001.0|9001.0|1.0|K_",
        ];
        assert_eq!(measured(&joined, true).end, 4.0);
        assert_eq!(measured(&joined, false).end, 9002.0);
        let back = [
            "0|9000.0|9000.0|1.0|K_",
            "0|9001.0|9001.0|1.0|K_",
            "0|0.0|0.0|1.0|K_",
            "0|1.0|1.0|1.0|K_",
        ];
        let content = measured(&back, true);
        assert_eq!(content.end - content.start, 4.0);
    }
}
