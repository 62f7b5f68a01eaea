//! What a batch has done so far: a file that is only ever added to, a line for each step, on the disk before the step
//! counts. Whatever ends the program, the next run knows all of it but the step that was under way.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// A line of the file. `key` is that of the video.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Step {
    /// The first line.
    Batch { id: String, server: String },
    /// Its upload is there, without a byte so far. It becomes a job when all have come.
    Uploading { key: String, upload: String },
    /// Its source is about to be named: from here on there may be a job.
    Begun { key: String },
    /// It is a job.
    Accepted { key: String, job: String },
    /// The server will not have it: there is no job.
    Refused { key: String, code: String },
    /// The job is over, and its outputs are where they were wanted.
    Ended {
        key: String,
        job: String,
        status: String,
        code: Option<String>,
        seconds: Option<f64>,
        out: Option<PathBuf>,
    },
}

/// The file. It belongs to this process until it ends.
#[derive(Clone)]
pub struct State(Arc<Mutex<File>>);

/// What the file says.
pub struct Known {
    /// The batch's id.
    pub batch: String,
    /// The last step of each video, by key.
    pub steps: HashMap<String, Step>,
}

impl State {
    /// Opens the file of a batch, or begins one.
    pub fn open(path: &Path, server: &str) -> Result<(State, Known)> {
        let shown = path.display();
        let opened = OpenOptions::new().read(true).append(true).create(true).open(path);
        let mut file = opened.with_context(|| format!("open {shown}; --state names another file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another `vidp batch` runs with {shown}"),
            Err(TryLockError::Error(error)) => return Err(error).context("lock the batch's state"),
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        // A line that was being written when the program was killed.
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        let mut steps = parse(&text[..whole])
            .with_context(|| shown.to_string())?
            .into_iter();
        let batch = match steps.next() {
            Some(Step::Batch { id, server: before }) if before == server => id,
            Some(Step::Batch { server: before, .. }) => {
                bail!("{shown} is of a batch at {before}, not at {server}; --state names another file")
            }
            Some(_) => bail!("{shown} does not begin as a batch's state"),
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
                // The file's name, too, must outlive a power cut.
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

    /// Adds a line. It is on the disk when this returns.
    pub async fn add(&self, step: Step) -> Result<()> {
        let file = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            append(&mut file.lock().unwrap_or_else(PoisonError::into_inner), &step)
        });
        written.await?.context("write the batch's state")
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
    async fn what_was_written_is_known_wherever_the_program_was_killed() {
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
            // What is added next is a line of its own.
            state.add(begun("c")).await.unwrap();
            drop(state);
            assert!(State::open(&path, "server").unwrap().1.steps.contains_key("c"));
        }
        assert!(State::open(&path, "another").is_err());
    }
}
