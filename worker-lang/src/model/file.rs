//! Checks a model file before whisper.cpp loads it, because whisper.cpp aborts the process on some wrong files.

use std::{fs::File, io::Read, path::Path};

/// First four bytes of every ggml file: `ggml` as a little-endian number.
const MAGIC: u32 = 0x6767_6d6c;
/// Size of the vocabulary of English-only models. Multilingual models have one or two more tokens.
const ENGLISH_ONLY_VOCABULARY: u32 = 51_864;
/// Index of the vocabulary size among the 32-bit numbers of the header.
const VOCABULARY: usize = 1;
/// Index of the number of audio positions, which is 1500 in every Whisper model.
const AUDIO_CONTEXT: usize = 2;
/// Index of the weights' type.
const WEIGHTS: usize = 11;

/// Purpose of a model file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Speech recognition.
    Whisper,
    /// Voice activity detection.
    Vad,
}

impl Model {
    fn describe(self) -> &'static str {
        match self {
            Model::Whisper => "a multilingual Whisper model in whisper.cpp's ggml format",
            Model::Vad => "a Silero voice activity model in whisper.cpp's ggml format",
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Model::Whisper => "VIDP_WHISPER_MODEL",
            Model::Vad => "VIDP_VAD_MODEL",
        }
    }
}

/// Checks that the file at `path` is a `model`.
///
/// # Errors
/// A sentence that names the file, the fault and the remedy.
pub(super) fn check(model: Model, path: &Path) -> Result<(), String> {
    let fail = |what: String| {
        Err(format!(
            "{}: {what}. Expected {}: create it with `vidp model make`, or set {} to another file",
            path.display(),
            model.describe(),
            model.setting(),
        ))
    };
    let mut header = Vec::new();
    if let Err(error) = File::open(path).and_then(|file| file.take(48).read_to_end(&mut header)) {
        return fail(error.to_string());
    }
    match (model, recognise(&header)) {
        (Model::Whisper, Kind::Whisper) | (Model::Vad, Kind::Vad) => Ok(()),
        (_, Kind::Whisper) => fail("this is a speech recognition model".to_owned()),
        (_, Kind::Vad) => fail("this is a voice activity model".to_owned()),
        (_, Kind::Unusable(what)) => fail(what.to_owned()),
    }
}

/// Kind of a file, read from its header.
#[derive(Debug, PartialEq)]
enum Kind {
    Whisper,
    Vad,
    Unusable(&'static str),
}

fn recognise(header: &[u8]) -> Kind {
    let number = |index: usize| {
        let bytes = header.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    };
    match number(0) {
        Some(MAGIC) => {}
        Some(magic) if magic.to_le_bytes() == *b"GGUF" => {
            return Kind::Unusable("this is a GGUF file, the format of llama.cpp");
        }
        Some(magic) if magic.to_le_bytes().starts_with(b"PK") => {
            return Kind::Unusable("this is a PyTorch or zip archive");
        }
        _ => return Kind::Unusable("this is not a ggml file"),
    }
    // A voice activity model has the name of its kind where a Whisper model has numbers.
    if header[4..]
        .get(4..)
        .is_some_and(|rest| rest.starts_with(b"silero"))
    {
        return Kind::Vad;
    }
    match (number(VOCABULARY), number(AUDIO_CONTEXT), number(WEIGHTS)) {
        (Some(ENGLISH_ONLY_VOCABULARY), Some(1500), _) => {
            Kind::Unusable("this model supports English only (its name ends in .en)")
        }
        (_, Some(1500), Some(0)) => {
            Kind::Unusable("this model has 32-bit weights, which make whisper.cpp abort")
        }
        (Some(51_865 | 51_866), Some(1500), Some(_)) => Kind::Whisper,
        _ => Kind::Unusable("this is a ggml file of an unknown kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_header(numbers: &[u32], expected: Kind) {
        let header: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(recognise(&header), expected, "{numbers:x?}");
    }

    fn whisper(vocabulary: u32, weights: u32) -> Vec<u32> {
        vec![MAGIC, vocabulary, 1500, 512, 8, 6, 448, 512, 8, 6, 80, weights]
    }

    #[test]
    fn headers_are_recognised() {
        check_header(&whisper(51_865, 7), Kind::Whisper);
        check_header(&whisper(51_866, 1), Kind::Whisper);
        check_header(
            &whisper(51_865, 0),
            Kind::Unusable("this model has 32-bit weights, which make whisper.cpp abort"),
        );
        check_header(
            &whisper(51_864, 1),
            Kind::Unusable("this model supports English only (its name ends in .en)"),
        );
        check_header(
            &whisper(32_000, 1),
            Kind::Unusable("this is a ggml file of an unknown kind"),
        );
        let silero = u32::from_le_bytes(*b"sile");
        check_header(&[MAGIC, 10, silero, u32::from_le_bytes(*b"ro-1")], Kind::Vad);
        check_header(&[MAGIC], Kind::Unusable("this is a ggml file of an unknown kind"));
        check_header(
            &[u32::from_le_bytes(*b"GGUF")],
            Kind::Unusable("this is a GGUF file, the format of llama.cpp"),
        );
        check_header(&[], Kind::Unusable("this is not a ggml file"));
    }

    #[test]
    fn a_missing_file_says_how_to_get_one() {
        let error = check(Model::Whisper, Path::new("/nonexistent/model.bin")).unwrap_err();
        assert!(
            error.contains("vidp model make") && error.contains("VIDP_WHISPER_MODEL"),
            "{error}"
        );
    }
}
