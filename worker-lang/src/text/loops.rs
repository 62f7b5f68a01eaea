//! Removes repetitions that a decoder in a loop produces.

use super::tokens::Token;

/// Repetitions of the same few words at most. More are a loop of the decoder.
const MAX_REPEATS: usize = 4;
/// Words of the longest loop that is recognised.
const MAX_LOOP_WORDS: usize = 8;

/// Reduces each loop to one repetition, and returns true when it found a loop.
///
/// A loop is a sequence of up to twice [`MAX_LOOP_WORDS`] tokens that occurs more than
/// [`MAX_REPEATS`] times in a row.
pub(crate) fn remove_loops(tokens: &mut Vec<Token>) -> bool {
    let before = tokens.len();
    let same = |a: &Token, b: &Token| match (a, b) {
        (Token::Text { bytes: a, .. }, Token::Text { bytes: b, .. }) => a == b,
        (Token::Mark(_), Token::Mark(_)) => true,
        _ => false,
    };
    for size in 1..=MAX_LOOP_WORDS * 2 {
        let mut start = 0;
        while start + size <= tokens.len() {
            let mut end = start + size;
            while end < tokens.len() && same(&tokens[end], &tokens[end - size]) {
                end += 1;
            }
            let spoken = tokens[start..start + size]
                .iter()
                .any(|token| matches!(token, Token::Text { .. }));
            if spoken && (end - start) / size > MAX_REPEATS {
                tokens.drain(start + size..start + (end - start) / size * size);
            }
            start += 1;
        }
    }
    tokens.len() < before
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
}
