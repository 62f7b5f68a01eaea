//! `vidp keys`: API keys, for operators.

use crate::{
    client::plain,
    config::Server,
    output::{self, Table, field},
};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const PATH: &str = "/api/v1/keys";
const COLUMNS: [(&str, usize); 7] = [
    ("ID", 32),
    ("TENANT", 8),
    ("NAME", 10),
    ("EXPIRES", 24),
    ("REVOKED", 24),
    ("USED", 24),
    ("SCOPES", 0),
];

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
        /// One JSON document for each key
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        server: Server,
    },
    /// End a key, within 30 seconds everywhere
    Revoke {
        /// The key's id
        id: String,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
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
        /// Print a JSON document, with the key in it
        #[arg(long)]
        json: bool,
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
    #[arg(long, value_delimiter = ',', default_value = "jobs:read,jobs:write", value_parser = ["jobs:read", "jobs:write", "admin"])]
    scopes: Vec<String>,
    /// Days until it ends; never without
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    expires_days: Option<i64>,
    /// Print a JSON document, with the key in it
    #[arg(long)]
    json: bool,
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
            show(&new.server.client()?.post(PATH, &body).await?, new.json)
        }
        KeysCommand::List { tenant, json, server } => list(&server, tenant, json).await,
        KeysCommand::Revoke { id, json, server } => {
            server.client()?.delete(&path(&id)?).await?;
            match json {
                true => output::json(&json!({ "id": id, "status": "revoked" })),
                false => output::print(format!("{id} is refused within 30 seconds")),
            }
            Ok(())
        }
        KeysCommand::Rotate {
            id,
            overlap_hours,
            json,
            server,
        } => {
            let body = json!({ "overlap_seconds": u64::from(overlap_hours) * 3600 });
            let rotate = format!("{}/rotate", path(&id)?);
            show(&server.client()?.post(&rotate, &body).await?, json)
        }
    }
}

async fn list(server: &Server, tenant: Option<String>, json: bool) -> Result<()> {
    let table = (!json).then(|| Table::new(&COLUMNS));
    let query = tenant.map(|tenant| ("tenant", tenant)).into_iter().collect();
    let mut count = 0;
    let row = |key: Value| {
        count += 1;
        let Some(table) = &table else {
            output::json(&key);
            return Ok(());
        };
        let scopes = key["scopes"].as_array().into_iter().flatten();
        let scopes: Vec<_> = scopes.filter_map(Value::as_str).collect();
        let cells = ["id", "tenant", "name", "expires_at", "revoked_at", "last_used_at"];
        let mut cells = cells.map(|name| field(&key, name)).to_vec();
        cells.push(scopes.join(","));
        table.row(&cells);
        Ok(())
    };
    server.client()?.list(PATH, query, usize::MAX, row).await?;
    if count == 0 && !json && output::is_terminal() {
        eprintln!("no keys; `vidp keys create NAME` makes one");
    }
    Ok(())
}

/// The key alone on standard output, for scripts; the rest for people.
fn show(made: &Value, json: bool) -> Result<()> {
    if json {
        output::json(made);
        return Ok(());
    }
    let key = made["key"].as_str().context("the server's answer has no key")?;
    eprintln!(
        "key {} of tenant {}; it is not shown again",
        made["id"].as_str().unwrap_or_default(),
        made["tenant"].as_str().unwrap_or_default()
    );
    output::print(key);
    Ok(())
}

fn in_days(days: i64) -> Result<String> {
    Ok((OffsetDateTime::now_utc() + time::Duration::days(days)).format(&Rfc3339)?)
}

/// The path of a key; the id comes from the command line.
fn path(id: &str) -> Result<String> {
    Ok(format!("{PATH}/{}", plain("key", id)?))
}
