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
    /// ISO 639 code.
    code: &'static str,
    /// English name.
    name: &'static str,
}

/// List the supported languages.
///
/// VidP can detect these languages, and the field `language` of a form may name them.
#[utoipa::path(
    get, path = "", operation_id = "listLanguages", tag = "Processing",
    responses((status = 200, description = "The supported languages.", body = LanguageList)),
)]
pub(crate) async fn languages() -> Json<LanguageList> {
    let languages = LANGUAGES
        .iter()
        .map(|&(code, name)| SupportedLanguage { code, name });
    Json(LanguageList {
        languages: languages.collect(),
        total: LANGUAGES.len(),
    })
}
