//! Captions of given and of random words.

use super::*;

/// Words that last half a second each; `_` is a pause of one second.
fn spoken(text: &str) -> Vec<Word> {
    let mut time = 0.0;
    let mut words = Vec::new();
    for part in text.split(' ') {
        if part == "_" {
            time += 1.0;
            continue;
        }
        words.push(Word {
            text: part.to_owned(),
            start: time,
            end: time + 0.5,
            probability: 1.0,
            spaced: true,
        });
        time += 0.5;
    }
    words
}

fn check(text: &str, expected: &[&str]) {
    let words = spoken(text);
    let duration = words.last().map_or(0.0, |word| word.end) + 5.0;
    let found = cues(&words, duration, &Rules::of("en"));
    let lines: Vec<String> = found.iter().map(|cue| cue.lines.join(" / ")).collect();
    assert_eq!(lines, expected, "{found:?}");
}

#[test]
fn captions_end_where_sentences_and_phrases_do() {
    check("Yes.", &["Yes."]);
    check("Hello there.", &["Hello there."]);
    check(
        "I went home early. Then it began to rain.",
        &["I went home early.", "Then it began to rain."],
    );
    check(
        "Wait here. _ _ Somebody is coming now.",
        &["Wait here.", "Somebody is coming now."],
    );
    check(
        "Please press one to mute yourself, two to lock the conference and three to leave",
        &[
            "Please press one to mute yourself,",
            "two to lock the conference / and three to leave",
        ],
    );
}

#[test]
fn lines_break_at_phrases() {
    let lines = |text: &str| lay_out(&spoken(text), &Rules::of("en")).join(" / ");
    assert_eq!(lines("Short enough for one line"), "Short enough for one line");
    assert_eq!(
        lines("The director wanted the scene filmed again and the actors agreed"),
        "The director wanted the scene filmed again / and the actors agreed"
    );
    assert_eq!(
        lines("When the morning came at last, everybody went to sleep"),
        "When the morning came at last, / everybody went to sleep"
    );
}

#[test]
fn short_captions_last_into_the_silence() {
    let words = spoken("Yes. _ _ _ _ No.");
    let found = cues(&words, 30.0, &Rules::of("en"));
    assert_eq!((found[0].start, found[0].end), (0, 1000));
    assert_eq!((found[1].start, found[1].end), (4500, 5500));
    // A caption never lasts longer than the track.
    let found = cues(&words, 5.2, &Rules::of("en"));
    assert_eq!(found[1].end, 5200);
    assert_eq!(rules_kept(&found, &Rules::of("en")), 0.5);
}

#[test]
fn chinese_lines_are_short() {
    let words: Vec<Word> = "今天天气很好我们一起去公园散步吧然后再去吃饭因为大家都已经饿了"
        .chars()
        .enumerate()
        .map(|(index, c)| Word {
            text: c.to_string(),
            start: index as f64 * 0.25,
            end: index as f64 * 0.25 + 0.25,
            probability: 1.0,
            spaced: false,
        })
        .collect();
    let rules = Rules::of("zh");
    let found = cues(&words, 20.0, &rules);
    assert!(
        found
            .iter()
            .flat_map(|cue| &cue.lines)
            .all(|line| line.chars().count() <= 16),
        "{found:?}"
    );
    assert_eq!(rules_kept(&found, &rules), 1.0, "{found:?}");
}

#[test]
fn any_words_make_orderly_captions() {
    // xorshift with a fixed seed makes the same words in every run.
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for round in 0..300 {
        let rules = Rules::of(["en", "fr", "ja", "ko"][round % 4]);
        let mut time = random(3000) as f64 / 1000.0;
        let words: Vec<Word> = (0..random(120))
            .map(|_| {
                let longest = if random(40) == 0 { 90 } else { 12 };
                let length = 1 + random(longest);
                let letter = if round % 4 == 2 && random(4) > 0 {
                    '語'
                } else {
                    'w'
                };
                let mut text: String = std::iter::repeat_n(letter, length as usize).collect();
                text.push_str(["", "", "", ",", ".", "?"][random(6) as usize]);
                let start = time
                    + if random(8) == 0 {
                        random(4000) as f64 / 1000.0
                    } else {
                        0.0
                    };
                time = start + random(700) as f64 / 1000.0;
                Word {
                    text,
                    start,
                    end: time,
                    probability: 1.0,
                    spaced: round % 4 != 2,
                }
            })
            .collect();
        let found = cues(&words, time, &rules);
        let text = |spaced: bool| {
            found
                .iter()
                .flat_map(|cue| cue.lines.clone())
                .collect::<Vec<_>>()
                .join(if spaced { " " } else { "" })
        };
        let all: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(
            text(round % 4 != 2),
            all.join(if round % 4 != 2 { " " } else { "" }),
            "no word is lost"
        );
        for cue in &found {
            assert!(cue.end > cue.start && cue.end - cue.start <= 7000, "{cue:?}");
            assert!((1..=2).contains(&cue.lines.len()), "{cue:?}");
            let longest_word = words
                .iter()
                .map(|word| lines::width(&word.text))
                .max()
                .unwrap_or(0);
            let limit = rules.width.max(longest_word);
            assert!(
                cue.lines.iter().all(|line| lines::width(line) <= limit),
                "{cue:?}"
            );
        }
        for pair in found.windows(2) {
            let apart = pair[1].start.saturating_sub(pair[0].end);
            let room = pair[1].start - pair[0].start;
            assert!(apart >= 83 || room < 100, "{pair:?}");
        }
    }
}
