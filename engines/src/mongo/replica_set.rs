//! The start of a replica set with one member, whose address is part of the stored data.
//!
//! mongod listens before it has loaded its stored configuration. Until then it answers `replSetGetConfig` as on new
//! data, with `NotYetInitialized`, and an initiation with `AlreadyInitialized`. So no single answer ends the start:
//! each step reads the stored configuration again, until it names this run's port.

use super::wire;
use bson::{Bson, Document, doc, error::Error};

/// The name of the replica set.
pub(super) const REPLICA_SET: &str = "rs0";
/// Error code of `replSetGetConfig` on new data, and on stored data that is not loaded yet.
const NOT_YET_INITIALIZED: i32 = 94;

/// Performs one step of the start; `Ok` once the server at `port` is the primary under this address.
///
/// The caller repeats it until it succeeds. It keeps no state, and each step may be repeated.
///
/// # Errors
///
/// The condition that the start is waiting for.
pub(super) fn advance(port: u16) -> Result<(), String> {
    let address = format!("127.0.0.1:{port}");
    match wire::run(port, doc! { "replSetGetConfig": 1 }) {
        Ok(mut answer) => {
            let config = answer.get_document_mut("config").map_err(malformed)?;
            if set_address(config, &address).map_err(malformed)? {
                // Without `force` the set's primary has to agree, and the set has no primary yet.
                let reconfig = doc! { "replSetReconfig": config.clone(), "force": true };
                run(port, reconfig)?;
                return Err(format!("the member's address was set to {address}"));
            }
            require_primary(port)
        }
        Err(refusal) if refusal.code == Some(NOT_YET_INITIALIZED) => {
            let member = doc! { "_id": 0, "host": &address };
            let initiate = doc! { "replSetInitiate": { "_id": REPLICA_SET, "members": [member] } };
            run(port, initiate)?;
            Err("the replica set was initiated".to_owned())
        }
        Err(refusal) => Err(format!("replSetGetConfig: {}", refusal.message)),
    }
}

/// Sets the address of the configuration's one member, and raises the version.
///
/// Returns false when the address is already set.
fn set_address(config: &mut Document, address: &str) -> Result<bool, Error> {
    let version = match config.get("version") {
        Some(Bson::Int64(version)) => *version,
        _ => i64::from(config.get_i32("version")?),
    };
    for member in config.get_array_mut("members")? {
        let Bson::Document(member) = member else { continue };
        if member.get_str("host")? == address {
            return Ok(false);
        }
        member.insert("host", address);
    }
    config.insert("version", version + 1);
    Ok(true)
}

fn malformed(error: Error) -> String {
    format!("the stored configuration cannot be read: {error}")
}

fn require_primary(port: u16) -> Result<(), String> {
    let hello = run(port, doc! { "hello": 1 })?;
    match hello.get_bool("isWritablePrimary") {
        Ok(true) => Ok(()),
        _ => Err("the member is not the primary yet".to_owned()),
    }
}

fn run(port: u16, command: Document) -> Result<Document, String> {
    let name = command.keys().next().cloned().unwrap_or_default();
    wire::run(port, command).map_err(|refusal| format!("{name}: {}", refusal.message))
}
