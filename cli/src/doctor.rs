//! `vidp doctor`: is everything there that `vidp up` needs, and if not, what mends it.

use crate::model;
use std::{env, net::TcpListener, process::Command};
use vidp_engines::{find_engine, find_model};

/// Good news, or what to do.
type Finding = Result<String, String>;

/// Prints one line per check; true when all is well.
pub fn run() -> bool {
    let whisper = model::whisper_model(model::Precision::Q8_0);
    let findings = [
        ("nats-server", engine("nats-server", "VIDP_NATS_URL")),
        ("mongod", engine("mongod", "VIDP_MONGODB_URL")),
        ("weed (S3)", engine("weed", "VIDP_S3_ENDPOINT")),
        ("ffmpeg", program("ffmpeg")),
        ("ffprobe", program("ffprobe")),
        ("speech model", speech_model(&whisper)),
        ("voice model", voice_model()),
        ("port 8000", port()),
    ];
    for (name, finding) in &findings {
        match finding {
            Ok(good) => println!("ok    {name:<13} {good}"),
            Err(mend) => println!("FAIL  {name:<13} {mend}"),
        }
    }
    findings.iter().all(|(_, finding)| finding.is_ok())
}

fn engine(name: &str, variable: &str) -> Finding {
    if env::var_os(variable).is_some() {
        return Ok(format!("not needed: {variable} names one"));
    }
    match find_engine(name) {
        Ok(path) => Ok(path.display().to_string()),
        Err(_) => Err("not found: run `make setup`, or put it on the PATH".to_owned()),
    }
}

fn program(name: &str) -> Finding {
    let output = Command::new(name).arg("-version").output();
    let output = output.map_err(|_| "not found: run `make setup`, or `apt-get install ffmpeg`".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version: Vec<&str> = text.split_whitespace().take(3).collect();
    Ok(version.join(" "))
}

fn speech_model(file: &str) -> Finding {
    let path = env::var_os("VIDP_WHISPER_MODEL")
        .map(Into::into)
        .or_else(|| find_model(file));
    let path = path.ok_or("not found: run `make setup` and `vidp model make`, or set VIDP_WHISPER_MODEL")?;
    model::check(&path)
        .map(|model| format!("{}: {model}", path.display()))
        .map_err(|error| format!("{error:#}"))
}

fn voice_model() -> Finding {
    let path = env::var_os("VIDP_VAD_MODEL")
        .map(Into::into)
        .or_else(|| find_model(model::VAD_MODEL));
    let path = path.ok_or("not found: run `make setup` and `vidp model make`, or set VIDP_VAD_MODEL")?;
    if path.is_file() {
        Ok(path.display().to_string())
    } else {
        Err(format!("{} is not a file", path.display()))
    }
}

fn port() -> Finding {
    match TcpListener::bind(("127.0.0.1", 8000)) {
        Ok(_) => Ok("free".to_owned()),
        Err(_) => Err("taken, perhaps by a running `vidp up`; `--api-port` chooses another".to_owned()),
    }
}
