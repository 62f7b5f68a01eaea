//! The kinds of processing of the first VidP, and the job options that they correspond to.

use crate::{
    handlers::jobs::form::Texts,
    http::{
        options,
        problem::{Code, Problem},
    },
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use vidp_contract::{JobOptions, Stage};

/// A kind of processing of the first VidP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ProcessingKind)]
pub(crate) enum Kind {
    /// The stage `detect`.
    LanguageDetection,
    /// The stage `scale`.
    Compression,
    /// The stage `subtitle`.
    Subtitles,
    /// All stages.
    ProcessVideo,
}

impl Kind {
    /// Every kind.
    const ALL: [Kind; 4] = [
        Kind::LanguageDetection,
        Kind::Compression,
        Kind::Subtitles,
        Kind::ProcessVideo,
    ];

    /// The name in URLs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Kind::LanguageDetection => "language-detection",
            Kind::Compression => "compression",
            Kind::Subtitles => "subtitles",
            Kind::ProcessVideo => "process-video",
        }
    }

    /// The kind with this name; 404 for any other name, because the name is part of the URL.
    pub(crate) fn parse(name: &str) -> Result<Kind, Problem> {
        let found = Kind::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| Problem::new(Code::NotFound, "there is no resource at this address"))
    }

    /// Exactly the stages of its jobs.
    pub(crate) const fn stages(self) -> &'static [Stage] {
        match self {
            Kind::LanguageDetection => &[Stage::Detect],
            Kind::Compression => &[Stage::Scale],
            Kind::Subtitles => &[Stage::Subtitle],
            Kind::ProcessVideo => &Stage::ALL,
        }
    }

    /// The job options of a form's texts. Fields of stages that do not run have no effect.
    pub(crate) fn options(self, texts: &Texts) -> Result<JobOptions, Problem> {
        // HTML forms send every field, also the empty ones.
        let given = |name: &str| {
            texts
                .get(name)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
        };
        let number = |name: &str| match given(name) {
            None => Ok(None),
            Some(text) => {
                let number = serde_json::from_str::<serde_json::Number>(text);
                let wrong = |_| Problem::invalid(format!("{name} must be a number, not {text:?}"));
                number.map(Some).map_err(wrong)
            }
        };
        let mut wanted = json!({ "stages": self.stages(), "detect": {}, "scale": {}, "subtitle": {} });
        if let Some(duration) = number("duration")? {
            wanted["detect"]["duration"] = duration.into();
        }
        if let Some(crf) = number("crf")? {
            wanted["scale"]["crf"] = crf.into();
        }
        if let Some(resolution) = given("target_resolution") {
            wanted["scale"]["renditions"] = json!([rendition(resolution)]);
        }
        if let Some(language) = given("language") {
            wanted["subtitle"]["language"] = json!(language);
        }
        options::parse(&wanted.to_string())
    }
}

/// The name of a rendition: `720p` for `720p`, `720` and `1280x720`. The short side determines it.
fn rendition(resolution: &str) -> String {
    let sides = resolution.trim_end_matches(['p', 'P']).split(['x', 'X']);
    let short = sides.min_by_key(|side| side.parse::<u32>().unwrap_or(0));
    format!("{}p", short.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_are_written_in_many_ways() {
        let check = |text: &str, expected: &str| assert_eq!(rendition(text), expected, "{text}");
        check("720p", "720p");
        check("480", "480p");
        check("1280x720", "720p");
        check("720X1280", "720p");
        check("1080P", "1080p");
        check("axb", "ap");
    }

    #[test]
    fn texts_become_options() {
        let check = |kind: Kind, texts: &[(&str, &str)], expected: &str| {
            let texts = texts
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            let result = match kind.options(&texts.collect()) {
                Ok(options) => serde_json::to_string(&options).unwrap(),
                Err(problem) => format!("{problem:?}"),
            };
            assert!(result.contains(expected), "{result}");
        };
        check(
            Kind::LanguageDetection,
            &[("duration", "12.5")],
            "\"duration\":12.5",
        );
        check(Kind::Compression, &[("crf", "30")], "\"crf\":30");
        check(
            Kind::Compression,
            &[("target_resolution", "640x360")],
            "\"renditions\":[\"360p\"]",
        );
        check(Kind::Subtitles, &[("language", "fr")], "\"language\":\"fr\"");
        check(
            Kind::ProcessVideo,
            &[],
            "\"stages\":[\"detect\",\"scale\",\"subtitle\"]",
        );
        check(Kind::Compression, &[("crf", " "), ("language", "")], "\"crf\":23");
        check(Kind::Compression, &[("crf", "good")], "crf must be a number");
        check(Kind::Compression, &[("crf", "99")], "scale.crf must be");
        check(
            Kind::Compression,
            &[("target_resolution", "721")],
            "unknown variant",
        );
        check(Kind::Subtitles, &[("language", "klingon")], "unknown language");
    }
}
