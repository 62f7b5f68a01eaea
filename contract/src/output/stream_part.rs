use super::{StreamSet, StreamTrack};
use crate::{Output, OutputFile, Stage};
use serde::{Deserialize, Serialize};

/// Seconds of a segment at most: a picture that is shown for an hour.
const MAX_TARGET: u32 = 3600;

/// A part of a stream that can be played while the rest of its film is made. Each track has an object with its init segment and the
/// segments of this part.
///
/// Parts follow each other without a gap. A part is stored once, and later parts change nothing in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamPart {
    /// Seconds of the longest segment of the film at most, rounded. All parts of a film have the same number.
    pub target: u32,
    /// True for the last part of the film: the lists of the stream end with it.
    pub last: bool,
    /// The tracks with the segments of this part. A track of sound is missing where it has ended. There are no images.
    pub set: StreamSet,
    /// The objects of the tracks, in the order of [`StreamSet::tracks`].
    pub objects: Vec<Output>,
}

impl StreamPart {
    /// Bytes of a part's index at most.
    pub const MAX_BYTES: u64 = 1 << 20;

    /// Reads the index of a part whose objects have keys that begin with `folder`. It comes from a worker, and the API serves the
    /// objects that it names.
    ///
    /// # Errors
    /// The text is no such index, or a value is out of bounds.
    pub fn read(text: &[u8], folder: &str) -> Result<StreamPart, String> {
        let part: StreamPart = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match part.fits(folder) {
            true => Ok(part),
            false => Err("a value is out of bounds".to_owned()),
        }
    }

    fn fits(&self, folder: &str) -> bool {
        let belongs = |(track, object): (&StreamTrack, &Output)| {
            object.name == track.name
                && OutputFile::of(Stage::Scale, &object.name)
                    .is_some_and(|file| file.content_type == object.content_type)
                && object.sha256.len() == 64
                && object.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
                && object
                    .key
                    .strip_prefix(folder)
                    .is_some_and(|name| !name.contains('/'))
                && track.init + track.index + track.size() <= object.size
                && track.longest() < f64::from(self.target) + 0.5
        };
        self.set.fits()
            && self.set.images.is_none()
            && (1..=MAX_TARGET).contains(&self.target)
            && self.objects.len() == self.set.tracks().count()
            && self.set.tracks().zip(&self.objects).all(belongs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const GOLDEN: &str = include_str!("../../wire/stream-part.json");
    const FOLDER: &str =
        "outputs/019aae3a-0b5c-7c3e-9d62-0f3c1f6f0a00/scale/019aae3a-0b5c-7c3e-9d62-0f3c1f6f0a01/";

    #[test]
    fn a_part_keeps_its_shape() {
        let part = StreamPart::read(GOLDEN.as_bytes(), FOLDER).unwrap();
        let written = serde_json::to_value(&part).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(GOLDEN).unwrap());
    }

    #[test]
    fn a_part_names_its_own_objects() {
        let check = |pointer: &str, value: Value| {
            let mut changed: Value = serde_json::from_str(GOLDEN).unwrap();
            *changed.pointer_mut(pointer).unwrap() = value;
            let read = StreamPart::read(changed.to_string().as_bytes(), FOLDER);
            assert!(read.is_err(), "{pointer}");
        };
        check(
            "/objects/0/key",
            json!("uploads/019aae3a-0b5c-7c3e-9d62-0f3c1f6f0a00/source"),
        );
        check("/objects/0/key", json!(format!("{FOLDER}../other/720p.mp4")));
        check("/objects/0/name", json!("480p.cmfv"));
        check("/objects/0/content_type", json!("text/html"));
        check("/objects/0/sha256", json!("\r\n"));
        check("/objects/0/size", json!(1));
        check("/objects", json!([]));
        check("/target", json!(0));
        check("/target", json!(3));
        check("/set/video", json!([]));
    }
}
