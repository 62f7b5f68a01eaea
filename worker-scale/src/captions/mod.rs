//! Text subtitles of the source, as WebVTT files.

mod ass;

use crate::job::Job;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use vidp_common::process::{Limits, ProcessError};
use vidp_contract::{CaptionsReport, DropReason, OutputFile, StreamKind};
use vidp_worker::ffmpeg::{self, Input, MediaError, SourceStream, process_limits};

/// Tracks that are converted at most.
const MAX_TRACKS: usize = 16;
/// Bytes of a track at most: the text of many films.
const MAX_BYTES: u64 = 16 << 20;

/// A text subtitle track of the source.
pub struct Subtitles {
    /// Index of the stream in the source.
    pub index: u32,
    /// The file, or the reason why there is none.
    pub made: Result<Captions, DropReason>,
}

/// A file in the folder of the job.
pub struct Captions {
    /// The output, for example `captions-1.vtt`.
    pub file: OutputFile,
    /// Path of the file.
    pub path: PathBuf,
    /// Its entry in the report.
    pub report: CaptionsReport,
}

impl Job<'_> {
    /// Converts the text subtitles. Times count from the beginning of the renditions. A track that ffmpeg refuses fails no job.
    ///
    /// # Errors
    /// A failure of the machine, or a cancellation.
    pub async fn subtitles(&self) -> Result<Vec<Subtitles>, MediaError> {
        let listed = self.probe.listed.iter();
        let tracks: Vec<(u32, &SourceStream)> = listed
            .filter(|stream| stream.kind == StreamKind::Subtitle && stream.obstacle.is_none())
            .filter_map(|stream| Some((stream.index?, stream)))
            .collect();
        let (tracks, rest) = tracks.split_at(tracks.len().min(MAX_TRACKS));
        let are_written = tracks.is_empty() || self.is_written(tracks).await?;
        let (mut all, mut count) = (Vec::new(), 0);
        for track in tracks {
            // A bad track costs the others nothing.
            let is_written = are_written || self.is_written(std::slice::from_ref(track)).await?;
            let made = match is_written {
                true => self.captions(track, count + 1).await?,
                false => Err(DropReason::Undecodable),
            };
            count += usize::from(made.is_ok());
            let (index, _) = *track;
            all.push(Subtitles { index, made });
        }
        all.extend(rest.iter().map(|(index, _)| Subtitles {
            index: *index,
            made: Err(DropReason::TooMany),
        }));
        Ok(all)
    }

    /// Writes tracks as ASS, in one run. False when ffmpeg refuses one of them.
    async fn is_written(&self, tracks: &[(u32, &SourceStream)]) -> Result<bool, MediaError> {
        let mut args = Input::File(self.source).args();
        for (index, _) in tracks {
            args.extend(["-map", &format!("0:{index}"), "-c:s", "ass", "-f", "ass"].map(Into::into));
            args.push(self.ass(*index).into());
        }
        let limits = Limits {
            file_size: MAX_BYTES,
            ..process_limits(self.probe.facts.duration)
        };
        let (tools, access) = (&self.settings.tools, self.access());
        let run = ffmpeg::run(tools, args, limits, &access, self.cancel, |_| {}).await;
        match run.map_err(MediaError::decoding) {
            Ok(_) => Ok(true),
            Err(MediaError::Media { detail, .. }) => {
                tracing::warn!(detail, "subtitles of the source cannot be converted");
                Ok(false)
            }
            Err(MediaError::Process(ProcessError::TimedOut { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Converts a written track to the file with this number.
    async fn captions(
        &self,
        (index, stream): &(u32, &SourceStream),
        number: usize,
    ) -> Result<Result<Captions, DropReason>, MediaError> {
        let file = OutputFile::captions(number);
        let path = self.folder.join(&*file.name);
        let (ass, vtt) = (self.ass(*index), path.clone());
        let converted = tokio::task::spawn_blocking(move || convert(&ass, &vtt)).await;
        let has_cues = converted.map_err(io::Error::other).flatten();
        if !has_cues.map_err(MediaError::reading)? {
            return Ok(Err(DropReason::Empty));
        }
        let report = CaptionsReport {
            name: file.name.to_string(),
            language: stream.language.clone(),
            forced: stream.forced,
            hearing_impaired: stream.hearing_impaired,
        };
        Ok(Ok(Captions { file, path, report }))
    }

    fn ass(&self, index: u32) -> PathBuf {
        self.folder.join(format!("subtitles-{index}.ass"))
    }
}

/// Converts an ASS file to WebVTT and removes it. False when it has no cue.
fn convert(ass: &Path, vtt: &Path) -> io::Result<bool> {
    let text = fs::read(ass)?;
    fs::remove_file(ass)?;
    let Some(cues) = ass::to_vtt(&String::from_utf8_lossy(&text)) else {
        return Ok(false);
    };
    fs::write(vtt, cues)?;
    Ok(true)
}
