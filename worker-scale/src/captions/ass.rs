//! Converts ASS, ffmpeg's inner form of text subtitles, to WebVTT. Pure.
//!
//! ffmpeg writes WebVTT itself, but it does not escape the text, so that a player loses words behind a `<`.

/// Fields of an event before its text: layer, start, end, style, name, three margins and effect.
const FIELDS: usize = 9;
/// Invisible character that ffmpeg sets behind a backslash of the text.
const WORD_JOINER: char = '\u{2060}';
/// Cues at most: a cue each second for a day.
const MAX_CUES: usize = 86_400;

/// A cue. Times in hundredths of a second.
#[derive(PartialEq)]
struct Cue {
    start: u64,
    end: u64,
    text: String,
}

/// The events of an ASS file as WebVTT, in the order of their times; `None` without any.
pub(super) fn to_vtt(ass: &str) -> Option<String> {
    let events = ass.lines().filter_map(|line| line.strip_prefix("Dialogue:"));
    let mut cues: Vec<Cue> = events.filter_map(cue).take(MAX_CUES).collect();
    cues.sort_by_key(|cue| (cue.start, cue.end));
    // A text may have another event for its outline or shadow.
    cues.dedup();
    let mut vtt = "WEBVTT\n".to_owned();
    for Cue { start, end, text } in &cues {
        vtt.push_str(&format!("\n{} --> {}\n{text}\n", time(*start), time(*end)));
    }
    (!cues.is_empty()).then_some(vtt)
}

/// One event; `None` for one without text or time.
fn cue(event: &str) -> Option<Cue> {
    let fields: Vec<&str> = event.trim_start().splitn(FIELDS + 1, ',').collect();
    let &[_, start, end, .., text] = fields.as_slice() else {
        return None;
    };
    let (start, end) = (hundredths(start)?, hundredths(end)?);
    let text = text_of(text);
    (fields.len() > FIELDS && end > start && !text.is_empty()).then_some(Cue { start, end, text })
}

/// A time such as `0:00:01.50` in hundredths of a second.
fn hundredths(time: &str) -> Option<u64> {
    let (whole, hundredths) = time.trim().split_once('.')?;
    let mut seconds = 0_u64;
    for part in whole.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.parse().ok()?)?;
    }
    seconds.checked_mul(100)?.checked_add(hundredths.parse().ok()?)
}

/// A time of WebVTT.
fn time(hundredths: u64) -> String {
    let (seconds, rest) = (hundredths / 100, hundredths % 100);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, rest * 10)
}

/// The text of an event as that of a cue: escaped, without drawings and empty lines, and with italics as its only style.
fn text_of(ass: &str) -> String {
    let mut text = String::new();
    let (mut is_italic, mut is_drawing) = (false, false);
    let mut rest = ass;
    // A search at each opening brace would take the square of the time.
    let last_brace = ass.rfind('}').unwrap_or(0);
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match (first, rest.chars().next()) {
            ('\\', Some('N' | 'n')) => {
                rest = &rest[1..];
                text.push('\n');
            }
            ('\\', Some('h')) => {
                rest = &rest[1..];
                text.push(' ');
            }
            ('\\', Some(brace @ ('{' | '}'))) => {
                rest = &rest[1..];
                text.push(brace);
            }
            ('\\', Some(WORD_JOINER)) => {
                rest = &rest[WORD_JOINER.len_utf8()..];
                text.push('\\');
            }
            ('{', _) if ass.len() - rest.len() <= last_brace => {
                let (style, behind) = rest.split_once('}').unwrap_or((rest, ""));
                rest = behind;
                is_drawing = drawing(style, is_drawing);
                let italic = italic(style, is_italic);
                if italic != is_italic {
                    text.push_str(if italic { "<i>" } else { "</i>" });
                }
                is_italic = italic;
            }
            _ if is_drawing => {}
            ('&', _) => text.push_str("&amp;"),
            ('<', _) => text.push_str("&lt;"),
            ('>', _) => text.push_str("&gt;"),
            _ => text.push(first),
        }
    }
    if is_italic {
        text.push_str("</i>");
    }
    // An empty line would end the cue.
    let lines = text.split(['\n', '\r']).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n").replace("<i></i>", "")
}

/// Says whether the text behind these styles is italic.
fn italic(style: &str, before: bool) -> bool {
    style.split('\\').fold(before, |is_italic, tag| match tag {
        "i0" | "r" => false,
        "i1" => true,
        _ => is_italic,
    })
}

/// Says whether the text behind these styles is a drawing: numbers of a vector graphic.
fn drawing(style: &str, before: bool) -> bool {
    let mut scales = style
        .split('\\')
        .filter_map(|tag| tag.strip_prefix('p')?.parse::<u32>().ok());
    scales.next_back().map_or(before, |scale| scale > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ass: &str, expected: &str) {
        assert_eq!(text_of(ass), expected, "{ass}");
    }

    #[test]
    fn texts_are_escaped_and_lose_styles() {
        check(r"{\i1}Hello{\i0} a < b & c", "<i>Hello</i> a &lt; b &amp; c");
        check(r"two\Nlines\n\N  three ", "two\nlines\nthree");
        check(r"{\an7}{\b1}bold{\r} {\c&HFF&}red", "bold red");
        check(r"{\i1\b1}all", "<i>all</i>");
        check(r"{\i1}{\i0}none", "none");
        check(
            "\\{{}laughs} in C:\\\u{2060}new\\hpage",
            "{laughs} in C:\\new page",
        );
        check("an open { brace", "an open { brace");
        check("closed } before { open", "closed } before { open");
        check("one\r\rtwo", "one\ntwo");
        check("-->", "--&gt;");
        check(r"{\an8}", "");
        check(r"{\pos(1,2)\p1}m 0 0 l 9 9{\p0} a sign", "a sign");
    }

    #[test]
    fn events_become_cues_in_order() {
        let ass = "[Events]\nFormat: Layer, Start\n\
            Dialogue: 0,1:02:03.04,1:02:04.00,Default,,0,0,0,,later, with a comma\n\
            Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not shown\n\
            Dialogue: 0,0:00:01.50,0:00:02.00,Default,,0,0,0,,first\n\
            Dialogue: 1,0:00:01.50,0:00:02.00,Outline,,0,0,0,,{\\bord3}first\n\
            Dialogue: 0,0:00:05.00,0:00:05.00,Default,,0,0,0,,too short\n\
            Dialogue: 0,never,0:00:05.00,Default,,0,0,0,,no time\n\
            Dialogue: 0,0:00:05.00\n";
        let expected = "WEBVTT\n\n00:00:01.500 --> 00:00:02.000\nfirst\n\n\
            01:02:03.040 --> 01:02:04.000\nlater, with a comma\n";
        assert_eq!(to_vtt(ass).as_deref(), Some(expected));
        assert_eq!(to_vtt("[Events]\n"), None);
        assert_eq!(hundredths("99999999999999999999:00.00"), None);
    }
}
