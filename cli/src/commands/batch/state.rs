use anyhow::{Context, Result, bail};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A line of the state file. `key` is the key of the item.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Step {
    /// The first line: the batch's id and its server.
    Batch { id: String, server: String },
    /// An upload session exists, with no bytes yet. A complete upload becomes a job.
    Uploading { key: String, upload: String },
    /// The request with the source is about to be sent: from now on a job may exist.
    Begun { key: String },
    /// The server created a job.
    Accepted { key: String, job: String },
    /// The server refused the video: no job exists.
    Refused { key: String, code: String },
    /// The job has ended, and its outputs are downloaded if `--out` says so.
    Ended {
        key: String,
        job: String,
        status: String,
        code: Option<String>,
        seconds: Option<f64>,
        out: Option<PathBuf>,
    },
}

/// The state file of a batch: one line per step, appended and synced to disk before the step counts.
///
/// After a crash, the next run knows every step except the one in progress. The file is locked while this value lives.
#[derive(Clone)]
pub(super) struct State(Arc<Mutex<File>>);

/// Content of the state file from earlier runs.
pub(super) struct Known {
    /// The batch's id.
    pub(super) batch: String,
    /// The last step of each item, by its key.
    pub(super) steps: HashMap<String, Step>,
}

impl State {
    /// Opens the state file of a batch, or creates one.
    pub(super) fn open(path: &Path, server: &str) -> Result<(State, Known)> {
        let shown = path.display();
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = opened.with_context(|| format!("open {shown}; --state selects another file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another `vidp batch` is using {shown}"),
            Err(TryLockError::Error(error)) => return Err(error).context("lock the batch's state file"),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // An incomplete last line was being written when the program was killed.
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let mut steps = parse(&text[..whole])
            .with_context(|| shown.to_string())?
            .into_iter();
        let batch = match steps.next() {
            Some(Step::Batch { id, server: earlier }) if earlier == server => id,
            Some(Step::Batch { server: earlier, .. }) => {
                bail!(
                    "{shown} belongs to a batch at {earlier}, not at {server}; --state selects another file"
                )
            }
            Some(_) => bail!("{shown} is not the state file of a batch"),
            None => {
                let id = uuid::Uuid::now_v7().to_string();
                let server = server.to_owned();
                append(
                    &mut file,
                    &Step::Batch {
                        id: id.clone(),
                        server,
                    },
                )?;
                // The entry in the folder must survive a power cut too.
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
                id
            }
        };
        let steps = steps
            .filter_map(|step| Some((step.key()?.to_owned(), step)))
            .collect();
        Ok((State(Arc::new(Mutex::new(file))), Known { batch, steps }))
    }

    /// Appends a step. It is on disk when this returns.
    pub(super) async fn add(&self, step: Step) -> Result<()> {
        let file = self.0.clone();
        let written = tokio::task::spawn_blocking(move || append(&mut file.lock(), &step));
        written.await?.context("write the batch's state file")
    }
}

impl Step {
    fn key(&self) -> Option<&str> {
        match self {
            Step::Batch { .. } => None,
            Step::Uploading { key, .. }
            | Step::Begun { key }
            | Step::Accepted { key, .. }
            | Step::Refused { key, .. }
            | Step::Ended { key, .. } => Some(key),
        }
    }
}

fn append(file: &mut File, step: &Step) -> Result<()> {
    let mut line = serde_json::to_vec(step)?;
    line.push(b'\n');
    file.write_all(&line)?;
    Ok(file.sync_data()?)
}

fn parse(text: &[u8]) -> Result<Vec<Step>> {
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty());
    let steps =
        lines.map(|(i, line)| serde_json::from_slice(line).with_context(|| format!("line {}", i + 1)));
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[tokio::test]
    async fn written_steps_are_known_wherever_the_program_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let begun = |key: &str| Step::Begun { key: key.to_owned() };
        let accepted = Step::Accepted {
            key: "a".to_owned(),
            job: "1".to_owned(),
        };
        let (state, known) = State::open(&path, "server").unwrap();
        for step in [begun("a"), accepted.clone(), begun("b")] {
            state.add(step).await.unwrap();
        }
        assert!(State::open(&path, "server").is_err(), "it is in use");
        drop(state);
        let whole = fs::read(&path).unwrap();
        let lines: Vec<_> = (0..whole.len()).filter(|i| whole[*i] == b'\n').collect();
        for length in lines[0] + 1..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (state, again) = State::open(&path, "server").unwrap();
            assert_eq!(again.batch, known.batch);
            let expected = match length {
                _ if length > lines[3] => Some(&accepted),
                _ if length > lines[2] => Some(&accepted),
                _ => None,
            };
            assert_eq!(
                again.steps.get("a") == Some(&accepted),
                expected.is_some(),
                "{length}"
            );
            assert_eq!(again.steps.contains_key("b"), length > lines[3], "{length}");
            // The next step is on a new line.
            state.add(begun("c")).await.unwrap();
            drop(state);
            assert!(State::open(&path, "server").unwrap().1.steps.contains_key("c"));
        }
        assert!(State::open(&path, "another").is_err());
    }
}
