//! The files that are uploaded, each with the verdict that it must get.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// A file with its job options and its expected verdict.
pub struct Sample {
    /// For reports.
    pub name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// Seconds that it lasts, for those that have renditions.
    pub seconds: f64,
    /// How often it comes, against the others.
    pub weight: u32,
    /// The job's options.
    pub options: Value,
    /// The job's status, and each stage's status with its code.
    pub verdict: (&'static str, Vec<(&'static str, &'static str)>),
}

/// The file that takes much memory to decode.
pub const LARGE: &str = "large";

/// Makes them with ffmpeg. They are small, so that thousands of jobs pass; the speech is that of the project's samples.
pub fn make(folder: &Path) -> Result<Vec<Sample>> {
    std::fs::create_dir_all(folder)?;
    let voice = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/speech/en.ogg");
    let voice = voice.display();
    let tiny = "-f lavfi -i testsrc2=s=256x144:r=10:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let file = |name: &str, args: &str| ffmpeg(folder, name, args);
    let whole = file("tiny.mp4", &format!("{tiny} -movflags +faststart"))?;
    let spoken = file(
        "spoken.mp4",
        &format!("-t 5 -i {voice} {tiny} -c:a aac -b:a 48k -map 1:v -map 0:a"),
    )?;
    let sound = file("sound.m4a", &format!("-t 3 -i {voice} -c:a aac -b:a 48k"))?;
    // Long enough that a part of it is lost when it is cut in the middle.
    let longer = "-f lavfi -i testsrc2=s=256x144:r=10:d=20 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    // Few bytes, many pixels: its frames take more memory than all the others' files.
    let large = file(
        "large.mp4",
        "-f lavfi -i color=s=8000x4300:r=1:d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 1",
    )?;
    let mut cut = file("cut.mp4", &format!("{longer} -movflags +faststart"))?;
    cut.truncate(cut.len() / 2);
    let scale = json!({ "stages": ["scale"], "scale": { "renditions": ["144p"] } });
    let batch = json!({ "stages": ["scale"], "scale": { "renditions": ["144p"] }, "lane": "batch" });
    let detect = json!({ "stages": ["detect"] });
    let both = json!({ "stages": ["detect", "subtitle"] });
    Ok(vec![
        sample(
            "tiny",
            whole.clone(),
            1.0,
            40,
            scale.clone(),
            ("succeeded", vec![("scale", "")]),
        ),
        sample(
            "tiny in a batch",
            whole.clone(),
            1.0,
            30,
            batch,
            ("succeeded", vec![("scale", "")]),
        ),
        sample(
            "spoken",
            spoken.clone(),
            0.0,
            3,
            both,
            ("succeeded", vec![("detect", ""), ("subtitle", "")]),
        ),
        sample(
            "mute",
            whole,
            0.0,
            50,
            detect.clone(),
            ("succeeded", vec![("detect", "no_audio")]),
        ),
        sample(
            "text",
            b"this is no video at all\n".repeat(9),
            0.0,
            30,
            scale.clone(),
            ("failed", vec![("scale", "unsupported_media")]),
        ),
        sample(
            "cut",
            cut,
            0.0,
            12,
            scale.clone(),
            ("failed", vec![("scale", "damaged_media")]),
        ),
        sample(
            "sound",
            sound,
            0.0,
            20,
            scale.clone(),
            ("failed", vec![("scale", "no_video_stream")]),
        ),
        // Comes only where memory is short.
        sample(
            LARGE,
            large,
            4.0,
            0,
            scale,
            ("failed", vec![("scale", "attempts_exhausted")]),
        ),
    ])
}

fn sample(
    name: &'static str,
    bytes: Vec<u8>,
    seconds: f64,
    weight: u32,
    options: Value,
    verdict: (&'static str, Vec<(&'static str, &'static str)>),
) -> Sample {
    Sample {
        name,
        bytes,
        seconds,
        weight,
        options,
        verdict,
    }
}

fn ffmpeg(folder: &Path, name: &str, args: &str) -> Result<Vec<u8>> {
    let path = folder.join(name);
    let done = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(args.split(' '))
        .arg(&path)
        .output()?;
    ensure!(
        done.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(std::fs::read(path)?)
}

/// The place of the one with this name.
///
/// # Panics
/// When there is none.
pub fn place(samples: &[Sample], name: &str) -> usize {
    let found = samples.iter().position(|sample| sample.name == name);
    found.unwrap_or_else(|| panic!("there is no sample {name}"))
}

/// The place of one of them, by their weights.
pub fn pick(samples: &[Sample], random: &mut fastrand::Rng) -> usize {
    let all: u32 = samples.iter().map(|sample| sample.weight).sum();
    let mut left = random.u32(0..all);
    for (place, sample) in samples.iter().enumerate() {
        if left < sample.weight {
            return place;
        }
        left -= sample.weight;
    }
    unreachable!("the weights add up")
}

/// Seconds that a file lasts, as ffprobe has it.
pub fn duration(path: &Path) -> Result<f64> {
    let done = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()?;
    Ok(String::from_utf8(done.stdout)?.trim().parse()?)
}
