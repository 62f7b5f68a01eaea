//! The real engines start, retain their data after a kill, and leave no processes or files behind.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};
use vidp_engines::{Mongo, Nats, S3, StartError};

#[test]
fn nats_restarts_on_its_port() -> Result<(), StartError> {
    let dir = tempfile::tempdir().unwrap();
    let mut nats = Nats::start(dir.path(), 0)?;
    let port = nats.port();
    nats.stop();
    nats.restart()?;
    assert_eq!(nats.url(), format!("nats://127.0.0.1:{port}"));
    Ok(())
}

/// Under load, mongod listens for a while before it has loaded its stored configuration.
#[test]
fn mongo_follows_its_data_to_other_ports_on_a_busy_machine() -> Result<(), StartError> {
    let dir = tempfile::tempdir().unwrap();
    let _load = [Busy::start(), Busy::start()];
    let mut ports = Vec::new();
    // The first start creates the data; half of the later starts find it after a crash.
    for run in 0..=3 {
        let mut mongo = Mongo::start(dir.path(), 0)?;
        assert!(!ports.contains(&mongo.port()));
        ports.push(mongo.port());
        let pid = mongo.pid();
        if run % 2 == 0 {
            mongo.stop();
        }
        drop(mongo);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }
    Ok(())
}

/// A thread that uses all CPU time it gets, until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start() -> Busy {
        let runs = Arc::new(AtomicBool::new(true));
        let busy = Busy(runs.clone());
        thread::spawn(move || while runs.load(Ordering::Relaxed) {});
        busy
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

#[test]
fn s3_restarts_on_the_same_and_on_other_ports() -> Result<(), StartError> {
    let dir = tempfile::tempdir().unwrap();
    let mut first = S3::start(dir.path(), 0)?;
    let stopping = Instant::now();
    first.stop();
    assert!(stopping.elapsed().as_secs() < 3);
    let port = first.port();
    first.restart()?;
    assert_eq!(first.port(), port);
    first.stop();
    let second = S3::start(dir.path(), 0)?;
    assert_ne!(first.secret_key(), second.secret_key());
    Ok(())
}

#[test]
fn a_taken_port_is_an_error_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    // Without the check, another server of the same kind would answer in place of the new one.
    let other = Nats::start(&dir.path().join("other"), 0).unwrap();
    let error = Nats::start(&dir.path().join("nats"), other.port()).unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
    let error = Mongo::start(&dir.path().join("mongo"), other.port()).unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
    let error = S3::start(&dir.path().join("s3"), other.port()).unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
}
