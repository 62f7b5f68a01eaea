#[cfg(test)]
mod fake;
mod replica_set;
#[cfg(test)]
mod tests;
mod wire;

use crate::{Daemon, StartError, find_engine, net};
use replica_set::REPLICA_SET;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const NAME: &str = "mongod";
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_GRACE: Duration = Duration::from_secs(20);

/// A MongoDB server, the only member of its replica set.
///
/// MongoDB offers transactions and change streams only in a replica set.
#[derive(Debug)]
pub struct Mongo {
    daemon: Daemon,
    dir: PathBuf,
    port: u16,
}

impl Mongo {
    /// Starts mongod on 127.0.0.1 with its data and log in `dir`; port 0 means a free one. The data may have been
    /// used on another port. Returns when the server accepts writes.
    ///
    /// # Errors
    ///
    /// The program is missing, the files cannot be written, or it did not become primary within two minutes.
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
        net::require_free(port).map_err(StartError::io(NAME))?;
        let program = find_engine(NAME)?;
        let data = dir.join("data");
        fs::create_dir_all(&data).map_err(StartError::io(NAME))?;
        let mut command = Command::new(program);
        command
            .args(["--replSet", REPLICA_SET, "--bind_ip", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .arg("--dbpath")
            .arg(&data)
            // The default cache is half the memory, and the default oplog is a twentieth of the disk.
            .args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "256"])
            .args(["--nounixsocket", "--quiet"])
            .args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        let mut daemon = Daemon::spawn(NAME, command, log)?;
        daemon.wait_for(START_LIMIT, || replica_set::advance(port))?;
        Ok(Mongo {
            daemon,
            dir: dir.to_owned(),
            port,
        })
    }

    /// A connection string with the replica set, majority and journaled writes, and short timeouts.
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

    /// Starts the server again at the same address, with the same data; stops it first when it runs.
    ///
    /// # Errors
    ///
    /// As [`Mongo::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        *self = Mongo::start_logging(&self.dir, self.port, self.daemon.log())?;
        Ok(())
    }

    /// Stops the server with SIGTERM, and kills it after 20 s. Its data stays.
    pub fn stop(&mut self) {
        self.daemon.stop(STOP_GRACE);
    }
}
