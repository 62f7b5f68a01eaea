//! Grants: the right to play one job until a time, in a segment of the path.

use super::Library;
use crate::{
    http::problem::{Code, Problem},
    limits::{self, Limits},
    state::AppState,
};
use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use uuid::Uuid;
use vidp_record::job::Job;

/// Input of the signature before the grant. It has the version of the format.
const CONTEXT: &[u8] = b"vidp playback 1";
/// Bytes of the signed part: the id of the job, and the time at which the grant ends in Unix seconds.
const SIGNED: usize = 16 + 8;
/// Bytes of the signature: half of HMAC-SHA-256 (RFC 2104, section 5).
const SIGNATURE: usize = 16;

/// Signs a grant with the job's key. It is a secret until it ends.
pub(crate) fn sign(key: &str, job: Uuid, ends: u64) -> String {
    let signed = [job.as_bytes().as_slice(), &ends.to_be_bytes()].concat();
    let signature = mac(key, &signed).finalize().into_bytes();
    URL_SAFE_NO_PAD.encode([&signed[..], &signature[..SIGNATURE]].concat())
}

/// True for text that has the form of a grant. It may have ended, and its signature is not checked.
pub(crate) fn is_grant(text: &str) -> bool {
    Claim::read(text).is_some()
}

fn mac(key: &str, signed: &[u8]) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    mac.expect("HMAC accepts a key of any length")
        .chain_update(CONTEXT)
        .chain_update(signed)
}

/// A grant whose signature is not checked yet.
struct Claim {
    job: Uuid,
    ends: u64,
    bytes: [u8; SIGNED + SIGNATURE],
}

impl Claim {
    /// Reads a grant; `None` for text that is none.
    fn read(text: &str) -> Option<Claim> {
        let bytes: [u8; SIGNED + SIGNATURE] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Claim {
            job: Uuid::from_slice(&bytes[..16]).ok()?,
            ends: u64::from_be_bytes(bytes[16..SIGNED].try_into().ok()?),
            bytes,
        })
    }

    /// Time until the grant ends; `None` after it.
    fn remaining(&self, now: SystemTime) -> Option<Duration> {
        let ends = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.ends))?;
        ends.duration_since(now).ok().filter(|left| !left.is_zero())
    }

    /// Compares the signature in constant time.
    fn is_signed_with(&self, key: &str) -> bool {
        let (signed, signature) = self.bytes.split_at(SIGNED);
        mac(key, signed).verify_truncated_left(signature).is_ok()
    }
}

/// A request with a valid grant in the `{grant}` of its path.
pub(crate) struct Granted {
    /// The job that the grant lets its holder play.
    pub(crate) job: Arc<Job>,
    /// Time until the grant ends.
    pub(crate) remaining: Duration,
}

impl FromRequestParts<AppState> for Granted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|error| Problem::invalid(error.body_text()))?;
        let text = params.iter().find(|(name, _)| *name == "grant");
        let text = text.map(|(_, text)| text).unwrap_or_default();
        let claim = Claim::read(text).ok_or_else(invalid)?;
        let remaining = claim.remaining(SystemTime::now()).ok_or_else(invalid)?;
        let address = limits::of_client(&parts.extensions, &parts.headers, &state.config.trusted_proxies);
        let job = find(&state.playback, state, &state.limits, &claim, address).await?;
        if let Some(allowance) = state.limits.playback(text).filter(limits::Allowance::is_used_up) {
            return Err(allowance.problem("too many requests with this grant"));
        }
        Ok(Granted { job, remaining })
    }
}

/// Loads the job of a grant and checks the signature. A failure counts for the client's address, as one of an API key does.
async fn find(
    library: &Library,
    state: &AppState,
    limits: &Limits,
    claim: &Claim,
    address: Option<std::net::IpAddr>,
) -> Result<Arc<Job>, Problem> {
    let mut stranger = limits.stranger(address);
    if !library.knows(claim.job) {
        // A flood of invented grants reads no more documents than the limit allows.
        stranger.count()?;
    }
    let valid = |job: Option<Arc<Job>>| {
        job.filter(|job| {
            job.playback_key
                .as_deref()
                .is_some_and(|key| claim.is_signed_with(key))
        })
    };
    let db = &state.pipeline.db;
    let mut job = valid(library.job(db, claim.job, false).await?);
    if job.is_none() {
        // The job in memory may be older than its first grant, or than a revocation.
        stranger.count()?;
        job = valid(library.job(db, claim.job, true).await?);
    }
    let job = job.ok_or_else(invalid)?;
    library.learn(claim.job);
    stranger.give_back();
    Ok(job)
}

/// 404: the same for every reason, so that an answer says nothing about jobs.
fn invalid() -> Problem {
    Problem::new(
        Code::NotFound,
        "the playback grant is invalid, has ended, or was revoked",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_grant_is_valid_for_its_job_its_key_and_its_time() {
        let job = Uuid::now_v7();
        let text = sign(KEY, job, 1000);
        let claim = Claim::read(&text).unwrap();
        assert_eq!((claim.job, claim.ends), (job, 1000));
        assert!(claim.is_signed_with(KEY));
        assert!(!claim.is_signed_with(&KEY.replace("00", "01")));
        assert_eq!(claim.remaining(at(990)), Some(Duration::from_secs(10)));
        assert_eq!(
            (claim.remaining(at(1000)), claim.remaining(at(2000))),
            (None, None)
        );
        let endless = Claim {
            ends: u64::MAX,
            ..claim
        };
        assert_eq!(endless.remaining(at(0)), None);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let bytes = URL_SAFE_NO_PAD.decode(sign(KEY, Uuid::now_v7(), 1000)).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let claim = Claim::read(&URL_SAFE_NO_PAD.encode(changed)).unwrap();
            assert!(!claim.is_signed_with(KEY), "{place}");
        }
    }

    #[test]
    fn other_text_is_no_grant() {
        let grant = sign(KEY, Uuid::now_v7(), 1000);
        assert!(is_grant(&grant));
        assert!(is_grant(&"A".repeat(grant.len())));
        for text in [
            "",
            "x",
            "../../etc",
            &grant[1..],
            &format!("{grant}A"),
            &format!("{grant}=="),
            &format!("{}+", &grant[1..]),
            &format!("{}\n", &grant[1..]),
            &grant.repeat(100),
        ] {
            assert!(!is_grant(text), "{text}");
        }
    }
}
