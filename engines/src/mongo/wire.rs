//! Commands to mongod, each on its own connection.
//!
//! The driver is not used, because it would add an async runtime and a hundred crates.

use crate::net;
use bson::{Document, doc};
use std::io::{Read, Write};

/// Opcode of `OP_MSG`, the only message kind in use since MongoDB 5.1.
const OP_MSG: i32 = 2013;
const MAX_REPLY_BYTES: usize = 16 << 20;

/// The reason why a command has no successful answer.
#[derive(Debug)]
pub(super) struct Refusal {
    /// MongoDB's error code; `None` when no answer arrived.
    pub(super) code: Option<i32>,
    pub(super) message: String,
}

/// Runs a command on the `admin` database. An answer with `ok: 0` is an error.
pub(super) fn run(port: u16, command: Document) -> Result<Document, Refusal> {
    let answer = exchange(port, command).ok_or_else(|| Refusal {
        code: None,
        message: "no answer arrived within 2 s".to_owned(),
    })?;
    if answer.get_f64("ok").ok() == Some(1.0) {
        return Ok(answer);
    }
    Err(Refusal {
        code: answer.get_i32("code").ok(),
        message: answer.get_str("errmsg").unwrap_or("no reason").to_owned(),
    })
}

/// Sends one command and reads its answer; `None` when no complete answer arrives within 2 s.
fn exchange(port: u16, mut command: Document) -> Option<Document> {
    command.extend(doc! { "$db": "admin" });
    let body = command.to_vec().ok()?;
    // The header (length, request id, response to, opcode), the flags, the section kind 0, and the document.
    let length = i32::try_from(16 + 4 + 1 + body.len()).ok()?;
    let mut message: Vec<u8> = [length, 1, 0, OP_MSG, 0]
        .into_iter()
        .flat_map(i32::to_le_bytes)
        .collect();
    message.push(0);
    message.extend(body);

    let mut stream = net::connect(port)?;
    stream.write_all(&message).ok()?;
    let mut head = [0; 21];
    stream.read_exact(&mut head).ok()?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let mut body = vec![0; length.checked_sub(head.len()).filter(|n| *n <= MAX_REPLY_BYTES)?];
    stream.read_exact(&mut body).ok()?;
    Document::from_reader(body.as_slice()).ok()
}
