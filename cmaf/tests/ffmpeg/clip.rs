//! A file that ffmpeg writes for a test.

use serde_json::Value;
use std::{fs, io::Cursor, path::PathBuf, process::Command};
use tempfile::TempDir;
use vidp_cmaf::{Fragment, Track};

const VIDEO: &str = "-fps_mode vfr -enc_time_base 1:90000 -video_track_timescale 90000 -map_metadata -1 -f mp4 \
                     -movflags +cmaf+frag_keyframe+frag_discont+skip_trailer";
const AUDIO: &str = "-frag_duration 1984000 -f mp4 -movflags +cmaf+skip_trailer";
/// H.264 with a key frame every 2 s alone.
pub(crate) const H264: &str = "-c:v libx264 -preset veryfast -threads 1 -profile:v high -level 3.1 \
    -x264-params scenecut=0:open-gop=0:keyint=9999:stitchable=1 -force_key_frames expr:gte(t,n_forced*2)";

/// A track in a temporary folder.
pub(crate) struct Clip {
    _folder: TempDir,
    path: PathBuf,
}

impl Clip {
    /// Encodes the part of a test picture that `filter` selects by `codec`.
    pub(crate) fn video(picture: &str, filter: &str, codec: &str) -> Clip {
        let filter = format!("settb=1/90000,{filter},format=yuv420p");
        Clip::make(&format!(
            "-f lavfi -i testsrc2=s=320x180:{picture} -vf {filter} {codec} {VIDEO}"
        ))
    }

    /// Encodes six seconds of a tone by `codec`, without the samples that the encoder puts in front.
    pub(crate) fn audio(codec: &str, priming: u32) -> Clip {
        let filter = format!("aresample=async=1:first_pts=0,atrim=start_sample={priming},asetpts=N/SR/TB");
        Clip::make(&format!(
            "-f lavfi -i sine=d=6:r=48000 -ac 2 -af {filter} {codec} {AUDIO}"
        ))
    }

    /// Runs ffmpeg with `args`, which are separated by spaces.
    pub(crate) fn make(args: &str) -> Clip {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("track.mp4");
        let mut command = Command::new("ffmpeg");
        command
            .args(["-v", "error", "-nostdin"])
            .args(args.split_whitespace())
            .arg(&path);
        let output = command.env("SVT_LOG", "1").output().unwrap();
        assert!(
            output.status.success(),
            "{args}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Clip {
            _folder: folder,
            path,
        }
    }

    /// The bytes of the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    /// Reads and checks the track.
    pub(crate) fn track(&self) -> Track {
        let track = Track::read(Cursor::new(self.bytes())).unwrap();
        track.check().unwrap();
        track
    }

    /// Replaces the bytes of the file.
    pub(crate) fn write(&self, bytes: &[u8]) {
        fs::write(&self.path, bytes).unwrap();
    }

    /// The packets that ffprobe finds.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        let mut command = Command::new("ffprobe");
        command
            .args(["-v", "error", "-show_packets", "-of", "json"])
            .arg(&self.path);
        let output = command.output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let packets = answer["packets"].as_array().unwrap().iter();
        packets.map(Packet::read).collect()
    }
}

/// A packet as ffprobe shows it.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) pts: i64,
    pub(crate) dts: u64,
    pub(crate) size: u64,
    pub(crate) position: u64,
    pub(crate) key: bool,
}

impl Packet {
    fn read(packet: &Value) -> Packet {
        let text = |name: &str| packet[name].as_str().unwrap().parse().unwrap();
        Packet {
            pts: packet["pts"].as_i64().unwrap(),
            dts: packet["dts"].as_u64().unwrap(),
            size: text("size"),
            position: text("pos"),
            key: packet["flags"].as_str().unwrap().starts_with('K'),
        }
    }
}

/// Asserts that the fragments have the samples of ffprobe's packets.
///
/// ffprobe moves the times of a track with negative offsets by a constant, which this function accepts.
pub(crate) fn compare(track: &Track, packets: &[Packet]) {
    let mut rest = packets;
    let offset = packets[0].pts - track.fragments[0].first_pts;
    for fragment in &track.fragments {
        let (own, after) = rest.split_at(fragment.samples as usize);
        rest = after;
        let end = fragment.offset + fragment.size;
        assert!(
            own.iter()
                .all(|packet| (fragment.offset..end).contains(&packet.position))
        );
        assert_eq!(own[0].dts, fragment.decode_time);
        // ffprobe shows no durations of packets in fragments.
        let last = &own[own.len() - 1];
        assert!(last.dts < fragment.end());
        if let Some(next) = rest.first() {
            assert_eq!(next.dts, fragment.end());
        }
        assert_eq!(own[0].key, fragment.starts_with_sync);
        let sample_end = own[0].position + own[0].size - fragment.offset;
        assert_eq!(fragment.first_sample_end, sample_end);
        let times = || own.iter().map(|packet| packet.pts - offset);
        assert_eq!(times().min(), Some(fragment.first_pts));
        assert_eq!(times().max(), Some(fragment.last_pts));
    }
    assert!(rest.is_empty(), "packets after the last fragment");
}

/// The times of fragments: decode time, duration and number of samples.
pub(crate) fn times(fragments: &[Fragment]) -> Vec<(u64, u64, u32)> {
    let time = |fragment: &Fragment| (fragment.decode_time, fragment.duration, fragment.samples);
    fragments.iter().map(time).collect()
}
