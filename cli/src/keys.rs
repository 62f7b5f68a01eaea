//! `vidp keys`: API keys, for operators.

use crate::{client::Client, jobs::Server};
use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const PATH: &str = "/api/v1/keys";

/// Every one needs a key with the scope admin.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make a key; it is printed once
    Create(Create),
    /// List keys, ended ones too
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// End a key, within 30 seconds everywhere
    Revoke {
        /// The key's id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Make a key in the place of another, which goes on for a while
    Rotate {
        /// The old key's id
        id: String,
        /// Hours that the old key goes on
        #[arg(long, default_value_t = 24)]
        overlap_hours: u32,
        #[command(flatten)]
        server: Server,
    },
}

/// What the new key is.
#[derive(Args)]
pub struct Create {
    /// What it is used for, for people
    name: String,
    /// Whose jobs it opens
    #[arg(long, default_value = "local")]
    tenant: String,
    /// What it is good for: jobs:read, jobs:write, admin
    #[arg(long, value_delimiter = ',', default_value = "jobs:read,jobs:write")]
    scopes: Vec<String>,
    /// Days until it ends; never without
    #[arg(long)]
    expires_days: Option<u64>,
    #[command(flatten)]
    server: Server,
}

/// Runs `vidp keys`.
pub async fn run(command: KeysCommand) -> Result<()> {
    match command {
        KeysCommand::Create(new) => {
            let body = json!({
                "name": new.name,
                "tenant": new.tenant,
                "scopes": new.scopes,
                "expires_at": new.expires_days.map(in_days).transpose()?,
            });
            show(&new.server.client()?.post(PATH, &body).await?)
        }
        KeysCommand::List { tenant, server } => list(&server.client()?, tenant).await,
        KeysCommand::Revoke { id, server } => {
            server.client()?.delete(&path(&id)?).await?;
            println!("{id} is refused within 30 seconds");
            Ok(())
        }
        KeysCommand::Rotate {
            id,
            overlap_hours,
            server,
        } => {
            let body = json!({ "overlap_seconds": u64::from(overlap_hours) * 3600 });
            let rotate = format!("{}/rotate", path(&id)?);
            show(&server.client()?.post(&rotate, &body).await?)
        }
    }
}

async fn list(client: &Client, tenant: Option<String>) -> Result<()> {
    let mut query: Vec<(&str, String)> = tenant.map(|tenant| ("tenant", tenant)).into_iter().collect();
    loop {
        let page: Value = client.get_with(PATH, &query).await?.json().await?;
        for key in page["data"].as_array().into_iter().flatten() {
            let text = |name: &str| key[name].as_str().unwrap_or("-").to_owned();
            let scopes: Vec<_> = key["scopes"].as_array().into_iter().flatten().collect();
            let scopes: Vec<_> = scopes.iter().filter_map(|scope| scope.as_str()).collect();
            println!(
                "{}  {}  {}  {}  expires {}  revoked {}  used {}",
                text("id"),
                text("tenant"),
                text("name"),
                scopes.join(","),
                text("expires_at"),
                text("revoked_at"),
                text("last_used_at"),
            );
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            return Ok(());
        };
        query.retain(|(name, _)| *name != "cursor");
        query.push(("cursor", cursor.to_owned()));
    }
}

/// The key alone on standard output, for scripts; the rest for people.
fn show(made: &Value) -> Result<()> {
    let key = made["key"].as_str().context("the server's answer has no key")?;
    eprintln!(
        "key {} of tenant {}; it is not shown again",
        made["id"].as_str().unwrap_or_default(),
        made["tenant"].as_str().unwrap_or_default()
    );
    println!("{key}");
    Ok(())
}

fn in_days(days: u64) -> Result<String> {
    let after = Duration::from_secs(days.saturating_mul(24 * 3600));
    let at = SystemTime::now()
        .checked_add(after)
        .context("--expires-days is too far")?;
    Ok(OffsetDateTime::from(at).format(&Rfc3339)?)
}

/// The path of a key; the id comes from the command line.
fn path(id: &str) -> Result<String> {
    let plain = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    ensure!(plain, "{id:?} is not a key's id");
    Ok(format!("{PATH}/{id}"))
}
