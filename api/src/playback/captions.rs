use vidp_contract::{Stage, SubtitleFormat, SubtitleOptions, SubtitleReport, language_code};
use vidp_record::job::Job;

/// The captions of a job in WebVTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Captions {
    /// The language of the captions (ISO 639-1).
    pub(crate) language: Option<&'static str>,
    /// False while the stage that makes them has not ended.
    pub(crate) is_stored: bool,
}

impl Captions {
    /// The captions that the stage `subtitle` has made; `None` when there are none in WebVTT.
    pub(crate) fn of(job: &Job) -> Option<Captions> {
        let state = job.stages.get(&Stage::Subtitle)?;
        state
            .outputs
            .iter()
            .find(|output| output.name == super::CAPTIONS)?;
        let report = state.result.clone();
        let report = report.and_then(|report| serde_json::from_value::<SubtitleReport>(report).ok());
        Some(Captions {
            language: report.and_then(|report| match report.translated {
                true => Some("en"),
                false => language_code(&report.language.code),
            }),
            is_stored: true,
        })
    }

    /// The captions that the job has, or may still get. Their language is not known before if it has to be detected.
    pub(crate) fn expected(job: &Job) -> Option<Captions> {
        let state = job.stages.get(&Stage::Subtitle)?;
        if state.status.is_terminal() {
            return Captions::of(job);
        }
        let SubtitleOptions {
            language,
            formats,
            translate,
        } = &job.options.subtitle;
        formats.contains(&SubtitleFormat::Vtt).then(|| Captions {
            language: match translate {
                true => Some("en"),
                false => language_code(language),
            },
            is_stored: false,
        })
    }
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
        let expected = |language| {
            Some(Captions {
                language,
                is_stored: false,
            })
        };
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
    }
}
