use super::failure::Failure;
use anyhow::Result;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Nine tries make two and a half minutes of pauses: longer than the two minutes for which a server that died during an
/// upload blocks its idempotency key.
const MAX_TRIES: u32 = 9;

/// Pauses between retries. Each pause is twice as long as the one before, up to 30 s and nine tries.
#[derive(Default)]
pub struct Backoff(u32);

impl Backoff {
    /// A backoff with all tries left.
    pub fn new() -> Backoff {
        Backoff::default()
    }

    /// Waits before the next try, for as long as the server says if it does.
    ///
    /// # Errors
    ///
    /// Returns `error` itself when a retry cannot help, or when no try is left.
    pub async fn wait(&mut self, error: anyhow::Error) -> Result<()> {
        self.0 += 1;
        if !Failure::is_transient(&error) || self.0 >= MAX_TRIES {
            return Err(error);
        }
        let pause = Failure::retry_after(&error).unwrap_or_else(|| pause(self.0));
        tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        Ok(())
    }
}

fn pause(tries: u32) -> Duration {
    LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.pow(tries.saturating_sub(1).min(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_outlast_an_idempotency_key_whose_server_died() {
        assert_eq!(pause(1), Duration::from_secs(1));
        assert_eq!(pause(4), Duration::from_secs(8));
        assert_eq!(pause(60), LONGEST_PAUSE);
        let all: Duration = (1..MAX_TRIES).map(pause).sum();
        assert!(
            all > Duration::from_secs(120) && all < Duration::from_secs(180),
            "{all:?}"
        );
    }
}
