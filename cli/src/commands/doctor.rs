//! `vidp doctor`: checks what `vidp up` needs, and says how to fix what is missing.

mod machine;

use super::model;
use crate::{
    server::{Server, readable_by_others},
    ui::{exit, output},
};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use vidp_engines::{find_engine, find_model};

/// Free bytes below which the disk may soon be full: a warning.
const LOW_DISK: u64 = 5_000_000_000;
/// Free bytes below which workers accept no task: an error.
const FULL_DISK: u64 = 1_000_000_000;

/// Arguments of `vidp doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Data folder of `vidp up`
    #[arg(long, default_value = ".vidp")]
    data_dir: PathBuf,
    /// API port of `vidp up`
    #[arg(long, default_value_t = 8000)]
    api_port: u16,
    /// Print one JSON document per check
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Result of a check. `Warn` and `Fail` say what to do.
enum Finding {
    Good(String),
    Warn(String),
    Fail(String),
}

use Finding::{Fail, Good, Warn};

/// Runs `vidp doctor`: prints a line per check. The exit code is 1 when `vidp up` would fail.
pub async fn run(doctor: Doctor) -> Result<ExitCode> {
    let findings = [
        ("kernel", kernel()),
        ("Landlock", landlock()),
        ("processor", processor()),
        ("nats-server", engine("nats-server", "--version", "VIDP_NATS_URL")),
        ("mongod", engine("mongod", "--version", "VIDP_MONGODB_URL")),
        ("weed (S3)", engine("weed", "version", "VIDP_S3_ENDPOINT")),
        ("ffmpeg", program("ffmpeg")),
        ("ffprobe", program("ffprobe")),
        ("speech model", speech_model()),
        ("voice model", voice_model()),
        ("port", port(doctor.api_port)),
        ("disk", disk(&doctor.data_dir)),
        ("config", config(&doctor.server)),
        ("server", server(&doctor.server).await),
    ];
    let mut code = ExitCode::SUCCESS;
    for (name, finding) in findings {
        let (status, text) = match finding {
            Good(text) => ("ok", text),
            Warn(text) => ("warn", text),
            Fail(text) => {
                code = ExitCode::FAILURE;
                ("FAIL", text)
            }
        };
        if doctor.json {
            output::json(&json!({ "check": name, "status": status.to_lowercase(), "detail": text }));
        } else {
            output::print(format!("{}  {name:<13} {text}", output::padded_status(status, 4)));
        }
    }
    Ok(code)
}

fn kernel() -> Finding {
    let kernel = machine::kernel();
    match machine::has_seccomp() {
        true => Good(format!("{kernel}, with seccomp")),
        false => Warn(format!(
            "{kernel} has no seccomp: programs that read files may make any system call"
        )),
    }
}

fn landlock() -> Finding {
    let version = machine::landlock();
    let text = version.map_or_else(|| "none".to_owned(), |version| format!("version {version}"));
    match machine::missing(version) {
        None => Good(format!(
            "{text}: programs that read files reach their own files alone"
        )),
        Some(missing) => Warn(format!("{text}: {missing}")),
    }
}

fn processor() -> Finding {
    match machine::has_avx2() {
        true => Good("has AVX2".to_owned()),
        false => Fail("has no AVX2, which the speech engine needs (x86-64-v3)".to_owned()),
    }
}

fn engine(name: &str, version: &str, variable: &str) -> Finding {
    if env::var_os(variable).is_some() {
        return Good(format!("not needed: {variable} is set"));
    }
    match find_engine(name) {
        Ok(path) => match first_line(&path, version) {
            Some(line) => Good(line),
            None => Fail(format!(
                "{} cannot be run: `make setup` downloads it again",
                path.display()
            )),
        },
        Err(_) => Fail("not found: run `make setup`, or put it on the PATH".to_owned()),
    }
}

