//! Checks API keys, and identifies the caller by its key.

use super::{
    Caller,
    token::{Hasher, Token},
};
use crate::{
    config::ApiConfig,
    http::problem::{Code, Problem},
    limits::Stranger,
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

/// Lifetime of a cached key: every replica refuses a revoked key after this time at the latest.
const CACHE_LIFE: Duration = Duration::from_secs(10);
/// Time for which the id of a key stays known after its last read. A known key may be read again when its client's address has
/// too many failures.
const KNOWN_LIFE: Duration = Duration::from_secs(3600);
/// Precision of the recorded last use.
const LAST_USE_PRECISION: Duration = Duration::from_secs(60);

/// Checks keys. Keys that were read are cached for 10 s, so that a busy client does not cause a query per request.
pub(crate) struct Keys {
    hasher: Option<Hasher>,
    /// The secret in `VIDP_KEY_SECRET_PREVIOUS`.
    previous: Option<Hasher>,
    /// The key of the setting `VIDP_ADMIN_KEY`, which creates the first keys.
    bootstrap: Option<Token>,
    /// Keys and the times of their last read.
    cache: Mutex<HashMap<Uuid, (Key, Instant)>>,
}

impl Keys {
    /// Reads the secret and the bootstrap key from the settings.
    ///
    /// # Errors
    /// `VIDP_ADMIN_KEY` does not have the format of a key.
    pub(crate) fn new(config: &ApiConfig) -> Result<Keys> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let hasher = given(&config.key_secret).map(|secret| Hasher::new(&secret));
        let previous = given(&config.key_secret_previous).map(|secret| Hasher::new(&secret));
        let bootstrap = given(&config.admin_key).map(|key| {
            Token::parse(&key).context("VIDP_ADMIN_KEY does not have the format vidp_<32 hex digits>_<48 hex digits>; generate one with `echo vidp_$(openssl rand -hex 16)_$(openssl rand -hex 24)`")
        });
        Ok(Keys {
            hasher: hasher.transpose()?,
            previous: previous.transpose()?,
            bootstrap: bootstrap.transpose()?,
            cache: Mutex::default(),
        })
    }

    /// The hasher of keys; 409 when the server has no secret.
    pub(crate) fn hasher(&self) -> Result<&Hasher, Problem> {
        self.hasher
            .as_ref()
            .ok_or_else(|| Problem::conflict("the server has no VIDP_KEY_SECRET, so it cannot use API keys"))
    }

    /// Removes a key from the cache.
    pub(crate) fn forget(&self, id: Uuid) {
        self.cache().remove(&id);
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<Uuid, (Key, Instant)>> {
        self.cache.lock()
    }

    fn fresh(&self, id: Uuid) -> Option<Key> {
        let cache = self.cache();
        let (key, read) = cache.get(&id)?;
        (read.elapsed() < CACHE_LIFE).then(|| key.clone())
    }

    fn is_known(&self, id: Uuid) -> bool {
        self.cache().contains_key(&id)
    }

    fn remember(&self, key: &Key) {
        let mut cache = self.cache();
        cache.retain(|_, (_, read)| read.elapsed() < KNOWN_LIFE);
        cache.insert(key.id, (key.clone(), Instant::now()));
    }
}

/// Identifies the caller by the text of its key; 401 when the key is unknown, revoked or expired.
///
/// A key that this process does not know counts as a failure before it is read; 429 when `stranger` has too many.
pub(crate) async fn caller(
    keys: &Keys,
    pipeline: &Shared,
    text: &str,
    stranger: &mut Stranger<'_>,
) -> Result<Caller, Problem> {
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
        None => {
            if !keys.is_known(token.id) {
                stranger.count()?;
            }
            read(keys, pipeline, token.id).await?
        }
    };
    if !hasher.matches(&token, &key.hash) {
        if !keys
            .previous
            .as_ref()
            .is_some_and(|previous| previous.matches(&token, &key.hash))
        {
            return Err(invalid());
        }
        rehash(keys, pipeline, &key, hasher.hash(&token));
    }
    // Only a caller that knows the secret learns the reason.
    if key.revoked_at.is_some() {
        return Err(Problem::new(Code::Unauthenticated, "this key has been revoked"));
    }
    if !key.is_live() {
        return Err(Problem::new(Code::Unauthenticated, "this key has expired"));
    }
    note_use(keys, pipeline, &key);
    Ok(Caller {
        scopes: key.granted(),
        tenant: key.tenant,
        key_id: Some(key.id.to_string()),
    })
}

async fn read(keys: &Keys, pipeline: &Shared, id: Uuid) -> Result<Key, Problem> {
    let key = pipeline.db.key(id).await?.ok_or_else(invalid)?;
    keys.remember(&key);
    Ok(key)
}

/// Records the use of a key in the background, at most once a minute per replica.
fn note_use(keys: &Keys, pipeline: &Shared, key: &Key) {
    let now = DateTime::now();
    if key.last_used_at.is_some_and(|at| since(at) < LAST_USE_PRECISION) {
        return;
    }
    if let Some((cached, _)) = keys.cache().get_mut(&key.id) {
        cached.last_used_at = Some(now);
    }
    let (pipeline, id) = (pipeline.clone(), key.id);
    pipeline.tasks.clone().spawn(async move {
        if let Err(error) = pipeline.db.key_used(id, now).await {
            tracing::debug!(key = %id, %error, "the use of a key was not recorded");
        }
    });
}

/// Replaces the hash under the previous secret in the background.
fn rehash(keys: &Keys, pipeline: &Shared, key: &Key, hash: String) {
    let (pipeline, id, old) = (pipeline.clone(), key.id, key.hash.clone());
    if let Some((cached, _)) = keys.cache().get_mut(&id) {
        cached.hash.clone_from(&hash);
    }
    pipeline.tasks.clone().spawn(async move {
        match pipeline.db.rehash_key(id, &old, &hash).await {
            Ok(()) => tracing::info!(key = %id, "a key was hashed with the new secret"),
            Err(error) => tracing::warn!(key = %id, "a key could not be hashed with the new secret; its next use retries: {error}"),
        }
    });
}

fn invalid() -> Problem {
    Problem::new(Code::Unauthenticated, "unknown API key")
}
