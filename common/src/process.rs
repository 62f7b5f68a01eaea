//! Child programs. No other code starts one.
//!
//! Every child gets an empty environment, resource limits, the files of its [`Access`] and a filter of its system calls.
//! It cannot make other processes. It has its own process group, which is killed when the handle is dropped. A
//! parent-death signal ends it when this process is killed: ffmpeg otherwise survives its parent and keeps encoding.

mod access;
mod confine;
mod error;
mod files;
mod limits;
mod syscalls;
mod tail;

pub use access::Access;
pub use confine::layers;
pub use error::ProcessError;
pub use files::can_limit_ports;
pub use limits::Limits;

use confine::Confinement;
use std::{ffi::OsStr, io, os::unix::process::ExitStatusExt, path::Path, process::Stdio, time::Duration};
use tail::Tail;
use tokio::{
    io::AsyncReadExt,
    process::{ChildStdout, Command},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::Span;

/// A running child. Dropping it kills its process group.
pub struct Child {
    program: String,
    inner: tokio::process::Child,
    group: Option<i32>,
    wall: Duration,
    stderr: JoinHandle<Tail>,
    /// Span of the child in the trace; it ends when this handle is dropped.
    _span: Span,
}

/// Starts `program` with its standard output piped. It reaches the files and the port of `access` alone.
///
/// `on_line` receives every line of standard error while the child runs; a line ends with `\n`, or with `\r` as in
/// ffmpeg's progress. Call this on a thread that lives as long as the child, such as a worker of the runtime, and never
/// inside `spawn_blocking`: the parent-death signal follows the thread, not the process.
pub fn spawn<A: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = A>,
    limits: Limits,
    access: &Access,
    on_line: impl FnMut(&str) + Send + 'static,
) -> Result<Child, ProcessError> {
    let name = program
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let not_started = |error| ProcessError::Start {
        program: name.clone(),
        error,
    };
    let confinement = Confinement::new(program, limits, access).map_err(not_started)?;
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    // SAFETY: the closure runs between fork and exec and calls only async-signal-safe functions.
    unsafe { command.pre_exec(move || confinement.apply()) };
    let mut inner = command.spawn().map_err(not_started)?;
    let stderr = inner.stderr.take().expect("standard error is piped");
    let span = tracing::info_span!("process", program = %name);
    Ok(Child {
        program: name,
        group: inner.id().map(u32::cast_signed),
        inner,
        wall: limits.wall,
        stderr: tokio::spawn(tail::follow(stderr, on_line)),
        _span: span,
    })
}

/// Runs `program` to its end and returns its standard output, at most `max` bytes; `on_line` as for [`spawn`].
pub async fn capture<A: AsRef<OsStr>>(
    program: &Path,
    args: impl IntoIterator<Item = A>,
    limits: Limits,
    access: &Access,
    max: usize,
    cancel: &CancellationToken,
    on_line: impl FnMut(&str) + Send + 'static,
) -> Result<Vec<u8>, ProcessError> {
    let mut child = spawn(program, args, limits, access, on_line)?;
    let name = child.program.clone();
    let stdout = child.stdout();
    let reader = tokio::spawn(async move {
        let mut bytes = Vec::new();
        // One byte more than allowed distinguishes "exactly the limit" from "too much".
        stdout.take(max as u64 + 1).read_to_end(&mut bytes).await?;
        Ok::<_, io::Error>(bytes)
    });
    let ended = child.finish(cancel).await;
    let bytes = reader
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| ProcessError::Read {
            program: name.clone(),
            error,
        })?;
    if bytes.len() > max {
        return Err(ProcessError::TooMuchOutput {
            program: name,
            limit: max,
        });
    }
    ended.map(|()| bytes)
}

impl Child {
    /// The standard output of the child. The caller must read it to the end, or the child blocks.
    ///
    /// # Panics
    /// Panics when it is called a second time.
    pub fn stdout(&mut self) -> ChildStdout {
        self.inner.stdout.take().expect("standard output is taken once")
    }

    /// Waits for the end of the child, at most for its wall-clock limit; kills it on cancellation.
    ///
    /// Discards the standard output unless [`Child::stdout`] was called.
    pub async fn finish(mut self, cancel: &CancellationToken) -> Result<(), ProcessError> {
        if let Some(mut stdout) = self.inner.stdout.take() {
            tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
        }
        let program = self.program.clone();
        let status = tokio::select! {
            // After a freeze of this process both may be true: the child ended and its time expired. The end counts.
            biased;
            status = self.inner.wait() => status.map_err(|error| ProcessError::Read { program: program.clone(), error })?,
            () = cancel.cancelled() => {
                self.kill().await;
                return Err(ProcessError::Cancelled);
            }
            () = tokio::time::sleep(self.wall) => {
                self.kill().await;
                return Err(ProcessError::TimedOut { program });
            }
        };
        // A grandchild may hold the pipe open. The output of the child itself is complete by now.
        self.kill_group();
        let tail = (&mut self.stderr).await.unwrap_or_default();
        if status.success() {
            Ok(())
        } else if status.signal() == Some(libc::SIGXCPU) {
            Err(ProcessError::TimedOut { program })
        } else {
            Err(ProcessError::Failed {
                program,
                status,
                tail: tail.text(),
            })
        }
    }

    async fn kill(&mut self) {
        self.kill_group();
        let _ = self.inner.wait().await;
    }

    fn kill_group(&mut self) {
        if let Some(group) = self.group.take() {
            // SAFETY: killpg takes plain integers; the group was created for this child at its start.
            unsafe { libc::killpg(group, libc::SIGKILL) };
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill_group();
    }
}

#[cfg(test)]
mod tests;
