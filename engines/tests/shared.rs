//! The engines that the tests of one binary share.

#[test]
fn is_started_once_and_outlives_the_thread_that_asked() {
    // A file that a killed run with the same process id left behind.
    let left = std::env::temp_dir().join(format!("vidp-engines-{}/nats/left", std::process::id()));
    std::fs::create_dir_all(&left).unwrap();
    let pid = |_| {
        let thread = std::thread::spawn(|| vidp_engines::shared().nats.pid());
        thread.join().unwrap()
    };
    let pids: Vec<u32> = (0..2).map(pid).collect();
    assert_eq!(pids[0], pids[1]);
    assert!(!left.exists());
    let shared = vidp_engines::shared();
    for port in [shared.nats.port(), shared.mongo.port(), shared.s3.port()] {
        std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    }
}
