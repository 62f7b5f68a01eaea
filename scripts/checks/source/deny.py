"""cargo-deny finds each dependency where it may be, under a permitted licence, from crates.io (deny.toml)."""

import json

from ..tree import pinned, run

# Offline, cargo has the packages of the platform that it builds for, and no others. Advisories need the Internet.
TARGET = "x86_64-unknown-linux-gnu"
WHAT = ("bans", "licenses", "sources")


def check(tree):
    command = [pinned("cargo-deny"), "--offline", "--locked", "--target", TARGET, "--format", "json", "--all-features"]
    code, text = run([*command, "--config", tree.root / "deny.toml", "check", *WHAT], cwd=tree.root)
    if not code:
        return
    found = [one["fields"] for one in map(parsed, text.splitlines()) if one and "fields" in one]
    # A banned crate is an error, and a warning beside it names the crate that uses the banned one.
    wrong = [one for one in found if one.get("severity") == "error" or one.get("code") == "unmatched-wrapper"]
    for one in wrong:
        labels = "; ".join(f"{label['message']}: {label['span']}" for label in one.get("labels", []))
        yield f"deny.toml: {one['message']} ({labels}) (cargo-deny)"
    if not wrong:
        yield f"deny.toml: exit code {code}: {text[-2000:]} (cargo-deny)"


def parsed(line):
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None
