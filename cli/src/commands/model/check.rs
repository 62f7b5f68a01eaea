use super::{ggml, mel};
use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use std::{
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

/// Facts about a Whisper model.
#[derive(Debug, PartialEq, Serialize)]
pub struct Model {
    /// `tiny`, `base`, `small`, `medium`, `large` or `non-standard`.
    size: &'static str,
    multilingual: bool,
    tensors: usize,
    bytes: u64,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages = if self.multilingual {
            "multilingual"
        } else {
            "English only"
        };
        let (size, tensors, mb) = (self.size, self.tensors, self.bytes / 1_000_000);
        write!(
            f,
            "a Whisper {size} model, {languages}, {tensors} tensors, {mb} MB"
        )
    }
}

/// Checks that a file is a Whisper model of whisper.cpp, without loading it.
///
/// Reads the header and the heads of all tensors, so that it finds a truncated download too.
pub fn check(path: &Path) -> Result<Model> {
    let context = || path.display().to_string();
    let file = File::open(path).with_context(context)?;
    let bytes = file.metadata().with_context(context)?.len();
    let mut walk = Walk {
        file: BufReader::new(file),
        at: 0,
        bytes,
    };
    walk.model().with_context(context)
}

struct Walk {
    file: BufReader<File>,
    at: u64,
    bytes: u64,
}

impl Walk {
    fn model(&mut self) -> Result<Model> {
        let magic = self.array::<4>().context("too short to be a model")?;
        if i32::from_le_bytes(magic) != ggml::MAGIC {
            bail!("not a ggml model of whisper.cpp, but {}", guess(&magic));
        }
        let vocabulary = self.int()?;
        if vocabulary == 10 {
            // The length of a name, at the place of the vocabulary's size in a Whisper model.
            bail!("a voice-activity model: set VIDP_VAD_MODEL to it");
        }
        let [audio_context, _, _, layers, _, _, _, _, mels, _] = self.ints::<10>()?;
        let likely =
            (51_864..=52_000).contains(&vocabulary) && audio_context == 1500 && [80, 128].contains(&mels);
        ensure!(
            likely,
            "a ggml model, but not a Whisper model (vocabulary {vocabulary})"
        );
        let [rows, bins] = self.ints::<2>()?;
        ensure!(
            (rows, bins) == (mels, mel::BINS as u64),
            "its mel filters are {rows} × {bins}"
        );
        self.skip(rows * bins * 4)?;
        for _ in 0..self.int()? {
            let length = self.int()?;
            self.skip(length)?;
        }
        let mut tensors = 0;
        while self.at < self.bytes {
            self.tensor()?;
            tensors += 1;
        }
        ensure!(tensors > 0, "it has no tensors: the file is truncated");
        Ok(Model {
            size: match layers {
                4 => "tiny",
                6 => "base",
                12 => "small",
                24 => "medium",
                32 => "large",
                _ => "non-standard",
            },
            multilingual: vocabulary >= 51_865,
            tensors,
            bytes: self.bytes,
        })
    }

    fn tensor(&mut self) -> Result<()> {
        let [dimensions, name, kind] = self.ints::<3>()?;
        ensure!(
            (1..=4).contains(&dimensions),
            "damaged: a tensor of {dimensions} dimensions"
        );
        let mut values = 1u64;
        for _ in 0..dimensions {
            values = values
                .checked_mul(self.int()?)
                .context("damaged: a tensor larger than 64 bits can count")?;
        }
        let (block, bytes) = block_size(kind).with_context(|| format!("unknown tensor type {kind}"))?;
        self.skip(name)?;
        self.skip(values / block * bytes)
    }

    fn int(&mut self) -> Result<u64> {
        let value = i32::from_le_bytes(self.array()?);
        u64::try_from(value).context("damaged: a negative size")
    }

    fn ints<const N: usize>(&mut self) -> Result<[u64; N]> {
        let mut ints = [0; N];
        for int in &mut ints {
            *int = self.int()?;
        }
        Ok(ints)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.within(N as u64)?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self, bytes: u64) -> Result<()> {
        self.within(bytes)?;
        Ok(self.file.seek_relative(i64::try_from(bytes)?)?)
    }

    fn within(&mut self, bytes: u64) -> Result<()> {
        self.at = self.at.saturating_add(bytes);
        ensure!(
            self.at <= self.bytes,
            "truncated: it ends after {} bytes",
            self.bytes
        );
        Ok(())
    }
}

/// Values per block and bytes per block of a ggml tensor type.
fn block_size(kind: u64) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (1, 4),
        1 => (1, 2),
        2 => (32, 18),
        3 => (32, 20),
        6 => (32, 22),
        7 => (32, 24),
        8 => (32, 34),
        10 => (256, 84),
        11 => (256, 110),
        12 => (256, 144),
        13 => (256, 176),
        14 => (256, 210),
        _ => return None,
    })
}

fn guess(magic: &[u8; 4]) -> &'static str {
    match magic {
        b"GGUF" => "a GGUF file, which whisper.cpp does not read",
        b"PK\x03\x04" => "a PyTorch or zip file: whisper.cpp's convert scripts convert it to a ggml model",
        b"vers" => "a Git LFS pointer: the model itself was not downloaded",
        b"<!DO" | b"<htm" | b"<!do" => "a web page: the download failed",
        [6, 0, 0, 0] => {
            "a CTranslate2 model (faster-whisper's format): `vidp model import` converts its folder"
        }
        _ => "a file of an unknown format",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ggml::{Kind, write_ints, write_tensor};

    /// The smallest file that passes the check.
    pub(crate) fn tiny() -> Vec<u8> {
        let mut out = Vec::new();
        let header = [ggml::MAGIC, 51_865, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1];
        write_ints(&mut out, header).unwrap();
        write_ints(&mut out, [80, mel::BINS as i32]).unwrap();
        ggml::write_floats(&mut out, &mel::filters(80)).unwrap();
        write_ints(&mut out, [1]).unwrap();
        ggml::write_bytes(&mut out, b"a").unwrap();
        write_tensor(&mut out, "w", &[32, 2], Kind::Q8_0, &[0.5; 64]).unwrap();
        out
    }

    fn checked(bytes: &[u8]) -> Result<Model> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        check(file.path())
    }

    #[test]
    fn describes_a_model() {
        let text = checked(&tiny()).unwrap().to_string();
        assert_eq!(text, "a Whisper tiny model, multilingual, 1 tensors, 0 MB");
    }

    #[test]
    fn refuses_truncated_models() {
        let whole = tiny();
        for length in [0, 3, 4, 40, 60, 5000, whole.len() - 100, whole.len() - 1] {
            assert!(checked(&whole[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn names_the_format_of_other_files() {
        let message = |bytes: &[u8]| format!("{:#}", checked(bytes).unwrap_err());
        assert!(message(b"GGUF....").contains("GGUF"));
        assert!(message(&[6, 0, 0, 0, 0]).contains("CTranslate2"));
        assert!(message(b"hello world").contains("not a ggml model"));
        let vad = [ggml::MAGIC.to_le_bytes(), 10i32.to_le_bytes()].concat();
        assert!(message(&vad).contains("voice-activity"));
    }
}
