//! A part of the sound does not decide for the whole, and both stages agree.

use super::{captions, language, media::Media, text, words};
use crate::text::transcript::join;
use vidp_contract::{DetectOptions, SkipCode, SubtitleOptions};
use vidp_worker::{TaskError, ffmpeg::Input};

#[tokio::test]
async fn speech_between_the_windows_is_found() {
    // Windows of this track begin after 50 s, and one of 20 s lies every 38 s.
    for delay in [0, 456_000] {
        let pad = format!("adelay={delay},apad=whole_dur=1000 -ac 1 -ar 16000 -c:a libopus -b:a 16k");
        let media = Media::of(&format!("-t 4 -i {{fr}} -af {pad}"), "ogg").await;
        let report = language(Input::File(&media.path), &DetectOptions::default())
            .await
            .unwrap();
        assert_eq!(report.language.code, "fr", "{delay}");
        let found = report.windows[0].start - f64::from(delay) / 1000.0;
        assert!(
            (-1.0..2.0).contains(&found) && report.windows.len() == 1,
            "{:?}",
            report.windows
        );
        let captioned = captions(&media, &SubtitleOptions::default()).await.unwrap();
        assert_eq!(captioned.transcript.language, "fr");
    }
}

/// Both stages have the same bound for what is speech.
#[tokio::test]
async fn short_sounds_have_one_verdict() {
    let pad = "adelay=1000,apad=pad_dur=1 -c:a flac";
    for sound in [
        format!("-ss 0.3 -t 0.05 -i {{en}} -af {pad}"),
        format!("-ss 0.3 -t 0.2 -i {{en}} -af {pad}"),
        format!("-ss 0.3 -t 0.4 -i {{en}} -af {pad}"),
        format!("-ss 0.3 -t 0.6 -i {{en}} -af {pad}"),
        format!("-f lavfi -i anoisesrc=color=brown:d=0.3 -af {pad}"),
    ] {
        let media = Media::of(&sound, "flac").await;
        let detected = language(Input::File(&media.path), &DetectOptions::default()).await;
        let captioned = captions(&media, &SubtitleOptions::default()).await;
        match (detected, captioned) {
            (Ok(report), Ok(captioned)) => {
                assert_eq!(report.language.code, captioned.transcript.language, "{sound}");
                let (report, cues) = crate::subtitle::caption(&captioned, &SubtitleOptions::default());
                assert!(report.words > 0 && report.words < 8, "{sound}: {cues:?}");
                assert!(cues.iter().all(|cue| cue.end <= 2700), "{sound}: {cues:?}");
            }
            (Err(TaskError::Skip(SkipCode::NoSpeech)), Err(TaskError::Skip(SkipCode::NoSpeech))) => {
                assert!(!sound.contains("-t 0.6"), "{sound}");
            }
            (detected, captioned) => panic!("{sound}: {detected:?}, {captioned:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_said_nine_times_is_written_nine_times() {
    let phrase = Media::of("-t 2.45 -i {en} -ac 1 -ar 16000", "wav").await;
    let loops = format!("-stream_loop 8 -i {} -c:a flac", phrase.path.display());
    let media = Media::of(&loops, "flac").await;
    let transcript = text(&media, &SubtitleOptions::default()).await.unwrap();
    let found = words(&join(
        transcript.segments.iter().flat_map(|segment| &segment.words),
    ));
    assert!((60..=85).contains(&found.len()), "{}: {found:?}", found.len());
    let longest = transcript.segments.iter().flat_map(|segment| &segment.words);
    let longest = longest.map(|word| word.end - word.start).fold(0.0, f64::max);
    assert!(longest < 2.0, "{longest}");
}

/// A pipe has no sizes in its header, and a broadcast loses a packet now and then.
#[tokio::test]
async fn a_bad_packet_does_not_take_all_captions() {
    let piped = Media::of("-t 4 -i {en} -ac 1 -ar 16000", "wav").await;
    for size in [0_u32, u32::MAX] {
        let mut bytes = std::fs::read(&piped.path).unwrap();
        let data = bytes.windows(4).position(|name| name == b"data").unwrap() + 4;
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        bytes[data..data + 4].copy_from_slice(&size.to_le_bytes());
        std::fs::write(&piped.path, bytes).unwrap();
        let captioned = captions(&piped, &SubtitleOptions::default()).await.unwrap();
        assert!(!captioned.transcript.segments.is_empty());
    }
    for codec in ["aac", "ac3", "mp2"] {
        let media = Media::of(&format!("-t 9 -i {{en}} -ar 48000 -c:a {codec}"), "ts").await;
        let mut bytes = std::fs::read(&media.path).unwrap();
        let middle = bytes.len() / 188 / 2 * 188;
        bytes.drain(middle..middle + 188);
        std::fs::write(&media.path, &bytes).unwrap();
        let captioned = captions(&media, &SubtitleOptions::default()).await.unwrap();
        let transcript = &captioned.transcript;
        assert!(
            (transcript.duration - 9.0).abs() < 0.3,
            "{codec}: {}",
            transcript.duration
        );
        assert!(transcript.segments.last().unwrap().end > 7.0, "{codec}");
        let (report, _) = crate::subtitle::caption(&captioned, &SubtitleOptions::default());
        assert!(report.decode_errors < 10, "{codec}: {}", report.decode_errors);
    }
}

/// The text of a film with two languages has one language, and the report names the other.
#[tokio::test]
async fn a_second_language_is_named() {
    let join = "[0]atrim=0:14[a];[1]atrim=0:28[b];[a][b]concat=n=2:v=0:a=1 -ac 1 -ar 16000";
    let media = Media::of(&format!("-i {{fr}} -i {{en}} -filter_complex {join}"), "flac").await;
    let captioned = captions(&media, &SubtitleOptions::default()).await.unwrap();
    let (report, _) = crate::subtitle::caption(&captioned, &SubtitleOptions::default());
    let named = |code: &str| {
        report.language.code == code || report.other_languages.iter().any(|other| other.code == code)
    };
    assert!(named("en") && named("fr"), "{report:?}");
}
