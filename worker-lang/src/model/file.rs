//! A look at a model file before whisper.cpp gets it, because it ends the whole process on some wrong files.

use std::{fs::File, io::Read, path::Path};

/// First four bytes of every ggml file: `ggml` as a little-endian number.
const MAGIC: u32 = 0x6767_6d6c;
/// Vocabulary of the English-only models; the multilingual ones have one or two more.
const ENGLISH_ONLY_VOCABULARY: u32 = 51_864;
/// Position of the vocabulary's size among the header's 32-bit numbers.
const VOCABULARY: usize = 1;
/// Position of the number of audio positions: 1500 in every Whisper model.
const AUDIO_CONTEXT: usize = 2;
/// Position of the weights' type.
const WEIGHTS: usize = 11;

/// What a model file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
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

/// Says in words what is wrong with the file at `path`, if it is not a `model`.
pub fn check(model: Model, path: &Path) -> Result<(), String> {
    let fail = |what: String| {
        Err(format!(
            "{}: {what}. Expected {}: `vidp model make` makes one, and {} names another",
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
        (Model::Whisper, Found::Whisper) | (Model::Vad, Found::Vad) => Ok(()),
        (_, Found::Whisper) => fail("this is a speech recognition model".to_owned()),
        (_, Found::Vad) => fail("this is a voice activity model".to_owned()),
        (_, Found::Unusable(what)) => fail(what.to_owned()),
    }
}

#[derive(Debug, PartialEq)]
enum Found {
    Whisper,
    Vad,
    Unusable(&'static str),
}

fn recognise(header: &[u8]) -> Found {
    let number = |index: usize| {
        let bytes = header.get(index * 4..index * 4 + 4)?;
        Some(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    };
    match number(0) {
        Some(MAGIC) => {}
        Some(magic) if magic.to_le_bytes() == *b"GGUF" => {
            return Found::Unusable("this is a GGUF file, as llama.cpp uses");
        }
        Some(magic) if magic.to_le_bytes().starts_with(b"PK") => {
            return Found::Unusable("this is a PyTorch or zip archive");
        }
        _ => return Found::Unusable("this is not a ggml file"),
    }
    // Voice activity models have their kind's name where Whisper models have numbers.
    if header[4..]
        .get(4..)
        .is_some_and(|rest| rest.starts_with(b"silero"))
    {
        return Found::Vad;
    }
    match (number(VOCABULARY), number(AUDIO_CONTEXT), number(WEIGHTS)) {
        (Some(ENGLISH_ONLY_VOCABULARY), Some(1500), _) => {
            Found::Unusable("this model knows English only (its name ends in .en)")
        }
        (_, Some(1500), Some(0)) => {
            Found::Unusable("this model has 32-bit weights, with which whisper.cpp aborts")
        }
        (Some(51_865 | 51_866), Some(1500), Some(_)) => Found::Whisper,
        _ => Found::Unusable("this is a ggml file of another kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_header(numbers: &[u32], expected: Found) {
        let header: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(recognise(&header), expected, "{numbers:x?}");
    }

    fn whisper(vocabulary: u32, weights: u32) -> Vec<u32> {
        vec![MAGIC, vocabulary, 1500, 512, 8, 6, 448, 512, 8, 6, 80, weights]
    }

    #[test]
    fn headers_are_told_apart() {
        check_header(&whisper(51_865, 7), Found::Whisper);
        check_header(&whisper(51_866, 1), Found::Whisper);
        check_header(
            &whisper(51_865, 0),
            Found::Unusable("this model has 32-bit weights, with which whisper.cpp aborts"),
        );
        check_header(
            &whisper(51_864, 1),
            Found::Unusable("this model knows English only (its name ends in .en)"),
        );
        check_header(
            &whisper(32_000, 1),
            Found::Unusable("this is a ggml file of another kind"),
        );
        let silero = u32::from_le_bytes(*b"sile");
        check_header(&[MAGIC, 10, silero, u32::from_le_bytes(*b"ro-1")], Found::Vad);
        check_header(&[MAGIC], Found::Unusable("this is a ggml file of another kind"));
        check_header(
            &[u32::from_le_bytes(*b"GGUF")],
            Found::Unusable("this is a GGUF file, as llama.cpp uses"),
        );
        check_header(&[], Found::Unusable("this is not a ggml file"));
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
