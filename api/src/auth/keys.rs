//! API keys: who a request comes from.

pub mod admin;
mod token;

use vidp_pipeline::Shared;
use crate::{auth::Caller, config::ApiConfig, http::problem::{Code, Problem}};
use vidp_record::{api_key::Scope, tenant::LOCAL_TENANT, time::DateTime};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{collections::{BTreeSet, HashMap}, sync::{Mutex, PoisonError}, time::{Duration, Instant}};
use token::{Hasher, Token};
use uuid::Uuid;

/// How long a key that was read is believed: a revoked one is refused by every replica after so long.
const FRESH: Duration = Duration::from_secs(10);
/// The last use is recorded this exactly. Milliseconds.
const USE_GRAIN: i64 = 60_000;

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

    fn hasher(&self) -> Result<&Hasher, Problem> {
        self.hasher
            .as_ref()
            .ok_or_else(|| Problem::conflict("the server has no VIDP_KEY_SECRET, and without one no keys"))
    }

    /// Forgets what it knows of a key.
    fn forget(&self, id: Uuid) {
        self.known().remove(&id);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Key, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, id: Uuid) -> Option<Key> {
        let known = self.known();
        let (key, read) = known.get(&id)?;
        (read.elapsed() < FRESH).then(|| key.clone())
    }

    fn remember(&self, key: &Key) {
        let mut known = self.known();
        known.retain(|_, (_, read)| read.elapsed() < FRESH);
        known.insert(key.id, (key.clone(), Instant::now()));
    }
}

/// Who shows this key.
pub async fn caller(app: &Shared, text: &str) -> Result<Caller, Problem> {
    let token = Token::parse(text).ok_or_else(invalid)?;
    let hasher = app.keys.hasher()?;
    if let Some(bootstrap) = &app.keys.bootstrap
        && hasher.matches(&token, &hasher.hash(bootstrap))
    {
        return Ok(Caller {
            tenant: LOCAL_TENANT.to_owned(),
            key_id: Some(token.id.to_string()),
            scopes: [Scope::Admin].into(),
        });
    }
    let key = match app.keys.fresh(token.id) {
        Some(key) => key,
        None => read(app, token.id).await?,
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
    note_use(app, &key);
    Ok(Caller {
        tenant: key.tenant,
        key_id: Some(key.id.to_string()),
        scopes: key.scopes,
    })
}

async fn read(app: &Shared, id: Uuid) -> Result<Key, Problem> {
    let key = app.db.key(id).await?.ok_or_else(invalid)?;
    app.keys.remember(&key);
    Ok(key)
}

/// Records the use in the background, once a minute: what is known is younger, so that few requests come here.
fn note_use(app: &Shared, key: &Key) {
    let now = DateTime::now();
    let since = |at: DateTime| now.timestamp_millis() - at.timestamp_millis();
    if key.last_used_at.is_some_and(|at| since(at) < USE_GRAIN) {
        return;
    }
    if let Some((known, _)) = app.keys.known().get_mut(&key.id) {
        known.last_used_at = Some(now);
    }
    let (app, id) = (app.clone(), key.id);
    app.commits.clone().spawn(async move {
        if let Err(error) = app.db.key_used(id, now).await {
            tracing::debug!(key = %id, %error, "a key's use was not recorded");
        }
    });
}

fn invalid() -> Problem {
    Problem::new(Code::Unauthenticated, "this is no key of this server")
}
