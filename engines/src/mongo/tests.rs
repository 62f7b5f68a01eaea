use super::{
    fake::{Fake, State},
    replica_set,
};
use crate::{Daemon, StartError};
use std::{process::Command, time::Duration};

/// The stored address of an earlier run; no server listens on its port.
const OLD: &str = "127.0.0.1:9";
/// Number of steps that suffices for each start below.
const STEPS: usize = 20;

#[test]
fn stored_data_that_is_still_being_loaded_gets_the_new_port() {
    let fake = Fake::start(State {
        stored_host: Some(OLD.to_owned()),
        loads_after_initiations: 3,
        ..State::default()
    });
    start(&fake);
    let initiations = fake.received("replSetInitiate");
    assert_eq!((initiations, fake.received("replSetReconfig")), (3, 1));
}

#[test]
fn new_data_is_initiated_once_also_when_the_answer_is_lost() {
    for lost in [None, Some("replSetInitiate".to_owned())] {
        let fake = Fake::start(State {
            lost_answers: lost.into_iter().collect(),
            ..State::default()
        });
        start(&fake);
        let initiations = fake.received("replSetInitiate");
        assert_eq!((initiations, fake.received("replSetReconfig")), (1, 0));
    }
}

#[test]
fn a_refused_change_of_the_port_is_repeated() {
    // ConfigurationInProgress and NodeNotFound: an election or a busy machine.
    let fake = Fake::start(State {
        stored_host: Some(OLD.to_owned()),
        version: 7,
        reconfig_refusals: vec![109, 74],
        lost_answers: vec!["replSetReconfig".to_owned()],
        ..State::default()
    });
    start(&fake);
    assert!(fake.state().version > 7);
}

#[test]
fn stored_data_with_this_port_is_left_alone() {
    let fake = Fake::start(State::default());
    fake.state().stored_host = Some(format!("127.0.0.1:{}", fake.port));
    assert_eq!(replica_set::advance(fake.port), Ok(()));
    assert_eq!(fake.received("replSetReconfig"), 0);
}

#[test]
fn a_start_that_never_ends_names_what_it_waits_for() {
    let fake = Fake::start(State {
        stored_host: Some(OLD.to_owned()),
        loads_after_initiations: u32::MAX,
        ..State::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("sleep");
    command.arg("60");
    let mut daemon = Daemon::spawn("mongod", command, &dir.path().join("log")).unwrap();
    let limit = Duration::from_millis(200);
    let error = daemon
        .wait_for(limit, || replica_set::advance(fake.port))
        .unwrap_err();
    assert!(matches!(error, StartError::TimedOut { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with("mongod was not ready after 200ms: replSetInitiate: already initialized"),
        "{text}"
    );
}

/// Performs steps until the fake server is the primary.
fn start(fake: &Fake) {
    let is_primary = (0..STEPS).any(|_| replica_set::advance(fake.port).is_ok());
    assert!(is_primary, "{:?}", fake.state());
}
