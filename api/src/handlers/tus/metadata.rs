//! `Upload-Metadata` and `Upload-Concat`: what an upload is to become.

use super::{find::none, headers};
use crate::http::{digest::wanted_hash, options, problem::Problem};
use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::collections::BTreeMap;
use uuid::Uuid;
use vidp_contract::JobOptions;
use vidp_record::source::{plain_name, plain_type};

/// What the client says of its file.
#[derive(Debug)]
pub struct Metadata {
    /// The field as it was sent.
    pub text: String,
    pub filename: String,
    pub content_type: String,
    pub wanted_sha256: Option<String>,
    pub options: JobOptions,
}

impl Metadata {
    /// Reads the field. Of its keys `filename` and `filetype` (or `name` and `type`, as some clients have them), `sha256`
    /// and `options` mean something here.
    pub fn of(fields: &HeaderMap) -> Result<Metadata, Problem> {
        let text = match fields.get(headers::METADATA) {
            Some(value) => value.to_str().map_err(|_| wrong("it is not ASCII"))?.to_owned(),
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

/// Keys, and their values decoded.
fn pairs(text: &str) -> Result<BTreeMap<&str, String>, Problem> {
    let mut found = BTreeMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = BASE64_STANDARD.decode(value.trim());
        let value = value.map_err(|_| wrong(format!("the value of {key} is not in base64")))?;
        let value =
            String::from_utf8(value).map_err(|_| wrong(format!("the value of {key} is not UTF-8")))?;
        if found.insert(key, value).is_some() {
            return Err(wrong(format!("{key} is there twice")));
        }
    }
    Ok(found)
}

fn wrong(why: impl std::fmt::Display) -> Problem {
    Problem::invalid(format!("Upload-Metadata: {why}"))
}

/// What `Upload-Concat` says.
#[derive(Debug, PartialEq, Eq)]
pub enum Concat {
    /// Nothing.
    Whole,
    /// The upload is a part.
    Partial,
    /// It is made of these.
    Final(Vec<Uuid>),
}

impl Concat {
    /// Reads the field.
    pub fn of(fields: &HeaderMap) -> Result<Concat, Problem> {
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
        // Absolute or not: whose they are is looked at by their ids.
        let ids = urls.map(|url| {
            let id = url.rsplit_once("/files/").map(|(_, id)| id.parse());
            id.and_then(Result::ok).ok_or_else(none)
        });
        Ok(Concat::Final(ids.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(text: &str) -> Option<(String, String)> {
        let fields = HeaderMap::from_iter([(headers::METADATA, text.parse().unwrap())]);
        let read = Metadata::of(&fields).ok()?;
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
            assert_eq!(Concat::of(&fields).ok(), expected, "{text}");
        };
        assert_eq!(Concat::of(&HeaderMap::new()).ok(), Some(Concat::Whole));
        check("partial".into(), Some(Concat::Partial));
        check(
            format!("final;/files/{id} https://a.example/files/{id}"),
            Some(Concat::Final(vec![id, id])),
        );
        check("final;".into(), None);
        check("final;/files/1".into(), None);
        check(format!("final;{id}"), None);
        check("else".into(), None);
    }
}
