//! The arguments of the run that packages a rendition. Pure.

use std::{ffi::OsString, path::Path};
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
