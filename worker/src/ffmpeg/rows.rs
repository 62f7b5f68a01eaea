//! Runs ffprobe for long answers, which are read line by line.

use super::{error::MediaError, tools::Tools};
use std::{ffi::OsString, io, time::Duration};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_util::sync::CancellationToken;
use vidp_common::process::{self, Access, Limits, ProcessError};

/// Resource limits of a pass over all packets. Nothing is decoded, so a long film takes seconds.
const LIMITS: Limits = Limits {
    wall: Duration::from_secs(900),
    cpu: Duration::from_secs(600),
    memory: 2 << 30,
    file_size: 0,
};
/// Characters of a line at most; ffprobe's own lines are shorter.
const MAX_LINE: usize = 200;

/// Gives each row of ffprobe's answer to `read`, as values between `|`. Returns what was read, and how ffprobe ended.
///
/// `on_message` gets each line of its log.
pub(super) async fn rows<T: Default + Send + 'static>(
    tools: &Tools,
    args: Vec<OsString>,
    access: &Access,
    cancel: &CancellationToken,
    on_message: impl FnMut(&str) + Send + 'static,
    read: impl FnMut(&mut T, &str) + Send + 'static,
) -> Result<(T, Result<(), ProcessError>), MediaError> {
    limited_rows(tools, args, LIMITS, access, cancel, on_message, read).await
}

/// The same within `limits`, for a pass that decodes.
pub(super) async fn limited_rows<T: Default + Send + 'static>(
    tools: &Tools,
    args: Vec<OsString>,
    limits: Limits,
    access: &Access,
    cancel: &CancellationToken,
    on_message: impl FnMut(&str) + Send + 'static,
    mut read: impl FnMut(&mut T, &str) + Send + 'static,
) -> Result<(T, Result<(), ProcessError>), MediaError> {
    let format = ["-of", "compact=p=0:nk=1"].map(OsString::from);
    let args = format.into_iter().chain(args);
    let mut child = process::spawn(&tools.ffprobe, args, limits, access, on_message)?;
    let stdout = child.stdout();
    let reader = tokio::spawn(async move {
        let mut found = T::default();
        let mut stdout = BufReader::with_capacity(1 << 16, stdout);
        let mut line = String::new();
        while read_line(&mut stdout, &mut line).await? {
            read(&mut found, &line);
        }
        Ok::<_, io::Error>(found)
    });
    let ended = child.finish(cancel).await;
    let found = reader.await.map_err(io::Error::other).flatten();
    let found = found.map_err(|error| ProcessError::Read {
        program: "ffprobe".to_owned(),
        error,
    })?;
    Ok((found, ended))
}

/// What was read, if ffprobe ended well; nothing if it read up to a fault of the file, or did not end within its limits.
///
/// # Errors
/// ffprobe could not be started or was cancelled.
pub(super) fn or_nothing<T: Default>(found: T, ended: Result<(), ProcessError>) -> Result<T, MediaError> {
    match ended {
        Ok(()) => Ok(found),
        Err(ProcessError::Failed { .. } | ProcessError::TimedOut { .. }) => Ok(T::default()),
        Err(error) => Err(error.into()),
    }
}

/// Reads the next line into `line`, without the characters beyond [`MAX_LINE`]; false at the end.
async fn read_line(from: &mut (impl AsyncBufReadExt + Unpin), line: &mut String) -> io::Result<bool> {
    line.clear();
    let mut is_read = false;
    loop {
        let buffer = from.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(is_read);
        }
        is_read = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = MAX_LINE.saturating_sub(line.len()).min(part.len());
        line.push_str(&String::from_utf8_lossy(&part[..room]));
        let used = end.map_or(buffer.len(), |end| end + 1);
        from.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}
