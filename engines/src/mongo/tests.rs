use super::{
    fake::{Fake, State},
    is_primary, join_replica_set,
};

/// A port on which nothing listens: the one of the last run.
const OLD: &str = "127.0.0.1:9";

#[test]
fn stored_data_that_is_still_being_loaded_gets_the_new_port() {
    let fake = Fake::start(State {
        stored_host: Some(OLD.to_owned()),
        version: 1,
        loads_after_initiations: 1,
        ..State::default()
    });
    join_replica_set(fake.port).unwrap();
    assert!(is_primary(fake.port), "{:?}", fake.state());
}
