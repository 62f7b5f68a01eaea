use super::super::ggml::{self, int, write_ints};
use anyhow::{Context, Result, ensure};
use std::{collections::HashMap, fs, io::Write, path::Path};

/// Reads a file of the weights.
pub(super) fn read_weights(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {} (`make setup` downloads the weights)", path.display()))
}

/// Reads the tokens in the order of their numbers. Older CTranslate2 wrote one per line, newer writes a JSON list.
pub(super) fn read_vocabulary(folder: &Path) -> Result<Vec<String>> {
    let list = folder.join("vocabulary.json");
    if list.is_file() {
        return serde_json::from_slice(&read_weights(&list)?).context("vocabulary.json");
    }
    let text = String::from_utf8(read_weights(&folder.join("vocabulary.txt"))?).context("vocabulary.txt")?;
    Ok(text.split('\n').map(str::to_owned).collect())
}

/// Writes the first `count` tokens as bytes.
pub(super) fn write_vocabulary(tokens: &[String], count: usize, out: &mut dyn Write) -> Result<()> {
    ensure!(
        tokens.len() >= count,
        "the vocabulary has {} tokens, but {count} are needed",
        tokens.len()
    );
    let alphabet = byte_alphabet();
    write_ints(out, [int(count)?])?;
    for (i, token) in tokens.iter().take(count).enumerate() {
        let bytes = token
            .chars()
            .map(|c| alphabet.get(&c).copied())
            .collect::<Option<Vec<u8>>>()
            .with_context(|| format!("the vocabulary's token {i}, {token:?}, does not encode bytes"))?;
        ggml::write_bytes(out, &bytes)?;
    }
    Ok(())
}

/// GPT-2's encoding of bytes as visible characters: printable bytes stand for themselves, the others are numbered from
/// character 256 on.
fn byte_alphabet() -> HashMap<char, u8> {
    let mut next = 256..;
    (0..=u8::MAX)
        .filter_map(|byte| {
            let code = match byte {
                33..=126 | 161..=172 | 174.. => u32::from(byte),
                _ => next.next()?,
            };
            Some((char::from_u32(code)?, byte))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_a_character_for_each_byte() {
        let alphabet = byte_alphabet();
        assert_eq!(alphabet.len(), 256);
        assert_eq!(alphabet[&'a'], b'a');
        assert_eq!(alphabet[&'Ġ'], b' ');
        assert_eq!(alphabet[&'Ċ'], b'\n');
    }

    #[test]
    fn a_short_or_foreign_vocabulary_is_refused() {
        let written = |tokens: [&str; 2], count| {
            write_vocabulary(&tokens.map(str::to_owned), count, &mut Vec::new()).is_ok()
        };
        assert!(!written(["a", "b"], 3));
        assert!(!written(["a", "日"], 2));
        assert!(written(["a", "b"], 2));
    }
}
