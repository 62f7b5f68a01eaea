use crate::{Daemon, StartError, find_engine, net};
use bson::{Document, doc};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

const NAME: &str = "mongod";
const REPLICA_SET: &str = "rs0";
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(20);
const NOT_YET_INITIALIZED: i32 = 94;
/// Error code of an initiation that has been done.
const ALREADY_INITIALIZED: i32 = 23;
/// OP_MSG, the only message kind in use since MongoDB 5.1.
const OP_MSG: i32 = 2013;
const MAX_REPLY: usize = 16 << 20;

/// A MongoDB server, the only member of its replica set: without one there are no transactions or change streams.
#[derive(Debug)]
pub struct Mongo {
    daemon: Daemon,
    dir: PathBuf,
    port: u16,
}

impl Mongo {
    /// Starts it on 127.0.0.1 with its data and log in `dir`; port 0 means a free one. The data may have been made
    /// under another port. Returns when it takes writes.
    ///
    /// # Errors
    ///
    /// The program is missing, the files cannot be written, or it did not come up within a minute.
    pub fn start(dir: &Path, port: u16) -> Result<Mongo, StartError> {
        Mongo::start_logging(dir, port, &dir.join("mongod.log"))
    }

    /// As [`Mongo::start`], with the log at `log`.
    ///
    /// # Errors
    ///
    /// As [`Mongo::start`].
    pub fn start_logging(dir: &Path, port: u16, log: &Path) -> Result<Mongo, StartError> {
        let port = net::port_or_free(port);
        let program = find_engine(NAME)?;
        let data = dir.join("data");
        fs::create_dir_all(&data).map_err(StartError::io(NAME))?;
        let mut command = Command::new(program);
        command
            .args(["--replSet", REPLICA_SET, "--bind_ip", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .arg("--dbpath")
            .arg(&data)
            // The defaults are half the memory, and a twentieth of the disk.
            .args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256"])
            .args(["--nounixsocket", "--quiet"])
            .args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        let mut daemon = Daemon::spawn(NAME, command, log)?;
        daemon.wait_until(START, || run(port, doc! { "ping": 1 }).is_some())?;
        join_replica_set(port)?;
        daemon.wait_until(START, || is_primary(port))?;
        Ok(Mongo {
            daemon,
            dir: dir.to_owned(),
            port,
        })
    }

    /// A connection string: the replica set, majority and journalled writes, short time limits.
    pub fn url(&self) -> String {
        format!(
            "mongodb://127.0.0.1:{}/?replicaSet={REPLICA_SET}&w=majority&journal=true\
             &serverSelectionTimeoutMS=5000&connectTimeoutMS=5000",
            self.port
        )
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Starts it again at the same address, with the same data; stops it first when it runs.
    ///
    /// # Errors
    ///
    /// As [`Mongo::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        *self = Mongo::start_logging(&self.dir, self.port, self.daemon.log())?;
        Ok(())
    }

    /// Stops it in order, and by force after 20 s. Its data stays.
    pub fn stop(&mut self) {
        self.daemon.stop(STOP);
    }
}

/// Initiates the replica set, or tells it this run's port: the member's address is part of the stored data.
fn join_replica_set(port: u16) -> Result<(), StartError> {
    let address = format!("127.0.0.1:{port}");
    let current = ask(port, doc! { "replSetGetConfig": 1 });
    let command = match current {
        Err(Refusal {
            code: Some(NOT_YET_INITIALIZED),
            ..
        }) => {
            let member = doc! { "_id": 0, "host": &address };
            doc! { "replSetInitiate": { "_id": REPLICA_SET, "members": [member] } }
        }
        Err(refusal) => return Err(refused(refusal)),
        Ok(answer) => {
            let Some(config) = moved(answer, &address) else {
                return Ok(());
            };
            // Forced: the set has no primary that could agree.
            doc! { "replSetReconfig": config, "force": true }
        }
    };
    match ask(port, command) {
        // By the request before this one, whose answer did not come in time.
        Err(Refusal {
            code: Some(ALREADY_INITIALIZED),
            ..
        }) => Ok(()),
        asked => asked.map(drop).map_err(refused),
    }
}

/// The stored configuration with its one member at `address`; `None` when it is there already.
fn moved(answer: Document, address: &str) -> Option<Document> {
    let mut config = answer.get_document("config").ok()?.clone();
    let version = config.get_i32("version").unwrap_or(1);
    let member = config.get_array_mut("members").ok()?.first_mut()?;
    let member = member.as_document_mut()?;
    if member.get_str("host").ok() == Some(address) {
        return None;
    }
    member.insert("host", address);
    config.insert("version", version + 1);
    Some(config)
}

fn is_primary(port: u16) -> bool {
    run(port, doc! { "hello": 1 }).is_some_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
}

struct Refusal {
    code: Option<i32>,
    message: String,
}

fn refused(refusal: Refusal) -> StartError {
    StartError::Refused {
        name: NAME.to_owned(),
        reason: refusal.message,
    }
}

/// Runs a command, and takes `ok: 0` for an error.
fn ask(port: u16, command: Document) -> Result<Document, Refusal> {
    let answer = run(port, command).ok_or_else(|| Refusal {
        code: None,
        message: "the connection broke".to_owned(),
    })?;
    if answer.get_f64("ok").ok() == Some(1.0) {
        return Ok(answer);
    }
    Err(Refusal {
        code: answer.get_i32("code").ok(),
        message: answer.get_str("errmsg").unwrap_or("no reason").to_owned(),
    })
}

/// One command on the `admin` database and its answer, spoken by hand: the driver would bring an async runtime and a
/// hundred crates for three commands. `None` when there is no whole answer within 2 s.
fn run(port: u16, mut command: Document) -> Option<Document> {
    command.insert("$db", "admin");
    let body = command.to_vec().ok()?;
    // Header (length, request id, response to, kind), flags, section kind 0, the document.
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
    let mut body = vec![0; length.checked_sub(head.len()).filter(|n| *n <= MAX_REPLY)?];
    stream.read_exact(&mut body).ok()?;
    Document::from_reader(body.as_slice()).ok()
}
