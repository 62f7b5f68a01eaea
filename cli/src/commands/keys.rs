//! `vidp keys`: API keys, for operators. Each command needs an API key with the scope `admin`.

use super::options::named;
use crate::{
    client::path_segment,
    server::Server,
    ui::{
        output::{self, field},
        table::Table,
    },
};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use vidp_contract::Scope;

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

/// Subcommands of `vidp keys`.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Create a key; it is printed only once
    Create(Create),
    /// List keys, including expired and revoked ones
    List {
        /// List only keys of this tenant
        #[arg(long)]
        tenant: Option<String>,
        /// Print one JSON document per key
        #[arg(long)]
        json: bool,
        /// The server
        #[command(flatten)]
        server: Server,
    },
    /// Revoke a key; all servers refuse it within 30 seconds
    Revoke {
        /// Id of the key
        id: String,
        /// Print a JSON document
        #[arg(long)]
        json: bool,
        /// The server
        #[command(flatten)]
        server: Server,
    },
    /// Replace a key; the old key stays valid for a while
    Rotate {
        /// Id of the old key
        id: String,
        /// Hours for which the old key stays valid
        #[arg(long, default_value_t = 24)]
        overlap_hours: u32,
        /// Print a JSON document that includes the key
        #[arg(long)]
        json: bool,
        /// The server
        #[command(flatten)]
        server: Server,
    },
}

/// Arguments of `vidp keys create`.
#[derive(Args)]
pub struct Create {
    /// Name that says what the key is used for
    name: String,
    /// Tenant whose jobs the key can access
    #[arg(long, default_value = "local")]
    tenant: String,
    /// Scopes of the key
    #[arg(long, value_delimiter = ',', default_values_t = Scope::DEFAULT, value_parser = named::<Scope>(Scope::ALL.map(Scope::as_str)))]
    scopes: Vec<Scope>,
    /// Days until the key expires; without it, the key does not expire
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=36_500))]
    expires_days: Option<i64>,
    /// Print a JSON document that includes the key
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
                false => output::print(format!(
                    "{id} is revoked; all servers refuse it within 30 seconds"
                )),
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
        eprintln!("no keys; `vidp keys create NAME` creates one");
    }
    Ok(())
}

/// Prints only the key on standard output, for scripts, and the rest on standard error.
fn show(made: &Value, json: bool) -> Result<()> {
    if json {
        output::json(made);
        return Ok(());
    }
    let key = made["key"].as_str().context("the server's answer has no key")?;
    eprintln!(
        "key {} of tenant {}; it will not be shown again",
        made["id"].as_str().unwrap_or_default(),
        made["tenant"].as_str().unwrap_or_default()
    );
    output::print(key);
    Ok(())
}

fn in_days(days: i64) -> Result<String> {
    Ok((OffsetDateTime::now_utc() + time::Duration::days(days)).format(&Rfc3339)?)
}

/// The path of a key. The id comes from the command line and is checked.
fn path(id: &str) -> Result<String> {
    Ok(format!("{PATH}/{}", path_segment("key", id)?))
}
