//! The files to upload, each with its expected verdict.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// A file with its job options and its expected verdict.
pub struct Sample {
    /// Name for reports.
    pub name: &'static str,
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// Duration in seconds, for files with renditions; otherwise 0.
    pub seconds: f64,
    /// Relative frequency among all samples.
    pub weight: u32,
    /// The job's options.
    pub options: Value,
    /// The expected status of the job, and the expected code of each stage (empty for a success).
    pub verdict: (&'static str, Vec<(&'static str, &'static str)>),
}

/// Name of the sample that needs much memory to decode.
pub const LARGE: &str = "large";

/// Name of the sample that is encoded in parts.
pub const FILM: &str = "film";

/// Makes the samples with ffmpeg. The speech is from the project's samples.
///
/// The files are small, so that thousands of jobs can run.
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
    let film = file(
        "film.mp4",
        &format!(
            "-f lavfi -i sine=beep_factor=4:d=20 {} -crf 20 -g 20 -c:a aac -b:a 16k -ar 16000",
            tiny.replace("d=1", "d=20")
        ),
    )?;
    let sound = file("sound.m4a", &format!("-t 3 -i {voice} -c:a aac -b:a 48k"))?;
    // Long enough that a cut in the middle removes frames.
    let longer = "-f lavfi -i testsrc2=s=256x144:r=10:d=20 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    // Few bytes, many pixels: its frames need more memory than those of any other sample.
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
            FILM,
            film,
            20.0,
            2,
            scale.clone(),
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
            ("succeeded", vec![("scale", "no_video")]),
        ),
        // Weight 0: only the fault `memory` uploads it.
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

/// The index of the sample with this name.
///
/// # Panics
/// When no sample has the name.
pub fn index_of(samples: &[Sample], name: &str) -> usize {
    let found = samples.iter().position(|sample| sample.name == name);
    found.unwrap_or_else(|| panic!("no sample is named {name}"))
}

/// The index of a random sample, chosen by weight.
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

/// Duration of a file in seconds, from ffprobe.
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
