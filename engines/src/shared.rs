use crate::{Mongo, Nats, S3, StartError};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
    thread,
};

/// The three engines that the tests of one binary share.
#[derive(Debug)]
pub struct Shared {
    /// NATS with JetStream.
    pub nats: Nats,
    /// MongoDB.
    pub mongo: Mongo,
    /// The S3 server.
    pub s3: S3,
    dir: PathBuf,
}

static SHARED: OnceLock<Shared> = OnceLock::new();
const PREFIX: &str = "vidp-engines-";

/// The engines of this test binary, started at the first call on free ports in a temporary folder.
///
/// The first call takes about 4 s. At the end of the process the engines are stopped and the folder is removed.
///
/// # Panics
///
/// When an engine cannot be started; the message has the reason. No test can run without the engines.
pub fn shared() -> &'static Shared {
    SHARED.get_or_init(|| {
        sweep();
        let dir = env::temp_dir().join(format!("{PREFIX}{}", process::id()));
        // A killed run may have had the same process id; its streams and databases would disturb this one.
        let _ = fs::remove_dir_all(&dir);
        let started = start(dir).unwrap_or_else(|error| panic!("{error}"));
        // SAFETY: the handler has the signature that atexit requires, and does not unwind.
        unsafe { libc::atexit(clean_up) };
        started
    })
}

fn start(dir: PathBuf) -> Result<Shared, StartError> {
    thread::scope(|scope| {
        let nats = scope.spawn(|| Nats::start(&dir.join("nats"), 0));
        let mongo = scope.spawn(|| Mongo::start(&dir.join("mongo"), 0));
        let s3 = scope.spawn(|| S3::start(&dir.join("s3"), 0));
        Ok((join(nats)?, join(mongo)?, join(s3)?))
    })
    .map(|(nats, mongo, s3)| Shared { nats, mongo, s3, dir })
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Kills the engines and removes their data, because statics are not dropped.
extern "C" fn clean_up() {
    let Some(shared) = SHARED.get() else { return };
    for pid in [shared.nats.pid(), shared.mongo.pid(), shared.s3.pid()] {
        let pid = pid as libc::pid_t;
        // SAFETY: no memory is involved; these children are not reaped before, so no other process has their ids.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
    shared.s3.remove_sockets();
    let _ = fs::remove_dir_all(&shared.dir);
}

/// Removes the folders of killed test runs.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if let Some(pid) = pid.and_then(|pid| pid.parse::<u32>().ok())
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            // The removal fails when the folder belongs to another user.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
