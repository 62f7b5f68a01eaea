//! An upload as a multipart form: the file and its text parts, in any order.

use super::{received::Received, receiver::Receiver};
use crate::{
    auth::Caller,
    http::{
        digest::{Expected, Hashed},
        idempotency, options,
        pace::timely,
        problem::Problem,
    },
    state::Intake,
};
use axum::{
    extract::{FromRequest, Multipart, Request, multipart::Field},
    http::{HeaderMap, header},
};
use std::collections::BTreeMap;
use vidp_contract::JobOptions;

/// Content type of a file whose client names none.
pub(super) const OCTETS: &str = "application/octet-stream";
/// Most bytes of a multipart body besides the file.
const OVERHEAD: u64 = 1 << 20;

/// The text parts of a form, by name.
pub(crate) type Texts = BTreeMap<String, String>;

/// Receives a form with the video in the part `file_part` and texts in `text_parts`, in any order.
///
/// `options` converts the texts. It is called before the file is received, with the texts so far, so that a wrong option
/// is refused early, and again at the end.
pub(crate) async fn from_form(
    intake: &Intake,
    caller: &Caller,
    request: Request,
    file_part: &str,
    text_parts: &[&str],
    options: impl Fn(&Texts) -> Result<JobOptions, Problem>,
) -> Result<Received, Problem> {
    refuse_by_length(intake, request.headers(), OVERHEAD)?;
    let digest = Expected::of(request.headers())?;
    let key = idempotency::key(request.headers())?;
    let (head, body) = request.into_parts();
    let (body, hashed) = match digest.is_empty() {
        true => (body, None),
        false => {
            let hashed = Hashed::new(body);
            (hashed.body(), Some(hashed))
        }
    };
    let mut form = Multipart::from_request(Request::from_parts(head, body), intake)
        .await
        .map_err(|error| Problem::invalid(error.body_text()))?;
    let (mut texts, mut file) = (Texts::new(), None);
    while let Some(field) = timely(form.next_field()).await? {
        let name = field.name().unwrap_or_default().to_owned();
        if texts.contains_key(&name) || (name == file_part && file.is_some()) {
            return Err(Problem::invalid(format!("the form has two parts named {name:?}")));
        } else if text_parts.contains(&name.as_str()) {
            let text = text(&name, field).await?;
            texts.insert(name, text);
        } else if name == file_part {
            let filename = field.file_name().unwrap_or_default().to_owned();
            let kind = field.content_type().unwrap_or(OCTETS).to_owned();
            let options = options(&texts)?;
            let mut receiver =
                Receiver::start(intake, caller, key.clone(), options, &filename, &kind).await?;
            let mut field = field;
            while let Some(bytes) = timely(field.chunk()).await? {
                receiver.write(bytes).await?;
            }
            file = Some(receiver);
        } else {
            return Err(Problem::invalid(format!(
                "unknown part {name:?}: the form may have {file_part}, {}",
                text_parts.join(", ")
            )));
        }
    }
    let file = file.ok_or_else(|| Problem::invalid(format!("the form has no part named {file_part}")))?;
    drop(form);
    if let Some(hashed) = hashed {
        // A part cannot have a digest (RFC 7578 §4.8), so the digest is that of the complete form.
        digest.check(&hashed.finish().await?)?;
    }
    file.commit(options(&texts)?).await
}

/// 413 when `Content-Length` exceeds the limit, before the body is received.
pub(super) fn refuse_by_length(intake: &Intake, headers: &HeaderMap, overhead: u64) -> Result<(), Problem> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > intake.config.max_upload() + overhead => {
            Err(Problem::too_large(intake.config.max_upload_mb))
        }
        _ => Ok(()),
    }
}

/// The text of a part.
async fn text(name: &str, mut field: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = timely(field.chunk()).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > options::MAX_TEXT {
            let limit = options::MAX_TEXT;
            return Err(Problem::invalid(format!("{name} is larger than {limit} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("{name} is not UTF-8")))
}
