use crate::{
    media::sample,
    stack::{Stack, up, vidp},
};

const ADMIN_KEY: &str =
    "vidp_0123456789abcdef0123456789abcdef_0123456789abcdef0123456789abcdef0123456789abcdef";
const KEY_SECRET: &str = "a secret that only this test knows";

/// Runs `vidp`; returns its output, or its errors when it fails.
fn run(stack: &Stack, key: &str, args: &[&str]) -> Result<String, String> {
    let mut command = vidp();
    command
        .args(args)
        .env("VIDP_SERVER", &stack.url)
        .env("VIDP_API_KEY", key);
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match done.status.success() {
        true => Ok(text(&done.stdout)),
        false => Err(text(&done.stderr)),
    }
}

#[test]
fn keys_are_made_used_rotated_and_revoked_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut command = up(&data, 0);
    command
        .args(["--scale-workers=1", "--detect-workers=0", "--subtitle-workers=0"])
        .env("VIDP_AUTH", "keys")
        .env("VIDP_LOG_FILTER", "debug")
        .env("VIDP_KEY_SECRET", KEY_SECRET)
        .env("VIDP_ADMIN_KEY", ADMIN_KEY);
    let stack = Stack::start_as(&data, command);
    let as_admin = |args: &[&str]| run(&stack, ADMIN_KEY, args).unwrap();

    let key = as_admin(&[
        "keys",
        "create",
        "shop",
        "--tenant",
        "acme",
        "--expires-days",
        "90",
    ]);
    let clip = sample("clip.mp4");
    let submit = [
        "submit",
        clip.to_str().unwrap(),
        "--stages=scale",
        "--renditions=144p",
        "--wait",
    ];
    let refused = run(&stack, "", &submit).unwrap_err();
    assert!(refused.contains("unauthenticated"), "{refused}");
    let out = folder.path().join("out");
    let job = run(
        &stack,
        &key,
        &[&submit[..], &["--json", "--out", out.to_str().unwrap()]].concat(),
    )
    .unwrap();
    assert!(out.join("scale/144p.mp4").is_file(), "{job}");

    let list = as_admin(&["keys", "list", "--tenant", "acme"]);
    assert!(list.contains("shop") && !list.contains(&key), "{list}");
    let id = list.split_whitespace().next().unwrap().to_owned();
    let second = as_admin(&["keys", "rotate", &id]);
    as_admin(&["keys", "revoke", &id]);
    let watch = |key: &str| {
        let job: serde_json::Value = serde_json::from_str(&job).unwrap();
        run(&stack, key, &["get", job["id"].as_str().unwrap()])
    };
    assert!(watch(&second).is_ok());
    let refused = watch(&key).unwrap_err();
    assert!(refused.contains("revoked"), "{refused}");
    let refused = run(&stack, &second, &["keys", "list"]).unwrap_err();
    assert!(refused.contains("insufficient_scope"), "{refused}");

    // No secret is in a log. The first half of a key is its id, which logs do contain.
    let secret = |key: &str| key.rsplit('_').next().unwrap().to_owned();
    let secrets = [
        secret(&key),
        secret(&second),
        secret(ADMIN_KEY),
        KEY_SECRET.to_owned(),
        "X-Amz-Signature=".to_owned(),
    ];
    let mut lines = 0;
    for log in std::fs::read_dir(data.join("logs")).unwrap() {
        let path = log.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for line in text.lines() {
            lines += 1;
            let shown = secrets.iter().find(|secret| line.contains(*secret));
            assert!(shown.is_none(), "{}: {line}", path.display());
        }
    }
    assert!(lines > 100, "only {lines} lines of logs were checked");
}
