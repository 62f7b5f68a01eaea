//! `Upload-Metadata` and `Upload-Concat`: the file, the options and the kind of a new upload.

use super::{find::no_upload, headers};
use crate::http::{digest::wanted_hash, options, problem::Problem};
use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;
use vidp_contract::JobOptions;
use vidp_record::source::{plain_name, plain_type};

/// Most partial uploads of a final upload.
const MAX_PARTS: usize = 1000;

/// The client's description of its file.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// The field as it was sent.
    pub(super) text: String,
    /// Name of the file.
    pub(super) filename: String,
    /// Content type of the file.
    pub(super) content_type: String,
    /// Expected SHA-256 of the file in hexadecimal.
    pub(super) wanted_sha256: Option<String>,
    /// Options of the job.
    pub(super) options: JobOptions,
}

impl Metadata {
    /// Reads the field. It uses the keys `filename`, `filetype`, `sha256` and `options`, and ignores others. Some clients
    /// send `name` and `type` instead of the first two.
    pub(crate) fn read(fields: &HeaderMap) -> Result<Metadata, Problem> {
        let text = match fields.get(headers::METADATA) {
            Some(value) => value
                .to_str()
                .map_err(|_| wrong("the value is not ASCII"))?
                .to_owned(),
            None => String::new(),
        };
        let mut pairs = pairs(&text)?;
        let mut take = |names: &[&str]| names.iter().find_map(|name| pairs.remove(*name));
        let filename = take(&["filename", "name"]).unwrap_or_default();
        let content_type = take(&["filetype", "type"]).unwrap_or_default();
        let wanted_sha256 = wanted_hash(take(&["sha256"]))?;
        let options =
            take(&["options"]).map_or_else(|| Ok(JobOptions::default()), |text| options::parse(&text))?;
        let content_type = match content_type.is_empty() {
            true => "application/octet-stream",
            false => &content_type,
        };
        Ok(Metadata {
            filename: plain_name(&filename),
            content_type: plain_type(content_type),
            wanted_sha256,
            options,
            text,
        })
    }
}

/// The keys and their decoded values.
fn pairs(text: &str) -> Result<BTreeMap<&str, String>, Problem> {
    let mut found = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64_STANDARD.decode(value.trim());
        let value = value.map_err(|_| wrong(format!("the value of {key} is not in base64")))?;
        let value =
            String::from_utf8(value).map_err(|_| wrong(format!("the value of {key} is not UTF-8")))?;
        if found.insert(key, value).is_some() {
            return Err(wrong(format!("the key {key} occurs twice")));
        }
    }
    Ok(found)
}

/// 400: the field cannot be read.
fn wrong(reason: impl std::fmt::Display) -> Problem {
    Problem::invalid(format!("Upload-Metadata: {reason}"))
}

/// The value of `Upload-Concat`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Concat {
    /// The field is missing: the upload is a complete file.
    Whole,
    /// The upload is a part of a file.
    Partial,
    /// The upload concatenates these partial uploads.
    Final(Vec<Uuid>),
}

impl Concat {
    /// Reads the field.
    pub(crate) fn read(fields: &HeaderMap) -> Result<Concat, Problem> {
        let Some(value) = fields.get(headers::CONCAT) else {
            return Ok(Concat::Whole);
        };
        let text = value.to_str().unwrap_or_default();
        if text == "partial" {
            return Ok(Concat::Partial);
        }
        let urls = text.strip_prefix("final;").map(str::split_whitespace);
        let urls = urls.filter(|urls| urls.clone().next().is_some()).ok_or_else(|| {
            Problem::invalid("Upload-Concat must be `partial`, or `final;` and URLs of partial uploads")
        })?;
        // URLs may be absolute or relative. Their ids decide, because uploads are looked up within the tenant.
        let ids = urls.take(MAX_PARTS + 1).map(|url| {
            let id = url.rsplit_once("/files/").map(|(_, id)| id.parse());
            id.and_then(Result::ok).ok_or_else(no_upload)
        });
        let ids = ids.collect::<Result<Vec<Uuid>, _>>()?;
        if ids.len() > MAX_PARTS {
            return Err(Problem::invalid(format!(
                "Upload-Concat must name at most {MAX_PARTS} partial uploads"
            )));
        }
        if ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
            return Err(Problem::invalid(
                "Upload-Concat must name each partial upload once",
            ));
        }
        Ok(Concat::Final(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(text: &str) -> Option<(String, String)> {
        let fields = HeaderMap::from_iter([(headers::METADATA, text.parse().unwrap())]);
        let read = Metadata::read(&fields).ok()?;
        Some((read.filename, read.content_type))
    }

    #[test]
    fn metadata_is_read_as_the_protocol_has_it() {
        let check = |text, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
            assert_eq!(metadata(text), expected, "{text}");
        };
        const OCTETS: &str = "application/octet-stream";
        check("", Some(("video", OCTETS)));
        check(
            "filename w6l0w6kubXA0,filetype dmlkZW8vbXA0",
            Some(("été.mp4", "video/mp4")),
        );
        check(
            "name YS5tcDQ=, type dmlkZW8vbXA0, is_confidential",
            Some(("a.mp4", "video/mp4")),
        );
        check("filename", Some(("video", OCTETS)));
        check("filename YQ==,filename Yg==", None);
        check("filename !", None);
        check("filename /w==", None);
        check("options e30=", Some(("video", OCTETS)));
        check("options W10=", None);
        check("sha256 YQ==", None);
    }

    #[test]
    fn concatenations_name_their_parts() {
        let id = Uuid::now_v7();
        let check = |text: String, expected: Option<Concat>| {
            let fields = HeaderMap::from_iter([(headers::CONCAT, text.parse().unwrap())]);
            assert_eq!(Concat::read(&fields).ok(), expected, "{text}");
        };
        assert_eq!(Concat::read(&HeaderMap::new()).ok(), Some(Concat::Whole));
        check("partial".into(), Some(Concat::Partial));
        let other = Uuid::now_v7();
        check(
            format!("final;/files/{id} https://a.example/api/v1/files/{other}"),
            Some(Concat::Final(vec![id, other])),
        );
        check(format!("final;/files/{id} /api/v1/files/{id}"), None);
        let urls = |count| {
            (0..count)
                .map(|_| format!("/files/{} ", Uuid::now_v7()))
                .collect::<String>()
        };
        let count = |text: String| {
            let fields = HeaderMap::from_iter([(headers::CONCAT, text.parse().unwrap())]);
            match Concat::read(&fields) {
                Ok(Concat::Final(ids)) => Some(ids.len()),
                _ => None,
            }
        };
        assert_eq!(count(format!("final;{}", urls(1000))), Some(1000));
        assert_eq!(count(format!("final;{}", urls(1001))), None);
        check("final;".into(), None);
        check("final;/files/1".into(), None);
        check(format!("final;{id}"), None);
        check("else".into(), None);
    }
}
