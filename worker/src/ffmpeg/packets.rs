//! The times of all pictures of a file, from its packets.

use super::{
    error::MediaError,
    input::Input,
    rows::{or_nothing, rows},
    tools::Tools,
};
use std::ffi::OsString;
use tokio_util::sync::CancellationToken;

/// Ticks of the clock in which pictures are timed, in a second. The common rates have whole ticks: 24, 25, 30, 60,
/// 24000/1001, 30000/1001.
pub const TICKS: u32 = 120_000;
/// Packets at most: 10 hours of 120 pictures a second. They take 35 MB.
const MAX_PACKETS: usize = 4_400_000;

/// The packets of a video stream. All times are those of the file, in [`TICKS`], in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// The time of each picture.
    pub times: Vec<i64>,
    /// The times of those with which a decoder can begin.
    pub keys: Vec<i64>,
    /// Bytes of all packets.
    pub bytes: u64,
    /// True when every packet is shown and has the parameters of the first one. False when the file has packets before the first
    /// key frame or outside the edit list, or a second sample description.
    pub shows_all: bool,
}

/// The rows that were read so far. The row with the time base comes last.
#[derive(Default)]
struct Reading {
    /// Times in the time base of the stream, and whether a decoder can begin there.
    found: Vec<(i64, bool)>,
    /// Seconds of a tick of the stream, as a fraction.
    base: Option<(i64, i64)>,
    /// True when a packet has no time, or there are too many packets.
    is_unknown: bool,
    /// True when a packet is not shown, or when its parameters differ from those before it.
    has_other: bool,
    bytes: u64,
}

impl Reading {
    /// Reads a row: `90000|1234|K_` of a packet, or `1/90000` of the stream. Other lines are ignored.
    fn read(&mut self, line: &str) {
        // Side data of either adds empty fields.
        let mut fields = line.split('|');
        let first = fields.next().unwrap_or_default();
        let second = fields.next();
        // A packet without a time has `N/A`, which is no fraction.
        let fraction = first.split_once('/');
        let base = fraction.and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
        if let Some((numerator, denominator)) = base {
            if numerator > 0 && denominator > 0 {
                self.base.get_or_insert((numerator, denominator));
            }
        } else if let (Some(size), Some(flags)) = (second, fields.next()) {
            self.bytes = self.bytes.saturating_add(size.parse().unwrap_or(0));
            // Side data of a packet whose parameters change.
            self.has_other |= line.contains("New Extradata");
            // An edit list excludes packets with `D`.
            match first.parse() {
                _ if flags.contains('D') => self.has_other = true,
                Ok(_) if self.found.is_empty() && !flags.contains('K') => self.has_other = true,
                Ok(time) if self.found.len() < MAX_PACKETS => self.found.push((time, flags.contains('K'))),
                _ => self.is_unknown = true,
            }
        }
    }

    fn packets(self) -> Option<Packets> {
        let (numerator, denominator) = self.base.filter(|_| !self.is_unknown)?;
        let ticks = |time: i64| {
            let exact = i128::from(time) * i128::from(numerator) * i128::from(TICKS);
            round(exact, i128::from(denominator))
        };
        let mut packets = Packets {
            bytes: self.bytes,
            shows_all: !self.has_other,
            ..Packets::default()
        };
        for (time, is_key) in self.found {
            let time = ticks(time)?;
            packets.times.push(time);
            if is_key {
                packets.keys.push(time);
            }
        }
        packets.times.sort_unstable();
        packets.keys.sort_unstable();
        Some(packets)
    }
}

/// Rounds a fraction to the nearest whole number, and halves away from zero, as ffmpeg does (`AV_ROUND_NEAR_INF`).
fn round(numerator: i128, denominator: i128) -> Option<i64> {
    let half = if numerator < 0 { -denominator } else { denominator };
    i64::try_from((2 * numerator + half) / (2 * denominator)).ok()
}

/// Lists the packets of the video stream `index`, from the first one with which a decoder can begin.
///
/// `None` when a packet has no time, there are too many, or the file has a fault.
///
/// # Errors
/// ffprobe could not be started or was cancelled.
pub async fn packets(
    tools: &Tools,
    input: Input<'_>,
    index: u32,
    cancel: &CancellationToken,
) -> Result<Option<Packets>, MediaError> {
    let fields = "packet=pts,size,flags:packet_side_data=side_data_type:stream=time_base";
    let index = index.to_string();
    let mut args: Vec<OsString> = ["-v", "error", "-select_streams", &index, "-show_entries", fields]
        .map(Into::into)
        .into();
    args.extend(input.args());
    let read = |reading: &mut Reading, line: &str| reading.read(line);
    let (reading, ended) = rows(tools, args, &input.access(), cancel, |_: &str| {}, read).await?;
    or_nothing(reading.packets(), ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<Packets> {
        let mut reading = Reading::default();
        lines.iter().for_each(|line| reading.read(line));
        reading.packets()
    }

    #[test]
    fn times_are_sorted_and_converted() {
        let packets = read(&[
            "-90|9|__",
            "0|9|K_",
            "7200|9|__",
            "3600|9|__",
            "10800|9|K_",
            "1800|9|_D",
            "",
            "1/90000",
        ])
        .unwrap();
        assert_eq!(packets.times, [0, 4800, 9600, 14_400]);
        assert_eq!(packets.keys, [0, 14_400]);
        assert!(!packets.shows_all);
        // 23.976 pictures a second in milliseconds.
        let packets = read(&["-42|7|K_", "42|5|__", "1/1000"]).unwrap();
        assert_eq!(packets.times, [-5040, 5040]);
        assert!(packets.shows_all);
        assert_eq!(packets.bytes, 12);
        let changed = read(&["-42|7|K_", "42|5|K_|New Extradata", "1/1000"]).unwrap();
        assert!(!changed.shows_all);
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (numerator, rounded) in [(1, 1), (-1, -1), (3, 2), (-3, -2), (2, 1), (0, 0)] {
            assert_eq!(round(numerator, 2), Some(rounded));
        }
        assert_eq!(round(1 << 80, 2), None);
    }

    #[test]
    fn a_packet_without_time_makes_the_list_useless() {
        assert_eq!(read(&["0|1|K_", "N/A|1|__", "1/90000"]), None);
        assert_eq!(read(&["0|1|K_"]), None, "no time base");
        assert_eq!(read(&["0|1|K_", "1/0"]), None);
    }
}
