#!/usr/bin/env python3
"""Make the passwords of an installation.

  python3 scripts/make-secrets.py compose               writes .env, from .env.example
  python3 scripts/make-secrets.py kubernetes            fills in k8s/secrets/vidp-secrets.yaml
  python3 scripts/make-secrets.py kubernetes --print    prints it, for a secret manager or for kubectl

A value that is there already is never replaced: an existing .env is left alone, and so is a Secret that was filled in.
A password that is changed here must be changed where it is kept as well (docs/operations.md, "Rotating secrets").

Needs Python 3.9 or newer, and nothing else.
"""

import argparse
import os
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENV = ROOT / ".env"
ENV_SAMPLE = ROOT / ".env.example"
SECRET = ROOT / "k8s" / "secrets" / "vidp-secrets.yaml"

PLACEHOLDER = "replace-me"
# In the place of a length: an API key of VidP.
API_KEY = 0
# The names in .env. Users of MinIO are short, keys between members of a replica set long.
COMPOSE = {
    "VIDP_KEY_SECRET": 64,
    "VIDP_ADMIN_KEY": API_KEY,
    "VIDP_S3_ACCESS_KEY": 20,
    "VIDP_S3_SECRET_KEY": 40,
    "MONGODB_ROOT_PASSWORD": 40,
    "MONGODB_PASSWORD": 40,
    "MONGODB_KEYFILE": 96,
    "NATS_API_PASSWORD": 40,
    "NATS_LANGSCALE_PASSWORD": 40,
    "NATS_DOWNSCALE_PASSWORD": 40,
    "NATS_SUBTITLE_PASSWORD": 40,
    "GRAFANA_ADMIN_PASSWORD": 24,
}
# The keys of the Secret; mongodb-url has the password of mongodb-password in it.
KUBERNETES = {
    "key-secret": 64,
    "admin-key": API_KEY,
    "s3-access-key": 20,
    "s3-secret-key": 40,
    "mongodb-password": 40,
    "mongodb-root-password": 40,
    "mongodb-keyfile": 96,
    "nats-api-password": 40,
    "nats-langscale-password": 40,
    "nats-downscale-password": 40,
    "nats-subtitle-password": 40,
    "nats-cluster-password": 40,
}


def password(length):
    """A letter, then hexadecimal digits: safe in URLs, shells, YAML and base64, and no number to nats.conf."""
    if length == API_KEY:
        return f"vidp_{os.urandom(16).hex()}_{os.urandom(24).hex()}"
    return random.SystemRandom().choice("ghjkmnpqrstuvwxyz") + os.urandom(length).hex()[: length - 1]


def stop(text):
    sys.exit(f"make-secrets: {text}")


def write_new(path, text):
    """Creates a file that only its owner can read; one that is there stays as it is."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        stop(f"{path} is there already, and is not changed. Delete it for new passwords: stores made with the old "
             "ones will refuse them.")  # fmt: skip
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def compose(sample):
    """The sample with a value for each password that it leaves empty or as a placeholder."""
    text = sample
    for name, length in COMPOSE.items():
        line = re.compile(rf"^{name}=(?:['\"]?{PLACEHOLDER}[\w-]*['\"]?)?[ \t]*$", re.MULTILINE)
        text, found = line.subn(f"{name}={password(length)}", text)
        if found != 1:
            stop(f"{ENV_SAMPLE.name}: expected one line `{name}=`, found {found}")
    return text


def kubernetes(text):
    """The Secret with a value in the place of each placeholder."""
    made = {}
    for key, length in KUBERNETES.items():
        line = re.compile(rf"^(  {key}:) {PLACEHOLDER}$", re.MULTILINE)
        made[key] = password(length)
        text, found = line.subn(rf"\1 {made[key]}", text)
        if found != 1:
            stop(f"{SECRET.name}: {key} is not `{PLACEHOLDER}`: filled in already, and not changed")
    text, found = re.subn(rf"(mongodb://vidp:){PLACEHOLDER}@", rf"\g<1>{made['mongodb-password']}@", text)
    if found != 1:
        stop(f"{SECRET.name}: mongodb-url has no `vidp:{PLACEHOLDER}@` in it")
    # What the sample says of itself does not hold any more.
    return "# Made by scripts/make-secrets.py. Never commit it.\n" + re.sub(r"\A(?:#.*\n)+", "", text)


def keep_out_of_git(path):
    """Git shows no change of a sample that now has secrets in it, and commits none."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "update-index", "--skip-worktree", str(path)], stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["compose", "kubernetes"])
    parser.add_argument("--print", action="store_true", help="to the standard output; no file is changed")
    options = parser.parse_args()
    name, make, source = {
        "compose": (ENV, compose, ENV_SAMPLE),
        "kubernetes": (SECRET, kubernetes, SECRET),
    }[options.what]
    text = make(source.read_text())
    if options.print:
        sys.stdout.write(text)
        return
    if name is source:
        # In one step: a Secret of which half is filled in would not be filled in by a second run.
        draft = name.with_name(f".{name.name}.new")
        draft.unlink(missing_ok=True)
        write_new(draft, text)
        draft.replace(name)
        hidden = keep_out_of_git(name)
        print(f"{name.relative_to(ROOT)}: passwords made" + (
            "; git leaves the file alone (undo: git update-index --no-skip-worktree)" if hidden else
            ". Never commit it"))  # fmt: skip
    else:
        write_new(name, text)
        print(f"{name.relative_to(ROOT)}: written, with new passwords")


if __name__ == "__main__":
    main()
