//! Converts tokens of the model to words with times.

use super::{
    spelling::spell,
    timing::timed,
    tokens::Token,
    transcript::{Segment, join},
};

/// The segments of a window of `length` seconds. Times are seconds from the window's start.
pub(crate) fn segments(tokens: &[Token], length: f64) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut start = 0.0;
    let mut text: Vec<&Token> = Vec::new();
    let mut close = |start: f64, end: f64, text: &mut Vec<&Token>| {
        let words = timed(
            spell(text),
            start.min(length),
            end.clamp(start.min(length), length),
        );
        text.clear();
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            segments.push(Segment {
                start: first.start,
                end: last.end,
                text: join(&words),
                words,
            });
        }
    };
    for token in tokens {
        match token {
            Token::Mark(time) => {
                close(start, *time, &mut text);
                start = start.max(*time);
            }
            Token::Text { .. } => text.push(token),
        }
    }
    close(start, length, &mut text);
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tokens::heard_until;

    fn text(bytes: &[u8]) -> Token {
        Token::Text {
            bytes: bytes.to_vec(),
            probability: 0.5,
            hint: None,
        }
    }

    /// `|` separates tokens, and `/` separates words.
    fn check(tokens: &str, expected: &str) {
        let tokens: Vec<Token> = tokens.split('|').map(|part| text(part.as_bytes())).collect();
        let words: Vec<String> = segments(&tokens, 10.0)
            .into_iter()
            .flat_map(|segment| segment.words)
            .map(|word| word.text)
            .collect();
        assert_eq!(words.join("/"), expected);
    }

    #[test]
    fn tokens_become_words() {
        check(" Hel|lo|,| world|!", "Hello,/world!");
        check(" \"|Hello|\"|,| he| said|.", "\"Hello\",/he/said.");
        check(" Bonjour| ?| Oui", "Bonjour\u{a0}?/Oui");
        check(" -| Hello|.| -| Yes|.", "-\u{a0}Hello./-\u{a0}Yes.");
        check(" ¿|Qué| tal|?", "¿Qué/tal?");
        check(" don|'t| l|'|homme", "don't/l'homme");
        check(" |Hello", "Hello");
        check(" 3|.|5| %", "3.5\u{a0}%");
        check(" well|-|known", "well-known");
    }

    #[test]
    fn scripts_without_spaces_are_cut() {
        check("你好|，|世界|。", "你/好，/世/界。");
        check("「|テレビ|」|を|見|た|。", "「テレビ」/を/見/た。");
        check("ちょっ|と", "ちょっ/と");
        check("ส|วั|ส|ดี|เ|พื่อน", "ส/วั/ส/ดี/เพื่อน");
        check("한국|어| 문장|.", "한국어/문장.");
        check("AI|は|GPT|-|4", "AI/は/GPT-4");
    }

    #[test]
    fn characters_spread_over_tokens_are_put_together() {
        let bytes = "я 🙂語".as_bytes();
        let tokens: Vec<Token> = bytes.iter().map(|byte| text(&[*byte])).collect();
        let words = segments(&tokens, 4.0).remove(0);
        assert_eq!(words.text, "я 🙂語");
        assert_eq!(words.words.len(), 3);
        let broken = [text(b" ok"), text(&[0xe8, 0xaa])];
        assert_eq!(segments(&broken, 4.0)[0].text, "ok\u{fffd}");
    }

    #[test]
    fn times_follow_marks_hints_and_lengths() {
        let hinted = |bytes: &[u8], hint| Token::Text {
            bytes: bytes.to_vec(),
            probability: 1.0,
            hint: Some(hint),
        };
        let tokens = [
            Token::Mark(1.0),
            text(b" aa"),
            text(b" aa"),
            hinted(b" bb", 2.0),
            // This hint is before the previous one, so it is ignored.
            hinted(b" cc", 0.5),
            Token::Mark(4.0),
            Token::Mark(5.0),
            text(b" dd"),
            // This timestamp is after the end of the window.
            Token::Mark(30.0),
        ];
        let found = segments(&tokens, 6.0);
        let times: Vec<(f64, f64)> = found
            .iter()
            .flat_map(|segment| &segment.words)
            .map(|word| (word.start, word.end))
            .collect();
        assert_eq!(
            times,
            [(1.0, 1.5), (1.5, 2.0), (2.0, 3.0), (3.0, 4.0), (5.0, 6.0)]
        );
        assert_eq!(heard_until(&tokens), Some(30.0));
        assert_eq!(found[0].words[0].probability, 0.5);
    }
}
