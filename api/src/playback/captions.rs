use vidp_contract::{Stage, SubtitleReport, language_code};
use vidp_record::job::Job;

/// The captions of a job in WebVTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Captions {
    /// The language of the captions (ISO 639-1).
    pub(crate) language: Option<&'static str>,
}

impl Captions {
    /// The captions of the stage `subtitle`; `None` when the job has none in WebVTT.
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
        })
    }
}
