//! Other workers that help with a film, from the view of the worker of its task: offers, and parts that were made.

use super::{
    board::Board,
    chunk::{Encoder, Facts},
};
use anyhow::Result;
use futures_util::{StreamExt, future::try_join_all, stream};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use vidp_common::LogOnce;
use vidp_contract::PartOffer;
use vidp_worker::Attempt;

/// Stored parts that are looked up at the same time.
const CONCURRENT: usize = 8;
/// Bytes of the source that a part may read: this multiple of its share of the source, and a number for the index.
const MAX_SHARES: u64 = 4;
const MAX_INDEX: u64 = 32 << 20;
/// Pause after a look that failed: a broker that refuses takes some seconds each time.
const PAUSE: Duration = Duration::from_secs(30);

/// The other workers.
pub(super) struct Helpers<'a> {
    attempt: &'a Attempt,
    encoder: &'a Encoder<'a>,
    is_offering: bool,
    outage: LogOnce,
    /// The next look is not before this time.
    next_look: Instant,
    /// Number of parts that others made.
    pub(super) made: usize,
    /// Bytes of the source that they read.
    pub(super) fetched: u64,
}

impl<'a> Helpers<'a> {
    /// Stores the plan of the film, and finds the parts that an earlier delivery of the task has left.
    pub(super) async fn begin(attempt: &'a Attempt, encoder: &'a Encoder<'a>, board: &mut Board) -> Self {
        let numbers = 0..encoder.film.parts.len();
        if attempt.number > 1 {
            let found = stream::iter(numbers)
                .map(|number| async move {
                    let facts = attempt.part_facts::<Facts>(&encoder.name(number)).await;
                    facts.ok().flatten().map(|_| number)
                })
                .buffered(CONCURRENT)
                .filter_map(async |number| number);
            for number in found.collect::<Vec<_>>().await {
                board.made(number);
            }
        }
        let mut helpers = Helpers {
            attempt,
            encoder,
            is_offering: encoder.film.is_ranged,
            outage: LogOnce::default(),
            next_look: Instant::now(),
            made: 0,
            fetched: 0,
        };
        if helpers.is_offering {
            match helpers.plan() {
                Ok(path) => attempt.share(&plan(encoder.plan), &path).await,
                Err(error) => {
                    tracing::warn!("the plan of the film cannot be written: {error:#}");
                    helpers.is_offering = false;
                }
            }
        }
        helpers
    }

    fn plan(&self) -> Result<PathBuf> {
        let path = self.encoder.folder.join("plan.json");
        fs::write(&path, serde_json::to_vec(self.encoder.film)?)?;
        Ok(path)
    }

    /// Notes what other workers have taken and made, and offers more parts. A broker that fails costs help alone.
    pub(super) async fn look(&mut self, board: &mut Board) {
        if Instant::now() < self.next_look {
            return;
        }
        if let Err(error) = self.try_look(board).await {
            self.next_look = Instant::now() + PAUSE;
            if self.outage.first_failure() {
                tracing::warn!("no parts can be offered to other workers: {error:#}");
            }
        }
    }

    async fn try_look(&mut self, board: &mut Board) -> Result<()> {
        let (attempt, encoder) = (self.attempt, self.encoder);
        let (queue, task) = (&attempt.queue, attempt.task.task_id);
        if !self.is_offering && board.taken().is_empty() {
            return Ok(());
        }
        board.delivered_up_to(queue.delivered_parts().await?, Instant::now());
        for number in board.taken() {
            let offered = queue.offered_part(task, encoder.plan, number as u32);
            if offered.await?.is_some() {
                continue;
            }
            match attempt.part_facts::<Facts>(&encoder.name(number)).await? {
                Some(facts) => {
                    self.made += 1;
                    self.fetched += facts.fetched;
                    attempt.advanced().await;
                    board.made(number);
                    if facts.fetched > self.max_fetched() {
                        self.stop(board).await;
                    }
                }
                None => board.failed(number),
            }
        }
        let open = if self.is_offering {
            board.to_offer()
        } else {
            Vec::new()
        };
        for number in open {
            let offer = PartOffer {
                task: attempt.task.clone(),
                plan: encoder.plan.to_owned(),
                number: number as u32,
            };
            // An offer that has just ended counts as delivered: the next look finds its part.
            let sequence = queue.offer_part(&offer, &attempt.trace).await?;
            board.offered(number, sequence.unwrap_or(0), Instant::now());
        }
        Ok(())
    }

    /// Bytes that a part may read of the source.
    fn max_fetched(&self) -> u64 {
        let film = self.encoder.film;
        film.size / film.parts.len().max(1) as u64 * MAX_SHARES + MAX_INDEX
    }

    /// Offers no more parts: each part reads too much of this source.
    async fn stop(&mut self, board: &mut Board) {
        tracing::info!("parts of this film are not offered any more: each reads too much of the source");
        self.is_offering = false;
        self.withdraw(&board.keep_rest()).await;
    }

    /// Withdraws offers. An offer that stays costs another worker a look at the store.
    pub(super) async fn withdraw(&self, offers: &[u64]) {
        let withdrawn = offers
            .iter()
            .map(|offer| self.attempt.queue.withdraw_part(*offer));
        if let Err(error) = try_join_all(withdrawn).await {
            tracing::debug!("an offer was not withdrawn: {error}");
        }
    }
}

/// The name of a plan in the store.
pub(super) fn plan(name: &str) -> String {
    format!("{name}-plan")
}
