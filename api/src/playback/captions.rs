//! Captions of a job as a player sees them.

use super::name::{language, name, unique};
use serde::Deserialize;
use vidp_contract::{
    CaptionsReport, Stage, StreamFate, StreamKind, StreamReport, SubtitleFormat, SubtitleOptions,
    SubtitleReport, language_code,
};
use vidp_record::job::Job;

/// A track of captions in WebVTT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Captions {
    /// Name of the file.
    pub(crate) file: String,
    /// The language (BCP 47), if it is known.
    pub(crate) language: Option<String>,
    /// True for captions that a player shows without being asked: they have what viewers would not understand.
    pub(crate) is_forced: bool,
    /// True for captions that describe sounds too.
    pub(crate) has_sounds: bool,
    /// False while the stage that makes them has not ended.
    pub(crate) is_stored: bool,
}

impl Captions {
    /// All captions of a job whose stream is complete: those that the stage `subtitle` has made, and the subtitles of the source.
    pub(crate) fn of(job: &Job) -> Vec<Captions> {
        let source = Found::of(job).captions.into_iter().map(|track| Captions {
            language: language(track.language.as_deref()).map(str::to_owned),
            file: track.name,
            is_forced: track.forced,
            has_sounds: track.hearing_impaired,
            is_stored: true,
        });
        Captions::made(job).into_iter().chain(source).collect()
    }

    /// The captions that the stage `subtitle` has made; `None` when there are none in WebVTT.
    fn made(job: &Job) -> Option<Captions> {
        let state = job.stages.get(&Stage::Subtitle)?;
        state
            .outputs
            .iter()
            .find(|output| output.name == super::CAPTIONS)?;
        let report = state.result.as_ref();
        let report = report.and_then(|report| SubtitleReport::deserialize(report).ok());
        let language = report.and_then(|report| match report.translated {
            true => Some("en"),
            false => language_code(&report.language.code),
        });
        Some(Captions::generated(language, true))
    }

    /// The captions that the stage `subtitle` has made, or may still make. Their language is not known before if it has to be
    /// detected.
    pub(crate) fn expected(job: &Job) -> Option<Captions> {
        let state = job.stages.get(&Stage::Subtitle)?;
        if state.status.is_terminal() {
            return Captions::made(job);
        }
        let SubtitleOptions {
            language,
            formats,
            translate,
        } = &job.options.subtitle;
        let language = match translate {
            true => Some("en"),
            false => language_code(language),
        };
        let are_wanted = formats.contains(&SubtitleFormat::Vtt);
        are_wanted.then(|| Captions::generated(language, false))
    }

    /// The captions of the stage `subtitle`.
    fn generated(language: Option<&str>, is_stored: bool) -> Captions {
        Captions {
            file: super::CAPTIONS.to_owned(),
            language: language.map(str::to_owned),
            is_stored,
            ..Captions::default()
        }
    }

    /// The name of their playlist without its extension.
    pub(super) fn list(&self) -> &str {
        match &*self.file {
            super::CAPTIONS => super::CAPTIONS_LIST,
            file => file.strip_suffix(".vtt").unwrap_or(file),
        }
    }
}

/// True when the pictures of a complete stream have closed captions inside, which players read from them.
pub(crate) fn has_closed_captions(job: &Job) -> bool {
    let mut streams = Found::of(job).streams.into_iter();
    streams.any(|stream| stream.kind == StreamKind::Captions && stream.fate == StreamFate::Kept)
}

/// What the report of `scale` says about captions.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Found {
    streams: Vec<StreamReport>,
    captions: Vec<CaptionsReport>,
}

impl Found {
    fn of(job: &Job) -> Found {
        let scale = job.stages.get(&Stage::Scale);
        let report = scale.and_then(|scale| scale.result.as_ref());
        report
            .and_then(|report| Found::deserialize(report).ok())
            .unwrap_or_default()
    }
}

/// Captions with what players show.
pub(super) struct NamedCaptions<'a> {
    /// The captions.
    pub(super) captions: &'a Captions,
    /// Their name.
    pub(super) name: String,
    /// True for the first captions of their language and kind.
    pub(super) is_first: bool,
}

/// The captions with their names, each name once.
pub(super) fn named_captions(tracks: &[Captions]) -> Vec<NamedCaptions<'_>> {
    let mut all: Vec<NamedCaptions> = Vec::new();
    for (number, captions) in tracks.iter().enumerate() {
        let mut plain = captions
            .language
            .as_deref()
            .map_or_else(|| "Captions".to_owned(), name);
        if captions.is_forced {
            plain.push_str(" (forced)");
        }
        if captions.has_sounds {
            plain.push_str(" (SDH)");
        }
        let name = unique(plain, number, all.iter().map(|other| &*other.name));
        let kind = |one: &Captions| (one.language.clone(), one.is_forced, one.has_sounds);
        let is_first = all.iter().all(|other| kind(other.captions) != kind(captions));
        all.push(NamedCaptions {
            captions,
            name,
            is_first,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use vidp_contract::JobOptions;
    use vidp_record::{job::StageStatus, time::DateTime};

    #[test]
    fn captions_are_expected_until_their_stage_has_ended() {
        let name = || "clip.mp4".to_owned();
        let mut options = JobOptions::default();
        options.subtitle.language = "fr".to_owned();
        let id = uuid::Uuid::now_v7();
        let mut job = Job::uploading(id, name(), options, name(), name(), DateTime::now());
        let expected = |language| Some(Captions::generated(language, false));
        assert_eq!(Captions::expected(&job), expected(Some("fr")));
        job.options.subtitle.language = "auto".to_owned();
        assert_eq!(Captions::expected(&job), expected(None));
        job.options.subtitle.translate = true;
        assert_eq!(Captions::expected(&job), expected(Some("en")));
        job.options.subtitle.formats = vec![SubtitleFormat::Srt];
        assert_eq!(Captions::expected(&job), None);
        job.options.subtitle.formats = vec![SubtitleFormat::Vtt];
        job.stages.get_mut(&Stage::Subtitle).unwrap().status = StageStatus::Failed;
        assert_eq!(Captions::expected(&job), None);
        assert_eq!(Captions::of(&job), []);
    }

    #[test]
    fn captions_of_one_language_have_different_names() {
        let track = |language: Option<&str>, is_forced, has_sounds| Captions {
            language: language.map(str::to_owned),
            is_forced,
            has_sounds,
            ..Captions::default()
        };
        let tracks = [
            track(Some("en"), false, false),
            track(Some("en"), false, false),
            track(Some("en"), true, false),
            track(Some("en"), false, true),
            track(None, false, false),
        ];
        let all = named_captions(&tracks);
        let names: Vec<&str> = all.iter().map(|one| &*one.name).collect();
        assert_eq!(
            names,
            [
                "English",
                "English 2",
                "English (forced)",
                "English (SDH)",
                "Captions"
            ]
        );
        let first: Vec<bool> = all.iter().map(|one| one.is_first).collect();
        assert_eq!(first, [true, false, true, true, true]);
    }
}
