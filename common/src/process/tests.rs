use super::*;

const LIMITS: Limits = Limits {
    wall: Duration::from_secs(5),
    cpu: Duration::from_secs(5),
    memory: 1 << 30,
    file_size: 1 << 20,
    network: false,
};

async fn shell(script: &str, limits: Limits) -> Result<Vec<u8>, ProcessError> {
    let never = CancellationToken::new();
    capture(Path::new("/bin/sh"), ["-c", script], limits, 1000, &never, |_| {}).await
}

#[tokio::test]
async fn captures_output_and_reports_the_tail_of_a_failure() {
    assert_eq!(shell("echo hello", LIMITS).await.unwrap(), b"hello\n");
    let error = shell("echo why >&2; exit 3", LIMITS).await.unwrap_err();
    assert_eq!(error.to_string(), "sh ended with exit status: 3: why");
    let error = shell("head -c 2000 /dev/zero", LIMITS).await.unwrap_err();
    assert!(matches!(error, ProcessError::TooMuchOutput { limit: 1000, .. }));
}

#[tokio::test]
async fn the_environment_does_not_reach_a_child() {
    assert!(std::env::var_os("HOME").is_some());
    assert_eq!(shell("echo ${HOME:-none}", LIMITS).await.unwrap(), b"none\n");
}

#[tokio::test]
async fn limits_hold() {
    let limits = Limits {
        wall: Duration::from_millis(200),
        ..LIMITS
    };
    let error = shell("sleep 60", limits).await.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    let limits = Limits {
        cpu: Duration::from_secs(1),
        ..LIMITS
    };
    let error = shell("while :; do :; done", limits).await.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let script = format!("head -c 2000000 /dev/zero > {}/f", folder.path().display());
    assert!(shell(&script, LIMITS).await.is_err());
    assert!(std::fs::metadata(folder.path().join("f")).unwrap().len() <= 1 << 20);
}

#[tokio::test]
async fn cancelling_kills_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let script = format!(
        "sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait",
        pid_file.display()
    );
    let child = spawn(Path::new("/bin/sh"), ["-c", &script], LIMITS, |_| {}).unwrap();
    let cancel = CancellationToken::new();
    let ended = tokio::spawn({
        let cancel = cancel.clone();
        async move { child.finish(&cancel).await }
    });
    let pid: u32 = loop {
        match std::fs::read_to_string(&pid_file) {
            Ok(pid) => break pid.trim().parse().unwrap(),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    cancel.cancel();
    assert!(matches!(ended.await.unwrap(), Err(ProcessError::Cancelled)));
    let gone = || match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // An orphan that init has not reaped yet is dead too.
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    };
    for _ in 0..200 {
        if gone() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the grandchild {pid} is still there");
}

#[tokio::test]
async fn a_child_has_no_more_than_it_needs() {
    let said = shell(
        "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; ulimit -n",
        LIMITS,
    )
    .await;
    let said = String::from_utf8(said.unwrap()).unwrap();
    assert_eq!(said, "NoNewPrivs:\t1\nSeccomp:\t2\n256\n", "{}", layers());
    assert!(layers().contains("seccomp"), "{}", layers());
    // In a new user namespace the child would be root.
    assert!(
        shell("unshare --user --map-root-user true", LIMITS)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn who_reads_a_file_reaches_no_network() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let connect = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}",
        server.local_addr().unwrap().port()
    );
    let bash = async |network| {
        let never = CancellationToken::new();
        let limits = Limits { network, ..LIMITS };
        capture(
            Path::new("/bin/bash"),
            ["-c", &connect],
            limits,
            1000,
            &never,
            |_| {},
        )
        .await
    };
    let error = bash(false).await.unwrap_err().to_string();
    assert!(error.contains("Operation not permitted"), "{error}");
    assert!(server.accept().is_err());
    bash(true).await.unwrap();
    assert!(server.accept().is_ok());
}
