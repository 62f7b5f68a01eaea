use super::*;

const LIMITS: Limits = Limits {
    wall: Duration::from_secs(5),
    cpu: Duration::from_secs(5),
    memory: 1 << 30,
    file_size: 1 << 20,
};

async fn shell(script: &str, limits: Limits) -> Result<Vec<u8>, ProcessError> {
    let never = CancellationToken::new();
    let (program, access) = (Path::new("/bin/sh"), Access::default());
    capture(program, ["-c", script], limits, &access, 1000, &never, |_| {}).await
}

#[tokio::test]
async fn captures_output_and_reports_the_tail_of_a_failure() {
    assert_eq!(shell("echo hello", LIMITS).await.unwrap(), b"hello\n");
    let error = shell("echo why >&2; exit 3", LIMITS).await.unwrap_err();
    assert_eq!(error.to_string(), "sh ended with exit status: 3: why");
    let error = shell("exec head -c 2000 /dev/zero", LIMITS).await.unwrap_err();
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
    let error = shell("exec sleep 60", limits).await.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    let limits = Limits {
        cpu: Duration::from_secs(1),
        ..LIMITS
    };
    let error = shell("while :; do :; done", limits).await.unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    let script = format!("exec head -c 2000000 /dev/zero > {}", path.display());
    let (never, access) = (
        CancellationToken::new(),
        Access::default().and_writing(folder.path()),
    );
    let program = Path::new("/bin/sh");
    let written = capture(program, ["-c", &script], LIMITS, &access, 1000, &never, |_| {}).await;
    assert!(written.is_err());
    assert_eq!(std::fs::metadata(path).unwrap().len(), 1 << 20);
}

#[tokio::test]
async fn cancelling_kills_the_child() {
    let child = spawn(
        Path::new("/bin/sleep"),
        ["60"],
        LIMITS,
        &Access::default(),
        |_| {},
    )
    .unwrap();
    let pid = child.inner.id().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(matches!(
        child.finish(&cancel).await,
        Err(ProcessError::Cancelled)
    ));
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

/// Nothing that a child starts can remain after it: it can start nothing. `sh` names the refused call.
#[tokio::test]
async fn a_child_has_no_children() {
    for script in ["sleep 60 & wait", "(sleep 60); true", "setsid sleep 60; true"] {
        let error = shell(script, LIMITS).await.unwrap_err().to_string();
        assert!(error.contains("Cannot fork"), "{script}: {error}");
    }
}

#[tokio::test]
async fn a_child_has_no_more_than_it_needs() {
    let script = "ulimit -n; while read -r name value; do case $name in CapEff:|CapPrm:|NoNewPrivs:|Seccomp:) \
                  echo $name $value;; esac; done < /proc/self/status";
    let said = shell(script, LIMITS).await;
    let said = String::from_utf8(said.unwrap()).unwrap();
    let none = "0000000000000000";
    assert_eq!(
        said,
        format!("256\nCapPrm: {none}\nCapEff: {none}\nNoNewPrivs: 1\nSeccomp: 2\n"),
        "{}",
        layers()
    );
    for layer in ["seccomp (", "Landlock "] {
        assert!(layers().contains(layer), "{}", layers());
    }
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let access = Access::reading(Path::new("/nothing/here"));
    let error = spawn(Path::new("/bin/true"), [""; 0], LIMITS, &access, |_| {})
        .err()
        .unwrap();
    assert!(error.to_string().contains("/nothing/here"), "{error}");
}
