//! `vidp up` and the client commands, with every part real.

use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const VIDP: &str = env!("CARGO_BIN_EXE_vidp");
const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/clip.mp4");

fn up(dir: &Path) -> Command {
    let programs = ["vidp-api", "worker-lang", "worker-scale"];
    for program in programs {
        let path = Path::new(VIDP).with_file_name(program);
        assert!(
            path.exists(),
            "{} is not built: `cargo build --workspace` first",
            path.display()
        );
    }
    let mut command = Command::new(VIDP);
    command.arg("up").arg("--data-dir").arg(dir);
    command
}

/// A `vidp up` that is ready. It is killed when a test fails, and takes everything with it.
struct System {
    child: Child,
    state: Value,
}

impl System {
    fn start(dir: &Path) -> System {
        let mut child = up(dir)
            .args(["--api-port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .any(|line| line.starts_with("ready at http://"));
        let mut system = System {
            child,
            state: Value::Null,
        };
        assert!(ready, "`vidp up` ended before it was ready");
        system.state = serde_json::from_slice(&fs::read(dir.join("up.json")).unwrap()).unwrap();
        system
    }

    fn url(&self) -> &str {
        self.state["url"].as_str().unwrap()
    }

    fn pids(&self) -> Vec<u32> {
        let parts = ["engines", "services"].map(|kind| self.state[kind].as_array().unwrap());
        parts
            .into_iter()
            .flatten()
            .map(|part| part["pid"].as_u64().unwrap() as u32)
            .collect()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(VIDP)
            .args(args)
            .args(["--server", self.url()])
            .output()
            .unwrap()
    }

    /// SIGTERM; the exit code.
    fn stop(mut self) -> Option<i32> {
        // SAFETY: no memory is involved; the child is not reaped yet.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        self.child.wait().unwrap().code()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

fn until_gone(pids: &[u32]) {
    let start = Instant::now();
    while pids.iter().any(|pid| is_running(*pid)) {
        assert!(start.elapsed() < Duration::from_secs(5), "left running: {pids:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_video_goes_through_and_everything_stops() {
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(dir.path());
    let pids = system.pids();
    assert_eq!(pids.len(), 7);

    let second = up(dir.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another `vidp up` runs"));

    let submitted = system.run(&["submit", CLIP, "--wait", "--json", "--renditions", "144p"]);
    assert_eq!(
        submitted.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&submitted.stderr)
    );
    let job: Value = serde_json::from_slice(&submitted.stdout).unwrap();
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["stages"]["detect"]["result"]["language"]["code"], "en");

    let files = dir.path().join("files");
    let got = system.run(&[
        "get",
        job["id"].as_str().unwrap(),
        "--out",
        files.to_str().unwrap(),
    ]);
    assert_eq!(
        got.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&got.stderr)
    );
    let outputs = job["stages"].as_object().unwrap();
    for (stage, state) in outputs {
        for output in state["outputs"].as_array().unwrap() {
            let file = files.join(stage).join(output["name"].as_str().unwrap());
            assert_eq!(
                fs::metadata(file).unwrap().len(),
                output["size"].as_u64().unwrap()
            );
        }
    }
    assert!(files.join("scale/144p.mp4").exists());

    assert_eq!(system.stop(), Some(0));
    until_gone(&pids);
    assert!(!dir.path().join("up.json").exists());

    // Everything is kept, under whatever ports the next run has.
    let system = System::start(dir.path());
    let again = system.run(&["get", job["id"].as_str().unwrap()]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["stages"], job["stages"]);
    assert_eq!(system.stop(), Some(0));
}

#[test]
fn nothing_outlives_a_killed_vidp_up() {
    let dir = tempfile::tempdir().unwrap();
    let system = System::start(dir.path());
    let pids = system.pids();
    drop(system); // SIGKILL
    until_gone(&pids);
}

#[test]
fn a_part_that_cannot_start_is_named_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = up(dir.path()).args(["--api-port", &port]).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("api ended") && said.contains(&port), "{said}");
    // The lock is free again only when nobody holds it.
    System::start(dir.path()).stop();
}
