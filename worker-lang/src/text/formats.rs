//! Writes captions and transcripts as files. Pure.

use super::{
    captions::Cue,
    transcript::{Segment, Transcript, join},
};
use serde::Serialize;
use std::fmt::Write;
use vidp_contract::SubtitleFormat;

/// Seconds of silence from which plain text begins a new paragraph.
const PARAGRAPH_PAUSE: f64 = 2.0;

/// Writes one format: UTF-8 text with `\n` at the end of each line.
///
/// `language` is the language of the text, which may be a translation.
pub(crate) fn write(format: SubtitleFormat, language: &str, transcript: &Transcript, cues: &[Cue]) -> String {
    match format {
        SubtitleFormat::Srt => srt(cues),
        SubtitleFormat::Vtt => vtt(cues),
        SubtitleFormat::Json => json(language, transcript),
        SubtitleFormat::Txt => txt(&transcript.segments),
    }
}

/// SubRip. The format has no escapes, so `-->` in the text, which would look like a time line, becomes `→`.
fn srt(cues: &[Cue]) -> String {
    let mut file = String::new();
    for (index, cue) in cues.iter().enumerate() {
        let (start, end) = (clock(cue.start, ','), clock(cue.end, ','));
        let text = cue.lines.join("\n").replace("-->", "→");
        let _ = writeln!(file, "{}\n{start} --> {end}\n{text}\n", index + 1);
    }
    file
}

/// WebVTT, with the escapes of cue text: <https://www.w3.org/TR/webvtt1/#webvtt-cue-text-span>.
fn vtt(cues: &[Cue]) -> String {
    let mut file = "WEBVTT\n\n".to_owned();
    for cue in cues {
        let (start, end) = (clock(cue.start, '.'), clock(cue.end, '.'));
        let text = cue.lines.join("\n");
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let _ = writeln!(file, "{start} --> {end}\n{text}\n");
    }
    file
}

/// The transcript as JSON, with the times of words.
fn json(language: &str, transcript: &Transcript) -> String {
    #[derive(Serialize)]
    struct File<'a> {
        language: &'a str,
        duration: f64,
        segments: &'a [Segment],
    }
    let file = File {
        language,
        duration: transcript.duration,
        segments: &transcript.segments,
    };
    serde_json::to_string(&file).expect("strings and finite numbers are JSON")
}

/// Plain text with one paragraph per line.
fn txt(segments: &[Segment]) -> String {
    let mut file = String::new();
    let mut words = segments.iter().flat_map(|segment| &segment.words).peekable();
    let mut paragraph = Vec::new();
    while let Some(word) = words.next() {
        paragraph.push(word);
        if words
            .peek()
            .is_none_or(|next| next.start - word.end >= PARAGRAPH_PAUSE)
        {
            file.push_str(&join(paragraph.drain(..)));
            file.push('\n');
        }
    }
    file
}

/// Formats a time as `hours:minutes:seconds`, with milliseconds after `point`.
fn clock(millis: u64, point: char) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{rest:03}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::transcript::Word;

    fn transcript() -> Transcript {
        let word = |text: &str, start: f64| Word {
            text: text.to_owned(),
            start,
            end: start + 0.5,
            probability: 0.75,
            spaced: true,
        };
        let segment = |words: Vec<Word>| Segment {
            start: words[0].start,
            end: words[words.len() - 1].end,
            text: join(&words),
            words,
        };
        Transcript {
            language: "en".to_owned(),
            other_languages: Vec::new(),
            segments: vec![
                segment(vec![word("AT&T", 0.5), word("<b>", 1.0)]),
                segment(vec![word("-->", 5.0), word("é語", 5.5)]),
            ],
            speech_seconds: 2.0,
            duration: 9.5,
        }
    }

    fn check(format: SubtitleFormat, expected: &str) {
        let cues = [
            Cue {
                start: 500,
                end: 1500,
                lines: vec!["AT&T".to_owned(), "<b>".to_owned()],
            },
            Cue {
                start: 3_605_000,
                end: 3_606_007,
                lines: vec!["--> é語".to_owned()],
            },
        ];
        assert_eq!(write(format, "en", &transcript(), &cues), expected);
    }

    #[test]
    fn files_are_written_and_escaped() {
        check(
            SubtitleFormat::Srt,
            "1\n00:00:00,500 --> 00:00:01,500\nAT&T\n<b>\n\n2\n01:00:05,000 --> 01:00:06,007\n→ é語\n\n",
        );
        check(
            SubtitleFormat::Vtt,
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nAT&amp;T\n&lt;b&gt;\n\n01:00:05.000 --> 01:00:06.007\n--&gt; é語\n\n",
        );
        check(SubtitleFormat::Txt, "AT&T <b>\n--> é語\n");
        check(
            SubtitleFormat::Json,
            concat!(
                r#"{"language":"en","duration":9.5,"segments":[{"start":0.5,"end":1.5,"text":"AT&T <b>","words":["#,
                r#"{"word":"AT&T","start":0.5,"end":1.0,"probability":0.75},{"word":"<b>","start":1.0,"end":1.5,"probability":0.75}]},"#,
                r#"{"start":5.0,"end":6.0,"text":"--> é語","words":[{"word":"-->","start":5.0,"end":5.5,"probability":0.75},"#,
                r#"{"word":"é語","start":5.5,"end":6.0,"probability":0.75}]}]}"#
            ),
        );
    }
}
