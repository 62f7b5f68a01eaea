//! The work of the worker that has the task: parts are offered, made, fetched and joined until the film is whole.

use super::{
    board::{Board, Next},
    chunk::Chunk,
    files::remove,
    helpers::Helpers,
    join::Joined,
    lead::Lead,
    publish::Publisher,
};
use crate::{
    job::{OnProgress, Rendition},
    read_back::read_back,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use vidp_common::process::ProcessError;
use vidp_worker::ffmpeg::MediaError;

/// Pause between two looks at the parts of other workers.
const PAUSE: Duration = Duration::from_secs(1);

/// Renditions that were made in parts.
pub(crate) struct Made {
    /// Number of parts.
    pub(crate) parts: usize,
    /// The renditions, each probed and complete.
    pub(crate) renditions: Vec<Rendition>,
    /// Number of packets and pictures that ffmpeg skipped or repaired.
    pub(crate) decode_errors: u64,
}

impl Lead<'_> {
    /// Makes the renditions.
    ///
    /// # Errors
    /// `damaged_media` when the parts do not make a film.
    pub(super) async fn make(&self, on_progress: &OnProgress) -> Result<Made, MediaError> {
        let mut board = Board::new(self.encoder.film.parts.len());
        for (number, part) in self.encoder.film.parts.iter().enumerate() {
            // One picture is shown for longer than the part lasts. An encoder without pictures may wait for ever (SVT-AV1).
            if part.pictures == 0 {
                board.made(number);
            }
        }
        let mut helpers = match self.job.attempt {
            Some(attempt) => Some(Helpers::begin(attempt, &self.encoder, &mut board).await),
            None => None,
        };
        let made = self.make_all(&mut board, &mut helpers, on_progress).await;
        if let Some(helpers) = &helpers
            && !self.job.cancel.is_cancelled()
        {
            helpers.withdraw(&board.keep_rest()).await;
        }
        let decode_errors = made?;
        let parts = self.encoder.film.parts.len();
        if let Some(Helpers { made, fetched, .. }) = helpers {
            tracing::info!(parts, by_others = made, fetched, "the parts are joined");
        }
        Ok(Made {
            parts,
            renditions: read_back(self.job, &self.encoder.film.targets).await?,
            decode_errors,
        })
    }

    /// Makes the sound and all parts, and joins them. Returns the number of decode errors.
    async fn make_all(
        &self,
        board: &mut Board,
        helpers: &mut Option<Helpers<'_>>,
        on_progress: &OnProgress,
    ) -> Result<u64, MediaError> {
        let (sound_made, is_sound_made) = watch::channel(false);
        let mut stream = Publisher::begin(self, is_sound_made).await;
        let sound = async {
            let decode_errors = self.sound().await?;
            sound_made.send_replace(true);
            Ok::<_, MediaError>(decode_errors)
        };
        let parts = self.make_parts(board, helpers, &mut stream, on_progress);
        let (decode_errors, joined) = tokio::try_join!(sound, parts)?;
        self.join(&joined).await?;
        Ok(decode_errors + joined.decode_errors)
    }

    /// Makes or fetches all parts of the picture and appends them to each other.
    async fn make_parts(
        &self,
        board: &mut Board,
        helpers: &mut Option<Helpers<'_>>,
        stream: &mut Option<Publisher<'_>>,
        on_progress: &OnProgress,
    ) -> Result<Joined, MediaError> {
        let film = self.encoder.film;
        let mut joined = self.joined()?;
        // Parts of this worker: the last one is not stored yet.
        let (mut stored, mut last) = (BTreeMap::new(), None::<Chunk>);
        let began = Instant::now();
        loop {
            self.append(&mut joined, board, &mut stored, last.as_ref(), stream)
                .await?;
            if joined.is_complete(film.parts.len()) {
                self.report_counts(board, 0);
                return Ok(joined);
            }
            // Directly before the choice: other workers take offers at any time.
            if let Some(helpers) = helpers {
                helpers.look(board).await;
            }
            let mut before = last.take();
            match board.next(Instant::now()) {
                Next::Make { number, offer } => {
                    if let (Some(helpers), Some(offer)) = (&helpers, offer) {
                        helpers.withdraw(&[offer]).await;
                    }
                    let started = Instant::now();
                    let report = self.report(board, number, on_progress);
                    self.report_counts(board, 1);
                    // The part before is stored meanwhile: the network waits for nothing.
                    let (chunk, ()) = tokio::join!(
                        self.encoder.make(number, &report),
                        self.store(before.as_mut(), stream)
                    );
                    last = Some(chunk?);
                    board.made(number);
                    board.took(started.elapsed());
                    report(
                        film.seconds(number),
                        film.seconds(number) / started.elapsed().as_secs_f64().max(0.001),
                    );
                }
                Next::Wait | Next::Done if before.is_some() => self.store(before.as_mut(), stream).await,
                Next::Wait => {
                    self.report_counts(board, 0);
                    let made = self.seconds_made(board, None);
                    let speed = made / began.elapsed().as_secs_f64().max(0.001);
                    on_progress((made / film.duration).min(1.0), speed);
                    self.pause().await?;
                }
                // All parts are made, and the next round joins them.
                Next::Done => {}
            }
            stored.extend(before.map(|chunk| (chunk.number, chunk)));
        }
    }

    /// Appends the parts that are made to the film, in their order.
    async fn append(
        &self,
        joined: &mut Joined,
        board: &mut Board,
        stored: &mut BTreeMap<usize, Chunk>,
        last: Option<&Chunk>,
        stream: &mut Option<Publisher<'_>>,
    ) -> Result<(), MediaError> {
        let parts = &self.encoder.film.parts;
        while let Some(part) = parts.get(joined.next)
            && board.is_made(joined.next)
            && last.is_none_or(|last| last.number != joined.next)
        {
            let number = joined.next;
            if part.pictures == 0 {
                joined.next += 1;
                continue;
            }
            let own = stored.remove(&number);
            let is_own = own.is_some();
            let chunk = match (own, self.job.attempt) {
                (None, Some(attempt)) => self.encoder.fetch(attempt, number).await,
                (chunk, _) => chunk,
            };
            match chunk {
                // A worker with another ffmpeg may have made the part. This one makes it again, so that it fits.
                Some(chunk) if !is_own && !joined.fits(&chunk)? => {
                    tracing::info!(number, "a part of another worker does not fit and is made again");
                    remove(&chunk.paths);
                    board.keep(number);
                }
                Some(chunk) => {
                    if let Err(error) = publish(stream, &chunk).await
                        && !self.job.cancel.is_cancelled()
                    {
                        tracing::warn!(
                            "the rest of the film cannot be played before it is complete: {error:#}"
                        );
                        *stream = None;
                    }
                    joined.append(&chunk)?;
                }
                None => board.keep(number),
            }
        }
        Ok(())
    }

    /// Reports the progress of a part as that of the film.
    fn report(&self, board: &Board, number: usize, on_progress: &OnProgress) -> OnProgress {
        let done = self.seconds_made(board, Some(number));
        let (duration, on_progress) = (self.encoder.film.duration, on_progress.clone());
        Arc::new(move |seconds, speed| on_progress(((done + seconds) / duration).min(1.0), speed))
    }

    /// Seconds of the film that are made, without the part `except`.
    fn seconds_made(&self, board: &Board, except: Option<usize>) -> f64 {
        let film = self.encoder.film;
        let is_counted = |number: &usize| Some(*number) != except && board.is_made(*number);
        let numbers = (0..film.parts.len()).filter(is_counted);
        numbers.map(|number| film.seconds(number)).sum()
    }

    /// Reports how many parts are made; `own` is the number of parts that this worker makes now.
    fn report_counts(&self, board: &Board, own: usize) {
        if let Some(attempt) = self.job.attempt {
            let (made, taken) = board.counts();
            let parts = self.encoder.film.parts.len();
            attempt.progress_of_parts(Some((parts, made, own + taken)));
        }
    }

    /// Stores a part, and publishes it if it is the next one.
    async fn store(&self, chunk: Option<&mut Chunk>, stream: &mut Option<Publisher<'_>>) {
        if let (Some(attempt), Some(chunk)) = (self.job.attempt, chunk) {
            self.encoder.store(attempt, chunk).await;
            if let Err(error) = publish(stream, chunk).await {
                tracing::debug!("a part is published later: {error:#}");
            }
        }
    }

    /// Waits for other workers.
    async fn pause(&self) -> Result<(), MediaError> {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => Ok(()),
            () = self.job.cancel.cancelled() => Err(ProcessError::Cancelled.into()),
        }
    }
}

/// Publishes a part of the film if it is the next one of the stream.
async fn publish(stream: &mut Option<Publisher<'_>>, chunk: &Chunk) -> anyhow::Result<()> {
    match stream.as_mut().filter(|stream| stream.wants(chunk.number)) {
        Some(publisher) => publisher.add(chunk).await,
        None => Ok(()),
    }
}
