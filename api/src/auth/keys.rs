//! API keys: who a request comes from.

use super::{
    Caller,
    token::{Hasher, Token},
};
use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
};
use anyhow::{Context, Result};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use uuid::Uuid;
use vidp_pipeline::Shared;
use vidp_record::{
    api_key::{Key, Scope},
    tenant::LOCAL_TENANT,
    time::{DateTime, since},
};

/// How long a key that was read is believed: a revoked one is refused by every replica after so long.
const CACHE_LIFE: Duration = Duration::from_secs(10);
/// The last use is recorded this exactly.
const USE_GRAIN: Duration = Duration::from_secs(60);

/// Checks keys. Those of the record are kept for a moment, so that a busy client does not ask MongoDB each time.
pub struct Keys {
    hasher: Option<Hasher>,
    /// The key of the settings, with which the first key is made.
    bootstrap: Option<Token>,
    known: Mutex<HashMap<Uuid, (Key, Instant)>>,
}

impl Keys {
    /// By the settings.
    pub fn new(config: &ApiConfig) -> Result<Keys> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let hasher = given(&config.key_secret).map(|secret| Hasher::new(&secret));
        let bootstrap = given(&config.admin_key).map(|key| {
            Token::parse(&key).context("VIDP_ADMIN_KEY is not vidp_<32 hex digits>_<48 hex digits>")
        });
        Ok(Keys {
            hasher: hasher.transpose()?,
            bootstrap: bootstrap.transpose()?,
            known: Mutex::default(),
        })
    }

    /// Turns keys into hashes; a 409 when the server has no secret for that.
    pub fn hasher(&self) -> Result<&Hasher, Problem> {
        self.hasher
            .as_ref()
            .ok_or_else(|| Problem::conflict("the server has no VIDP_KEY_SECRET, and without one no keys"))
    }

    /// Forgets what it knows of a key.
    pub fn forget(&self, id: Uuid) {
        self.known().remove(&id);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Uuid, (Key, Instant)>> {
        self.known.lock()
    }

    fn fresh(&self, id: Uuid) -> Option<Key> {
        let known = self.known();
        let (key, read) = known.get(&id)?;
        (read.elapsed() < CACHE_LIFE).then(|| key.clone())
    }

    fn remember(&self, key: &Key) {
        let mut known = self.known();
        known.retain(|_, (_, read)| read.elapsed() < CACHE_LIFE);
        known.insert(key.id, (key.clone(), Instant::now()));
    }
}

/// Who shows this key.
pub async fn caller(keys: &Keys, pipeline: &Shared, text: &str) -> Result<Caller, Problem> {
    let token = Token::parse(text).ok_or_else(invalid)?;
    let hasher = keys.hasher()?;
    if let Some(bootstrap) = &keys.bootstrap
        && hasher.matches(&token, &hasher.hash(bootstrap))
    {
        return Ok(Caller {
            tenant: LOCAL_TENANT.to_owned(),
            key_id: Some(token.id.to_string()),
            scopes: [Scope::Admin].into(),
        });
    }
    let key = match keys.fresh(token.id) {
        Some(key) => key,
        None => read(keys, pipeline, token.id).await?,
    };
    if !hasher.matches(&token, &key.hash) {
        return Err(invalid());
    }
    // Only its owner gets to know why.
    if key.revoked_at.is_some() {
        return Err(Problem::new(Code::Unauthenticated, "this key has been revoked"));
    }
    if !key.is_live() {
        return Err(Problem::new(Code::Unauthenticated, "this key has expired"));
    }
    note_use(keys, pipeline, &key);
    Ok(Caller {
        tenant: key.tenant,
        key_id: Some(key.id.to_string()),
        scopes: key.scopes,
    })
}

async fn read(keys: &Keys, pipeline: &Shared, id: Uuid) -> Result<Key, Problem> {
    let key = pipeline.db.key(id).await?.ok_or_else(invalid)?;
    keys.remember(&key);
    Ok(key)
}

/// Records the use in the background, once a minute: what is known is younger, so that few requests come here.
fn note_use(keys: &Keys, pipeline: &Shared, key: &Key) {
    let now = DateTime::now();
    if key.last_used_at.is_some_and(|at| since(at) < USE_GRAIN) {
        return;
    }
    if let Some((known, _)) = keys.known().get_mut(&key.id) {
        known.last_used_at = Some(now);
    }
    let (pipeline, id) = (pipeline.clone(), key.id);
    pipeline.tasks.clone().spawn(async move {
        if let Err(error) = pipeline.db.key_used(id, now).await {
            tracing::debug!(key = %id, %error, "a key's use was not recorded");
        }
    });
}

fn invalid() -> Problem {
    Problem::new(Code::Unauthenticated, "this is no key of this server")
}