fn program(name: &str) -> Finding {
    match first_line(Path::new(name), "-version") {
        Some(line) => Good(line.split(" Copyright").next().unwrap_or_default().to_owned()),
        None => Fail("not found: run `make setup`, or `apt-get install ffmpeg`".to_owned()),
    }
}

/// The first line that a program prints about its version.
fn first_line(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output
        .status
        .success()
        .then(|| text.lines().next().unwrap_or_default().to_owned())
}

fn speech_model() -> Finding {
    let named = env::var_os("VIDP_WHISPER_MODEL").map(PathBuf::from);
    let path = match named.map_or_else(|| model::find(model::DEFAULT_MODEL), Ok) {
        Ok(path) => path,
        Err(error) => return Fail(error.to_string()),
    };
    match model::check(&path) {
        Ok(model) => Good(format!("{}: {model}", path.display())),
        Err(error) => Fail(format!("{error:#}; `vidp model make` recreates it")),
    }
}

fn voice_model() -> Finding {
    let path = env::var_os("VIDP_VAD_MODEL")
        .map(PathBuf::from)
        .or_else(|| find_model(model::VAD_MODEL));
    match path {
        Some(path) if path.is_file() => Good(path.display().to_string()),
        Some(path) => Fail(format!(
            "{} is not a file: set VIDP_VAD_MODEL to another file",
            path.display()
        )),
        None => Fail("not found: run `make setup` and `vidp model make`, or set VIDP_VAD_MODEL".to_owned()),
    }
}

fn port(port: u16) -> Finding {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Good(format!("{port} is free")),
        Err(_) => Fail(format!(
            "{port} is in use, perhaps by a running `vidp up`; `--api-port` selects another port"
        )),
    }
}

fn disk(folder: &Path) -> Finding {
    // The folder itself may not exist yet.
    let existing = folder.ancestors().find(|folder| folder.is_dir());
    let existing = existing.unwrap_or(Path::new("."));
    let volume = match rustix::fs::statvfs(existing) {
        Ok(volume) => volume,
        Err(error) => return Warn(format!("{}: {error}", existing.display())),
    };
    let free = volume.f_bavail * volume.f_frsize;
    let text = format!("{:.1} GB free in {}", free as f64 / 1e9, existing.display());
    match free {
        ..FULL_DISK => Fail(format!("{text}: free some space, or select another --data-dir")),
        FULL_DISK..LOW_DISK => Warn(format!(
            "{text}: the disk may soon be full; --data-dir selects another"
        )),
        _ => Good(text),
    }
}

fn config(server: &Server) -> Finding {
    let (config, path) = match server.load() {
        Ok(loaded) => loaded,
        Err(error) => return Fail(format!("{error:#}").replace('\n', " ")),
    };
    let shown = path.display();
    if let Some(warning) = readable_by_others(&config, &path) {
        return Warn(warning);
    }
    let names: Vec<_> = config.profiles.keys().map(String::as_str).collect();
    match names[..] {
        [] => Good(format!("no profiles; they can be set in {shown}")),
        _ => Good(format!("{shown}: {}", names.join(", "))),
    }
}

/// Checks the server. An error is only a warning: `vidp up` does not need a running server.
async fn server(server: &Server) -> Finding {
    let client = match server.client() {
        Ok(client) => client,
        Err(error) => return Fail(format!("{error:#}")),
    };
    let version = async {
        let document: Value = client.get("/openapi.json").await?.json().await?;
        client.page("/api/v1/jobs", &[("limit", "1".to_owned())]).await?;
        anyhow::Ok(output::field(&document["info"], "version"))
    };
    let own = env!("CARGO_PKG_VERSION");
    match version.await {
        Ok(version) if version == own => Good(format!("{} has version {version}", client.server())),
        Ok(version) => Warn(format!(
            "{} has version {version}, vidp has {own}: use the same version if possible",
            client.server()
        )),
        Err(error) => Warn(match exit::next_step(&error) {
            Some(step) => format!("{error:#}. {step}"),
            None => format!("{error:#}"),
        }),
    }
}
