//! Recognises repetitions that a decoder in a loop produces, and removes them.

use super::tokens::Token;

/// Repetitions of the same few words at most. More are a loop of the decoder.
const MAX_REPEATS: usize = 4;
/// Words of the longest loop that is recognised.
const MAX_LOOP_WORDS: usize = 8;

/// Tokens per second of speech below which words are missing: slow speech has about two. The model often writes a
/// sentence once that is said ten times, and stretches it over all of them.
const MIN_TOKEN_RATE: f64 = 1.5;
/// Seconds of speech from which that rate is reliable.
const MIN_SPOKEN: f64 = 5.0;
/// Share of the words of the parts that belong to the whole, when a speaker repeats them.
const MIN_SAME: f64 = 0.7;

/// True when `spoken` seconds of speech have too few tokens.
pub(crate) fn is_sparse(tokens: &[Token], spoken: f64) -> bool {
    let is_text = |token: &&Token| matches!(token, Token::Text { .. });
    let count = tokens.iter().filter(is_text).count();
    count > 0 && spoken >= MIN_SPOKEN && (count as f64) < spoken * MIN_TOKEN_RATE
}

/// True when short parts of the sound, heard on their own, say the words of `whole` again and again.
pub(crate) fn is_repeated(whole: &str, parts: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let plain = text.to_lowercase().replace(|c: char| !c.is_alphanumeric(), " ");
        plain.split_whitespace().map(str::to_owned).collect()
    };
    let (whole, parts) = (words(whole), words(parts));
    let same = parts.iter().filter(|word| whole.contains(word)).count();
    parts.len() >= whole.len() * 2 && !whole.is_empty() && same as f64 >= parts.len() as f64 * MIN_SAME
}

/// True when the tokens contain a loop: a sequence of up to twice [`MAX_LOOP_WORDS`] tokens that occurs more than
/// [`MAX_REPEATS`] times in a row.
pub(crate) fn has_loops(tokens: &[Token]) -> bool {
    (1..=MAX_LOOP_WORDS * 2)
        .any(|size| (0..tokens.len()).any(|start| loop_end(tokens, start, size).is_some()))
}

/// Reduces each loop to one repetition.
pub(crate) fn remove_loops(tokens: &mut Vec<Token>) {
    for size in 1..=MAX_LOOP_WORDS * 2 {
        let mut start = 0;
        while start + size <= tokens.len() {
            if let Some(end) = loop_end(tokens, start, size) {
                tokens.drain(start + size..start + (end - start) / size * size);
            }
            start += 1;
        }
    }
}

/// End of the loop of `size` tokens that begins at `start`.
fn loop_end(tokens: &[Token], start: usize, size: usize) -> Option<usize> {
    let same = |a: &Token, b: &Token| match (a, b) {
        (Token::Text { bytes: a, .. }, Token::Text { bytes: b, .. }) => a == b,
        (Token::Mark(_), Token::Mark(_)) => true,
        _ => false,
    };
    let mut end = start + size;
    while end < tokens.len() && same(&tokens[end], &tokens[end - size]) {
        end += 1;
    }
    let spoken = tokens.get(start..start + size)?;
    let spoken = spoken.iter().any(|token| matches!(token, Token::Text { .. }));
    (spoken && (end - start) / size > MAX_REPEATS).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let token = |part: &str| match part {
            "|" => Token::Mark(1.0),
            part => Token::Text {
                bytes: part.as_bytes().to_vec(),
                probability: 1.0,
                hint: None,
            },
        };
        let mut tokens: Vec<Token> = text.split(' ').map(token).collect();
        assert_eq!(has_loops(&tokens), text != expected, "{text}");
        remove_loops(&mut tokens);
        let left: Vec<String> = tokens
            .iter()
            .map(|token| match token {
                Token::Mark(_) => "|".to_owned(),
                Token::Text { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
            })
            .collect();
        assert_eq!(left.join(" "), expected);
    }

    #[test]
    fn loops_are_removed() {
        check("a b c", "a b c");
        check("no no no no then", "no no no no then");
        check("x a a a a a a a y", "x a y");
        check("x a b a b a b a b a b a b y", "x a b y");
        check("| a b | | a b | | a b | | a b | | a b | | c |", "| a b | | c |");
    }

    #[test]
    fn speakers_repeat_themselves_too() {
        let word = Token::Text {
            bytes: b" no".to_vec(),
            probability: 1.0,
            hint: None,
        };
        let words = vec![word; 30];
        assert!(is_sparse(&words[..9], 18.0));
        assert!(!is_sparse(&words, 18.0) && !is_sparse(&words[..2], 2.0) && !is_sparse(&[], 18.0));
        assert!(is_repeated("Left, right.", "Left right left. Right! Left, right"));
        assert!(!is_repeated("Left, right.", "Left, right."));
        assert!(!is_repeated("Left, right.", "Thank you. Thank you. Left."));
        assert!(!is_repeated("", ""));
    }
}
