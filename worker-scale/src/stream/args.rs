//! The arguments of the runs that write track files. Pure.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};
use vidp_contract::Codec;
use vidp_worker::ffmpeg::Input;

/// Microseconds of a fragment of sound: 93 frames of AAC at 48 kHz, just below 2 s.
const SOUND_FRAGMENT: &str = "1984000";
/// Drops packets before the beginning. An encoder of sound begins with priming samples, which MP4 hides by an edit list; a CMAF track has
/// none, and its sound would be 21 ms late.
const WITHOUT_PRIMING: &str = "noise=drop=lt(pts\\,0)";

/// All arguments of the run: `from` is the rendition, and `tracks` are the files of its picture and of its audio tracks.
pub(super) fn args(from: &Path, tracks: &[&Path], codec: Codec) -> Vec<OsString> {
    // Times stay those of the rendition.
    let mut args: Vec<OsString> = vec!["-copyts".into()];
    args.extend(Input::File(from).args());
    for (number, track) in tracks.iter().enumerate() {
        let words: Vec<String> = match number.checked_sub(1) {
            None => {
                let tag = if codec == Codec::H265 { " -tag:v hvc1" } else { "" };
                let words = format!(
                    "-map 0:v:0 -c copy{tag} -movflags +cmaf+frag_keyframe+frag_discont+skip_trailer"
                );
                words.split(' ').map(str::to_owned).collect()
            }
            Some(sound) => {
                let words = format!(
                    "-map 0:a:{sound} -c copy -bsf:a {WITHOUT_PRIMING} -frag_duration {SOUND_FRAGMENT} -movflags \
                     +cmaf+frag_discont+skip_trailer"
                );
                words.split(' ').map(str::to_owned).collect()
            }
        };
        args.extend(words.into_iter().map(OsString::from));
        args.extend(["-map_metadata", "-1", "-map_chapters", "-1", "-f", "mp4"].map(OsString::from));
        args.push(track.into());
    }
    args
}

/// The output of a run that makes the sound of a film. It writes the file `sound`, and each of its tracks to a track file that can be read
/// while it grows. The tracks are encoded once.
pub(crate) fn growing(sound: &Path, codec: Codec, tracks: &[PathBuf]) -> Vec<OsString> {
    let format = match codec {
        Codec::Vp9 => "f=webm",
        Codec::H264 | Codec::H265 | Codec::Av1 => "f=mp4:movflags=+faststart",
    };
    let mut outputs = OsString::from(format!("[{format}]"));
    outputs.push(escaped(sound));
    // Each list of options, and the list of filters in it, takes one level of backslashes away.
    let filter = WITHOUT_PRIMING.replace('\\', "\\\\\\\\");
    for (number, track) in tracks.iter().enumerate() {
        // A track that cannot be written costs playback before the end, and not the film.
        outputs.push(format!(
            "|[select=\\'a:{number}\\':onfail=ignore:f=mp4:movflags=+cmaf+frag_discont+skip_trailer:frag_duration={SOUND_FRAGMENT}\
             :flush_packets=1:bsfs/a={filter}]"
        ));
        outputs.push(escaped(track));
    }
    // The `tee` muxer cannot say that its outputs need the headers of the codecs.
    let mut args: Vec<OsString> = ["-flags:a", "+global_header", "-f", "tee"]
        .map(OsString::from)
        .into();
    args.push(outputs);
    args
}

/// A path in the list of outputs of the `tee` muxer.
fn escaped(path: &Path) -> OsString {
    let mut text = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if b"\\'|[] \t".contains(byte) {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    OsString::from_vec(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_track_has_its_output() {
        let tracks = [PathBuf::from("/a b/audio-1"), PathBuf::from("/x/audio-2")];
        let args = growing(Path::new("/x/it's|sound"), Codec::Vp9, &tracks);
        let outputs = args.last().and_then(|one| one.to_str()).unwrap();
        let parts: Vec<&str> = outputs.split("]").collect();
        assert_eq!(parts[0], "[f=webm");
        assert!(
            parts[1].starts_with(r"/x/it\'s\|sound|[select=\'a:0\':"),
            "{outputs}"
        );
        assert!(
            parts[2].starts_with(r"/a\ b/audio-1|[select=\'a:1\':"),
            "{outputs}"
        );
        assert!(parts[1].ends_with(r"noise=drop=lt(pts\\\\,0)"), "{outputs}");
        assert_eq!(parts[3], "/x/audio-2");
    }
}
