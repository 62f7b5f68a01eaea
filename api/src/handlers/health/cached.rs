//! Answers of the health checks that cost requests to other services.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

/// The latest answer, shared by all clients. While one request reads the state, the others wait for it.
pub(crate) struct Cached<T>(Arc<Mutex<Option<(T, Instant)>>>);

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Cached(self.0.clone())
    }
}

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Cached(Arc::default())
    }
}

impl<T: Clone + Send + 'static> Cached<T> {
    /// Returns an answer that is not older than `life`. `None` only when `read` panics.
    ///
    /// The read completes also when its client disconnects, so that clients cannot repeat it by reconnecting.
    pub(super) async fn get(
        &self,
        life: Duration,
        read: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let slot = self.0.clone();
        let answer = async move {
            let mut slot = slot.lock().await;
            match &*slot {
                Some((answer, at)) if at.elapsed() < life => answer.clone(),
                _ => slot.insert((read.await, Instant::now())).0.clone(),
            }
        };
        tokio::spawn(answer).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test]
    async fn many_clients_cost_one_read() {
        let (cached, reads) = (Cached::default(), Arc::new(AtomicU32::new(0)));
        let read = || {
            let reads = reads.clone();
            async move { reads.fetch_add(1, Ordering::Relaxed) + 1 }
        };
        let hour = Duration::from_secs(3600);
        let all = futures_util::future::join_all((0..50).map(|_| cached.get(hour, read())));
        assert!(all.await.iter().all(|answer| *answer == Some(1)));
        assert_eq!(cached.get(Duration::ZERO, read()).await, Some(2));
    }
}
