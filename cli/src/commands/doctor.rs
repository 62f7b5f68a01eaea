//! `vidp doctor`: is everything there that `vidp up` needs, and if not, what mends it.

use crate::{
    config::{Server, open_to_others},
    model, output,
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

/// Less disk than this is soon full.
const LITTLE: u64 = 5_000_000_000;
/// Less than this is as good as full: workers take no task then.
const FULL: u64 = 1_000_000_000;

#[derive(Args)]
pub struct Doctor {
    /// Folder that `vidp up` would use
    #[arg(long, default_value = ".vidp")]
    data_dir: PathBuf,
    /// Port that `vidp up` would use
    #[arg(long, default_value_t = 8000)]
    api_port: u16,
    /// One JSON document for each check
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

/// Good news; or what to do about it, if it must be or might be.
enum Finding {
    Good(String),
    Warn(String),
    Fail(String),
}

use Finding::{Fail, Good, Warn};

/// Prints a line for each check; 1 when something is missing that `vidp up` needs.
pub async fn run(doctor: Doctor) -> Result<ExitCode> {
    let findings = [
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
            output::print(format!(
                "{}  {name:<13} {text}",
                output::status_of_width(status, 4)
            ));
        }
    }
    Ok(code)
}

fn engine(name: &str, version: &str, variable: &str) -> Finding {
    if env::var_os(variable).is_some() {
        return Good(format!("not needed: {variable} names one"));
    }
    match find_engine(name) {
        Ok(path) => match first_line(&path, version) {
            Some(line) => Good(line),
            None => Fail(format!(
                "{} does not run: `make setup` fetches it again",
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

/// What a program says of its version.
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
    let path = match named.map_or_else(|| model::find(model::DEFAULT), Ok) {
        Ok(path) => path,
        Err(error) => return Fail(error.to_string()),
    };
    match model::check(&path) {
        Ok(model) => Good(format!("{}: {model}", path.display())),
        Err(error) => Fail(format!("{error:#}; `vidp model make` makes it again")),
    }
}

fn voice_model() -> Finding {
    let path = env::var_os("VIDP_VAD_MODEL")
        .map(PathBuf::from)
        .or_else(|| find_model(model::VAD_MODEL));
    match path {
        Some(path) if path.is_file() => Good(path.display().to_string()),
        Some(path) => Fail(format!(
            "{} is not a file: set VIDP_VAD_MODEL to another",
            path.display()
        )),
        None => Fail("not found: run `make setup` and `vidp model make`, or set VIDP_VAD_MODEL".to_owned()),
    }
}

fn port(port: u16) -> Finding {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => Good(format!("{port} is free")),
        Err(_) => Fail(format!(
            "{port} is taken, perhaps by a running `vidp up`; `--api-port` chooses another"
        )),
    }
}

fn disk(folder: &Path) -> Finding {
    // It may not be there yet.
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("."));
    let volume = match rustix::fs::statvfs(there) {
        Ok(volume) => volume,
        Err(error) => return Warn(format!("{}: {error}", there.display())),
    };
    let free = volume.f_bavail * volume.f_frsize;
    let text = format!("{:.1} GB free in {}", free as f64 / 1e9, there.display());
    match free {
        ..FULL => Fail(format!("{text}: make room, or name another --data-dir")),
        FULL..LITTLE => Warn(format!("{text}: it may soon be full; --data-dir names another")),
        _ => Good(text),
    }
}

fn config(server: &Server) -> Finding {
    let (config, path) = match server.load() {
        Ok(loaded) => loaded,
        Err(error) => return Fail(format!("{error:#}").replace('\n', " ")),
    };
    let shown = path.display();
    if let Some(warning) = open_to_others(&config, &path) {
        return Warn(warning);
    }
    let names: Vec<_> = config.profiles.keys().map(String::as_str).collect();
    match names[..] {
        [] => Good(format!("no profiles; {shown} may have some")),
        _ => Good(format!("{shown}: {}", names.join(", "))),
    }
}

/// A server is not needed to start one.
async fn server(server: &Server) -> Finding {
    let client = match server.client() {
        Ok(client) => client,
        Err(error) => return Fail(format!("{error:#}")),
    };
    let asked = async {
        let document: Value = client.get("/openapi.json").await?.json().await?;
        client.page("/api/v1/jobs", &[("limit", "1".to_owned())]).await?;
        anyhow::Ok(output::field(&document["info"], "version"))
    };
    let own = env!("CARGO_PKG_VERSION");
    match asked.await {
        Ok(version) if version == own => Good(format!("{} has version {version}", client.server())),
        Ok(version) => Warn(format!(
            "{} has version {version}, this is {own}: use the same where you can",
            client.server()
        )),
        Err(error) => Warn(match crate::exit::next_step(&error) {
            Some(step) => format!("{error:#}. {step}"),
            None => format!("{error:#}"),
        }),
    }
}
