use crate::{Daemon, StartError, find_engine, net};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const NAME: &str = "nats-server";
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(10);
/// Maximum size of the store in bytes. Messages hold ids, not videos, so it has space for millions of tasks.
const MAX_STORE: u64 = 2 << 30;
const ALWAYS: &str = "always";

/// A NATS server with JetStream, which syncs every message to disk.
#[derive(Debug)]
pub struct Nats {
    daemon: Daemon,
    dir: PathBuf,
    port: u16,
    users: Option<Users>,
    sync: String,
}

/// The users that may connect, with their permissions. Without users, every client has all permissions.
#[derive(Clone, Debug)]
pub struct Users {
    /// A configuration file with an `authorization` block.
    pub file: PathBuf,
    /// The environment variables from which the file reads passwords.
    pub passwords: Vec<(String, String)>,
}

impl Nats {
    /// Starts the server on 127.0.0.1 with its data, configuration and log in `dir`; port 0 means a free one. Returns when
    /// clients can connect.
    ///
    /// # Errors
    ///
    /// The program is missing, the files cannot be written, or it did not come up within 30 s.
    pub fn start(dir: &Path, port: u16) -> Result<Nats, StartError> {
        Nats::start_logging(dir, port, &dir.join("nats.log"))
    }

    /// As [`Nats::start`], but only these users may connect.
    ///
    /// # Errors
    ///
    /// As [`Nats::start`].
    pub fn start_for(dir: &Path, port: u16, users: Users) -> Result<Nats, StartError> {
        Nats::launch(dir, port, &dir.join("nats.log"), Some(users), ALWAYS)
    }

    /// As [`Nats::start`], with the log at `log`.
    ///
    /// # Errors
    ///
    /// As [`Nats::start`].
    pub fn start_logging(dir: &Path, port: u16, log: &Path) -> Result<Nats, StartError> {
        Nats::launch(dir, port, log, None, ALWAYS)
    }

    fn launch(
        dir: &Path,
        port: u16,
        log: &Path,
        users: Option<Users>,
        sync: &str,
    ) -> Result<Nats, StartError> {
        let port = net::port_or_free(port);
        net::require_free(port).map_err(StartError::io(NAME))?;
        let program = find_engine(NAME)?;
        let config = dir.join("nats.conf");
        write_config(dir, &config, port, users.as_ref(), sync).map_err(StartError::io(NAME))?;
        let mut command = Command::new(program);
        command.envs(users.iter().flat_map(|users| users.passwords.clone()));
        command.arg("-c").arg(&config);
        let mut daemon = Daemon::spawn(NAME, command, log)?;
        daemon.wait_until(START, || greets(port))?;
        Ok(Nats {
            daemon,
            dir: dir.to_owned(),
            port,
            users,
            sync: sync.to_owned(),
        })
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
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

    /// Sets the interval between syncs to disk, for example `2m`, from the next restart on.
    ///
    /// The default `always` syncs every message. With any other value, a power cut loses the messages
    /// that were confirmed since the last sync.
    pub fn sync_every(&mut self, interval: &str) {
        interval.clone_into(&mut self.sync);
    }

    /// Starts the server again at the same address, with the same data; stops it first when it runs.
    ///
    /// # Errors
    ///
    /// As [`Nats::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        let (log, users) = (self.daemon.log(), self.users.take());
        *self = Nats::launch(&self.dir, self.port, log, users, &self.sync)?;
        Ok(())
    }

    /// Stops the server with SIGTERM, and kills it after 10 s. Its data stays.
    pub fn stop(&mut self) {
        self.daemon.stop(STOP);
    }
}

fn write_config(dir: &Path, config: &Path, port: u16, users: Option<&Users>, sync: &str) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut include = "";
    if let Some(users) = users {
        // The path of an included file is relative to the configuration, so the copy is beside it.
        fs::copy(&users.file, dir.join("users.conf"))?;
        include = "include users.conf\n";
    }
    let store = dir.join("jetstream");
    // The configuration language reads JSON strings.
    let store = serde_json::Value::from(store.to_string_lossy());
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\n\
         server_name: vidp\n\
         {include}\
         jetstream {{\n  \
           store_dir: {store}\n  \
           # The default syncs every 2 minutes: a power cut would lose messages acknowledged since.\n  \
           sync_interval: {sync}\n  \
           # Explicit, so that a full store refuses a message instead of hanging.\n  \
           max_file_store: {MAX_STORE}\n\
         }}\n"
    );
    fs::write(config, text)
}

/// The server sends its `INFO` first; JetStream has recovered its streams by then.
fn greets(port: u16) -> bool {
    let mut first = [0; 5];
    net::connect(port).is_some_and(|mut stream| stream.read_exact(&mut first).is_ok()) && &first == b"INFO "
}
