//! An upload as a multipart form: the file and its text parts, in any order.

use super::{received::Received, receiver::Receiver};
use crate::{
    auth::Caller,
    http::{
        body,
        digest::{Expected, Hashed},
        disposition::Disposition,
        gap::Gap,
        idempotency, options,
        pace::timely,
        problem::Problem,
    },
    state::Intake,
};
use axum::{
    body::Bytes,
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
    let announced = length(request.headers());
    let (head, sent) = request.into_parts();
    let (sent, hashed) = match digest.is_empty() {
        true => (sent, None),
        false => {
            let hashed = Hashed::new(sent);
            (hashed.body(), Some(hashed))
        }
    };
    let gap = Gap::default();
    let mut form = Multipart::from_request(Request::from_parts(head, gap.bound(sent)), intake)
        .await
        .map_err(|error| Problem::invalid(error.body_text()))?;
    let (mut texts, mut file) = (Texts::new(), None);
    while let Some(field) = next_part(&mut form, &gap).await? {
        let Disposition { name, filename } = Disposition::read(field.headers());
        if texts.contains_key(&name) || (name == file_part && file.is_some()) {
            return Err(Problem::invalid(format!("the form has two parts named {name:?}")));
        } else if text_parts.contains(&name.as_str()) {
            let text = text(&name, field, &gap).await?;
            texts.insert(name, text);
        } else if name == file_part {
            let filename = filename.unwrap_or_default();
            let kind = media_type(field.headers());
            let options = options(&texts)?;
            let key = key.clone();
            let mut receiver =
                Receiver::start(intake, caller, key, options, &filename, &kind, announced).await?;
            let mut field = field;
            while let Some(bytes) = next_piece(&mut field, &gap).await? {
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

/// The content type of a part with its parameters, which recorders of browsers write without quotes (`codecs=vp8,opus`).
/// [`OCTETS`] if it has none or is no media type.
fn media_type(headers: &HeaderMap) -> String {
    let is_token = |text: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        !text.is_empty() && text.bytes().all(is_allowed)
    };
    let essence = body::content_type(headers);
    let (kind, subtype) = essence.split_once('/').unwrap_or_default();
    let value = headers.get(header::CONTENT_TYPE);
    match value.and_then(|value| value.to_str().ok()) {
        Some(value) if is_token(kind) && is_token(subtype) => match value.split_once(';') {
            Some((_, parameters)) => format!("{essence};{parameters}"),
            None => essence,
        },
        _ => OCTETS.to_owned(),
    }
}

/// 413 when `Content-Length` exceeds the limit, before the body is received.
pub(super) fn refuse_by_length(intake: &Intake, headers: &HeaderMap, overhead: u64) -> Result<(), Problem> {
    match length(headers) {
        Some(length) if length > intake.config.max_upload() + overhead => {
            Err(Problem::too_large(intake.config.max_upload_mb))
        }
        _ => Ok(()),
    }
}

/// The announced bytes of a request's body; `None` for a body in chunks.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The next part of a form; `None` at its end.
async fn next_part<'a>(form: &'a mut Multipart, gap: &Gap) -> Result<Option<Field<'a>>, Problem> {
    gap.begin();
    timely(form.next_field())
        .await
        .map_err(|problem| gap.explain(problem))
}

/// The next piece of a part's content; `None` at its end.
async fn next_piece(field: &mut Field<'_>, gap: &Gap) -> Result<Option<Bytes>, Problem> {
    gap.begin();
    timely(field.chunk())
        .await
        .map_err(|problem| gap.explain(problem))
}

/// The text of a part.
async fn text(name: &str, mut field: Field<'_>, gap: &Gap) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(piece) = next_piece(&mut field, gap).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > options::MAX_TEXT {
            let limit = options::MAX_TEXT;
            return Err(Problem::invalid(format!("{name} is larger than {limit} bytes")));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::invalid(format!("{name} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_of_parts_are_those_of_clients() {
        let check = |value: &str, expected: &str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]);
            assert_eq!(media_type(&headers), expected, "{value}");
        };
        check("video/mp4", "video/mp4");
        check("Video/MP4", "video/mp4");
        check("video/webm;codecs=vp8,opus", "video/webm;codecs=vp8,opus");
        check(
            "video/webm; codecs=\"vp8, opus\"",
            "video/webm; codecs=\"vp8, opus\"",
        );
        check(
            "video/x-matroska;codecs=avc1.64001F",
            "video/x-matroska;codecs=avc1.64001F",
        );
        check("", OCTETS);
        check("video", OCTETS);
        check("video/", OCTETS);
        check("video/mp4 x", OCTETS);
        check("a b/c", OCTETS);
        assert_eq!(media_type(&HeaderMap::new()), OCTETS);
    }
}
