mod users;

pub use users::{Buckets, S3Key, S3User};

use self::users::Users;
use crate::{
    Daemon, StartError, find_engine,
    net::{self, free_port, http_get},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const NAME: &str = "weed";
const START: Duration = Duration::from_secs(60);
/// Time before the server is killed. An orderly end takes 15 s, mostly sleep; killing it earlier loses no data.
const STOP: Duration = Duration::from_secs(1);

/// A SeaweedFS server with its S3 gateway. Clients use only the gateway.
#[derive(Debug)]
pub struct S3 {
    daemon: Daemon,
    dir: PathBuf,
    ports: Ports,
    users: Users,
}

impl S3 {
    /// Starts the server on 127.0.0.1 with its data, configuration and log in `dir`; port 0 means a free one. Each
    /// start creates new secret keys. Returns when the server can store objects.
    ///
    /// For tests: the programs' users have their rights in buckets named `test-*`, and the API reads `films*`.
    ///
    /// # Errors
    ///
    /// The program is missing, the files cannot be written, or it did not come up within a minute.
    pub fn start(dir: &Path, port: u16) -> Result<S3, StartError> {
        let buckets = Buckets {
            own: "test-*".to_owned(),
            sources: vec!["films*".to_owned()],
        };
        S3::start_for(dir, port, &dir.join("weed.log"), buckets)
    }

    /// As [`S3::start`], with the log at `log` and users for these buckets.
    ///
    /// # Errors
    ///
    /// As [`S3::start`].
    pub fn start_for(dir: &Path, port: u16, log: &Path, buckets: Buckets) -> Result<S3, StartError> {
        let users = Users::new(buckets).map_err(StartError::io(NAME))?;
        let ports = Ports::choose(port);
        let daemon = launch(dir, &ports, &users, log)?;
        Ok(S3 {
            daemon,
            dir: dir.to_owned(),
            ports,
            users,
        })
    }

    /// Starts the server again at the same address, with the same keys and data; stops it first when it runs.
    ///
    /// # Errors
    ///
    /// As [`S3::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.stop();
        self.daemon = launch(&self.dir, &self.ports, &self.users, self.daemon.log())?;
        Ok(())
    }

    /// `http://127.0.0.1:<port>`, for path-style addresses and any region.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.s3)
    }

    /// The key of a program.
    pub fn key(&self, user: S3User) -> &S3Key {
        self.users.key(user)
    }

    /// The operator's access key, which has all rights: for tests and tools, never for a program of VidP.
    pub fn access_key(&self) -> &str {
        &self.users.operator.access_key
    }

    /// The operator's secret key.
    pub fn secret_key(&self) -> &str {
        &self.users.operator.secret_key
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.ports.s3
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    /// The process.
    pub fn daemon(&mut self) -> &mut Daemon {
        &mut self.daemon
    }

    /// Stops the server with SIGTERM, and kills it after 1 s. Its data stays.
    pub fn stop(&mut self) {
        self.daemon.stop(STOP);
        self.remove_sockets();
    }

    /// Removes the socket files that a killed server leaves in /tmp, one for each port.
    pub(crate) fn remove_sockets(&self) {
        for (name, port) in self.ports.named() {
            let part = name.replace(".port", "").replace('.', "-");
            // Most of these files do not exist.
            let _ = fs::remove_file(format!("/tmp/seaweedfs-{part}-{port}.sock"));
        }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.daemon.kill();
        self.remove_sockets();
    }
}

fn launch(dir: &Path, ports: &Ports, users: &Users, log: &Path) -> Result<Daemon, StartError> {
    let program = find_engine(NAME)?;
    let error = StartError::io(NAME);
    for (_, port) in ports.named() {
        net::require_free(port).map_err(&error)?;
    }
    let data = dir.join("data");
    fs::create_dir_all(&data).map_err(&error)?;
    let config = dir.join("s3.json");
    users.write(&config).map_err(&error)?;

    let mut command = Command::new(program);
    command
        .args(["-logtostderr=true", "server", "-s3"])
        .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
        .arg(flag("-dir=", &data))
        .arg(flag("-s3.config=", &config))
        .args(ports.flags())
        .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
        // The configuration has all users. Without this, they could call the interface for users and keys.
        .arg("-s3.iam=false")
        .arg("-master.telemetry=false")
        // A single server needs no votes, and its stored list of peers has the port of an earlier run.
        .args(["-master.electionTimeout=1s", "-master.resumeState=false"])
        // Each bucket has separate volumes, which use space only as they fill. With many small volumes, neither the
        // number of buckets nor the size of the disk is a limit.
        .args(["-volume.max=10000", "-master.volumeSizeLimitMB=1024"])
        .env("WEED_MASTER_VOLUME_GROWTH_COPY_1", "2")
        .arg("-volume.preStopSeconds=0");
    let mut daemon = Daemon::spawn(NAME, command, log)?;
    daemon.wait_until(START, || ports.can_store())?;
    Ok(daemon)
}

/// All ports of the server. The defaults are well-known ports, and these plus 10,000.
#[derive(Debug)]
struct Ports {
    s3: u16,
    s3_grpc: u16,
    master: u16,
    master_grpc: u16,
    volume: u16,
    volume_grpc: u16,
    filer: u16,
    filer_grpc: u16,
}

impl Ports {
    fn choose(s3: u16) -> Ports {
        Ports {
            s3: net::port_or_free(s3),
            s3_grpc: free_port(),
            master: free_port(),
            master_grpc: free_port(),
            volume: free_port(),
            volume_grpc: free_port(),
            filer: free_port(),
            filer_grpc: free_port(),
        }
    }

    fn named(&self) -> [(&str, u16); 8] {
        [
            ("s3.port", self.s3),
            ("s3.port.grpc", self.s3_grpc),
            ("master.port", self.master),
            ("master.port.grpc", self.master_grpc),
            ("volume.port", self.volume),
            ("volume.port.grpc", self.volume_grpc),
            ("filer.port", self.filer),
            ("filer.port.grpc", self.filer_grpc),
        ]
    }

    fn flags(&self) -> impl Iterator<Item = String> {
        self.named()
            .into_iter()
            .map(|(name, port)| format!("-{name}={port}"))
    }

    /// True when the gateway answers and the master assigns a volume for a write.
    fn can_store(&self) -> bool {
        http_get(self.s3, "/healthz").is_some_and(|(status, _)| status == 200)
            && http_get(self.master, "/dir/assign").is_some_and(|(_, body)| body.contains("\"fid\""))
    }
}

fn flag(name: &str, path: &Path) -> std::ffi::OsString {
    let mut flag = std::ffi::OsString::from(name);
    flag.push(path);
    flag
}
