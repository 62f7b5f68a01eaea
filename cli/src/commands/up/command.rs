use super::{arguments::Up, stopping::Stopping, system::System};
use anyhow::Result;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::json;
use std::io::Write;

/// Runs `vidp up`: starts the system and keeps it running until a signal.
pub async fn run(up: Up) -> Result<()> {
    // This process has the engines' secrets, and ffmpeg runs as the same user.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let stopping = Stopping::on_signal()?;
    // Starting, watching and stopping processes blocks; only the signals are asynchronous.
    tokio::task::spawn_blocking(move || {
        let Some(mut system) = System::start(&up, &stopping)? else {
            return Ok(()); // A signal arrived during the start.
        };
        let (url, pid) = (system.url(), std::process::id());
        let ready = match up.json {
            true => json!({ "url": url, "pid": pid, "data_dir": system.data_dir() }).to_string(),
            false => format!("ready at {url}"),
        };
        // A closed pipe must not end the system.
        let _ = writeln!(std::io::stdout(), "{ready}");
        system.watch(&stopping);
        say!("stopping");
        system.stop();
        Ok(())
    })
    .await?
}
