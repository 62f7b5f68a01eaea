//! `GET /processing/supported-languages`: the languages of speech.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use vidp_contract::LANGUAGES;

/// The languages that VidP can detect and transcribe.
#[derive(Serialize, ToSchema)]
pub(crate) struct LanguageList {
    /// The languages.
    languages: Vec<SupportedLanguage>,
    /// Number of languages.
    total: usize,
}

/// A language.
#[derive(Serialize, ToSchema)]
struct SupportedLanguage {
    /// ISO 639-1 code, or ISO 639-2 code where there is none. Results use this code.
    code: &'static str,
    /// English name.
    name: &'static str,
}

/// List the supported languages.
///
/// VidP can detect these languages. Requests may name them by these codes, by other codes of ISO 639, and by BCP 47 tags.
#[utoipa::path(
    get, path = "", operation_id = "listLanguages", tag = "Processing",
    responses((status = 200, description = "The supported languages.", body = LanguageList)),
)]
pub(crate) async fn languages() -> Json<LanguageList> {
    let languages = LANGUAGES
        .iter()
        .map(|&(code, name, _)| SupportedLanguage { code, name });
    Json(LanguageList {
        languages: languages.collect(),
        total: LANGUAGES.len(),
    })
}
