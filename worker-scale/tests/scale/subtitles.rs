//! Text subtitles of the source.

use crate::clip::{Clip, H264, PICTURE, SOUND};
use std::fs;
use vidp_contract::{DropReason, ScaleOptions};
use worker_scale::{Gains, Job, Subtitles};

const TEXT: &str = "1\n00:00:00,500 --> 00:00:01,000\n<i>Oui</i>, a < b & c\n\n2\n00:00:01,000 --> 00:00:01,500\ntwo\nlines\n";

/// A film with these subtitle tracks, by ffmpeg's options for them.
async fn film(name: &str, tracks: &str) -> Clip {
    let clip = Clip::make("a.mkv", &format!("{PICTURE} {SOUND} {H264}")).await;
    let folder = clip.folder.path().to_owned();
    fs::write(folder.join("t.srt"), TEXT).unwrap();
    let tracks = tracks.replace("{d}", &folder.display().to_string());
    clip.remade(name, &tracks).await
}

async fn subtitles(clip: &Clip) -> Vec<Subtitles> {
    let probe = clip.probe().await;
    let job = Job {
        settings: &clip.settings,
        source: &clip.path,
        probe: &probe,
        options: &ScaleOptions::default(),
        folder: clip.folder.path(),
        space: u64::MAX,
        gains: &Gains::new(),
        packets: &tokio::sync::OnceCell::new(),
        cancel: &clip.cancel,
        attempt: None,
    };
    job.subtitles().await.unwrap()
}

#[tokio::test]
async fn text_subtitles_become_files() {
    let tracks = "-i {d}/t.srt -map 0 -map 1 -map 1 -c copy -metadata:s:s:0 language=fra -metadata:s:s:1 language=eng \
        -disposition:s:1 forced+hearing_impaired";
    for (name, codec) in [
        ("s.mkv", "srt"),
        ("s.mp4", "mov_text"),
        ("s.mkv", "ass"),
        ("s.mkv", "webvtt"),
    ] {
        let clip = film(name, &format!("{tracks} -c:s {codec}")).await;
        let found = subtitles(&clip).await;
        let [first, second] = &found[..] else {
            panic!("{codec}: {} tracks", found.len());
        };
        let (first, second) = (first.made.as_ref().unwrap(), second.made.as_ref().unwrap());
        let flags = |one: &worker_scale::Captions| {
            let report = &one.report;
            (
                report.language.clone().unwrap(),
                report.forced,
                report.hearing_impaired,
            )
        };
        assert_eq!(flags(first), ("fra".to_owned(), false, false), "{codec}");
        assert_eq!(flags(second), ("eng".to_owned(), true, true), "{codec}");
        assert_eq!(&*second.file.name, "captions-2.vtt");
        assert_eq!(second.report.name, "captions-2.vtt");
        let text = fs::read_to_string(&first.path).unwrap();
        let cues: Vec<&str> = text.trim_end().split("\n\n").collect();
        assert_eq!(cues.len(), 3, "{codec}: {text}");
        let (time, words) = cues[1].split_once('\n').unwrap();
        // WebVTT of ffmpeg has lost the words behind `<` before.
        let expected = match codec {
            "webvtt" => "<i>Oui</i>, a",
            _ => "<i>Oui</i>, a &lt; b &amp; c",
        };
        assert!(words.starts_with(expected), "{codec}: {text}");
        let start: f64 = time.strip_prefix("00:00:0").unwrap()[..5].parse().unwrap();
        // The sound of Matroska begins before 0, and the film with it.
        assert!((start - 0.5).abs() < 0.05, "{codec}: {text}");
        assert!(cues[2].ends_with("\ntwo\nlines"), "{codec}: {text}");
        assert!(!clip.folder.path().join("subtitles-2.ass").exists());
    }
}

/// A track may have more text than is accepted. The others become files all the same.
#[tokio::test]
async fn a_track_that_is_too_large_costs_no_other() {
    let large = tempfile::tempdir().unwrap();
    let path = large.path().join("large.srt");
    let text = "text ".repeat(20_000);
    let cue = |n: usize| format!("{n}\n00:00:01,{n:03} --> 00:00:01,500\n{n} {text}\n\n");
    fs::write(&path, (1..=170).map(cue).collect::<String>()).unwrap();
    let tracks = format!(
        "-i {{d}}/t.srt -i {} -map 0 -map 2 -map 1 -c copy -c:s srt",
        path.display()
    );
    let found = subtitles(&film("s.mkv", &tracks).await).await;
    assert_eq!(found[0].made.as_ref().err(), Some(&DropReason::Undecodable));
    assert_eq!(&*found[1].made.as_ref().unwrap().file.name, "captions-1.vtt");
}

#[tokio::test]
async fn empty_tracks_and_too_many_are_dropped() {
    let empty = film(
        "s.mkv",
        "-i {d}/t.srt -map 0 -map 1 -map 1 -c copy -c:s srt -bsf:s:0 noise=drop=1",
    )
    .await;
    let found = subtitles(&empty).await;
    assert_eq!(found[0].made.as_ref().err(), Some(&DropReason::Empty));
    assert_eq!(&*found[1].made.as_ref().unwrap().file.name, "captions-1.vtt");

    let maps = "-map 1 ".repeat(17);
    let many = film("s.mkv", &format!("-i {{d}}/t.srt -map 0 {maps} -c copy -c:s srt")).await;
    let found = subtitles(&many).await;
    assert_eq!(found.iter().filter(|track| track.made.is_ok()).count(), 16);
    assert_eq!(found[16].made.as_ref().err(), Some(&DropReason::TooMany));

    let none = Clip::make("a.mkv", &format!("{PICTURE} {SOUND} {H264}")).await;
    assert!(subtitles(&none).await.is_empty());
}
