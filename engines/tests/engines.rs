//! The engines, for real: they come up, keep their data over a kill, and leave nothing behind.

use std::{path::Path, time::Instant};
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

#[test]
fn mongo_follows_its_data_to_another_port() -> Result<(), StartError> {
    let dir = tempfile::tempdir().unwrap();
    let first = Mongo::start(dir.path(), 0)?;
    let (port, pid) = (first.port(), first.pid());
    drop(first);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let second = Mongo::start(dir.path(), 0)?;
    assert_ne!(second.port(), port);
    Ok(())
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
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let error = Nats::start(dir.path(), taken.local_addr().unwrap().port()).unwrap_err();
    assert!(error.to_string().contains("address already in use"), "{error}");
}
