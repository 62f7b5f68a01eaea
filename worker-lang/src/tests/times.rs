//! What is heard has the times that a player shows.

use super::{captions, media::Media, text, words};
use crate::text::transcript::join;
use vidp_contract::SubtitleOptions;

const TONE: &str = "-f lavfi -i sine=f=440:d=2:r=48000 -af volume=enable='gte(t,1)':volume=0";

/// Tells for each half second of the sound whether it is loud.
async fn loud(media: &Media) -> Vec<bool> {
    let heard = media.heard().await;
    let halves = heard.chunks(8000).filter(|half| half.len() > 2000);
    halves
        .map(|half| {
            half[half.len() / 4..half.len() * 3 / 4]
                .iter()
                .any(|sample| sample.abs() > 0.02)
        })
        .collect()
}

/// Each part has a second of tone and a second of silence. Nothing is lost or added between them.
#[tokio::test]
async fn a_change_of_layout_or_rate_keeps_the_time() {
    let check = async |extension: &str, parts: &[&str]| {
        let mut whole: Option<Media> = None;
        for part in parts {
            let part = Media::of(&format!("{TONE} {part}"), extension).await;
            whole = Some(match whole {
                Some(whole) => whole.followed_by(&part),
                None => part,
            });
        }
        let media = whole.unwrap().copied_to("ts").await;
        let expected: Vec<bool> = parts.iter().flat_map(|_| [true, true, false, false]).collect();
        let mut found = loud(&media).await;
        // A frame of the encoder may be left at the end.
        found.truncate(expected.len());
        assert_eq!(found, expected, "{parts:?}");
    };
    let (stereo, surround) = ("-ac 2 -c:a ac3", "-ac 6 -c:a ac3");
    check("ac3", &[stereo, surround]).await;
    check("ac3", &[surround, stereo, surround]).await;
    check("mp2", &["-ac 2 -ar 48000", "-ac 2 -ar 44100", "-ac 1 -ar 48000"]).await;
    check(
        "aac",
        &["-ac 2 -c:a aac", "-ac 6 -c:a aac", "-ac 1 -ar 44100 -c:a aac"],
    )
    .await;
}

#[tokio::test]
async fn a_late_start_and_a_gap_are_silence() {
    let picture = "-f lavfi -i testsrc2=s=64x36:r=10:d=6";
    let tone = "-f lavfi -i sine=f=440:d=3:r=48000";
    for extension in ["mp4", "mkv", "ts"] {
        let media = Media::of(
            &format!("{picture} -itsoffset 3 {tone} -map 0 -map 1 -c:a aac"),
            extension,
        )
        .await;
        let found = loud(&media).await;
        assert_eq!(found[..5], [false; 5], "{extension}");
        assert_eq!(found[6..11], [true; 5], "{extension}");
        assert!(found.len() <= 13, "{extension}: {found:?}");
    }
    let gap = "-af aselect='not(between(t,1,2))' -fflags +genpts -c:a pcm_s16le";
    let media = Media::of(&format!("{tone} {gap}"), "mkv").await;
    assert_eq!(loud(&media).await, [true, true, false, false, true, true]);
}

#[tokio::test]
async fn a_recording_that_changes_to_surround_has_its_captions_in_time() {
    let first = Media::of("-t 12 -i {en} -ac 2 -ar 48000 -c:a ac3", "ac3").await;
    let second = Media::of("-ss 12 -t 8 -i {en} -ar 48000 -af pan=5.1|c2=c0 -c:a ac3", "ac3").await;
    let media = first.followed_by(&second).copied_to("ts").await;
    let options = SubtitleOptions::default();
    let transcript = text(&media, &options).await.unwrap();
    let whole = text(&Media::of("-t 20 -i {en}", "flac").await, &options)
        .await
        .unwrap();
    assert!(
        (transcript.duration - 20.0).abs() < 0.2,
        "{}",
        transcript.duration
    );
    // The last words come when they are said.
    let end = |transcript: &crate::text::transcript::Transcript| transcript.segments.last().unwrap().end;
    assert!(
        (end(&transcript) - end(&whole)).abs() < 1.0,
        "{} {}",
        end(&transcript),
        end(&whole)
    );
}

/// A cut live stream keeps the clock of the broadcast.
#[tokio::test]
async fn a_clock_that_begins_at_an_hour_is_the_start_of_the_film() {
    let picture = "-f lavfi -i testsrc2=s=64x36:r=10:d=12";
    let media = Media::of(
        &format!("-t 12 -i {{en}} {picture} -map 1 -map 0 -c:a aac -output_ts_offset 3600"),
        "mkv",
    )
    .await;
    let report = super::language(super::Input::File(&media.path), &Default::default())
        .await
        .unwrap();
    assert_eq!(report.language.code, "en");
    assert!(report.windows[0].start < 1.0, "{:?}", report.windows);
    let captioned = captions(&media, &SubtitleOptions::default()).await.unwrap();
    let first = &captioned.transcript.segments[0];
    assert!(
        first.start < 2.0 && captioned.transcript.duration < 12.5,
        "{first:?}"
    );
    assert!(words(&join(&first.words)).len() > 3, "{first:?}");
}
