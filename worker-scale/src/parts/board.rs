//! The states of a film's parts, which the worker of the task makes, and others that take its offers. Pure.
//!
//! Offers wait in a queue of the broker, which delivers them in the order of their sequence numbers. An offer with a number up
//! to the last delivered one is in the hands of another worker. The worker of the task makes the first part that no other
//! worker has, so that it waits for others only at the end.

use std::time::{Duration, Instant};

/// Offers of a film that wait for a worker at most, unless it is long or many workers help. Films share the queue, and one must not
/// fill it.
const WINDOW: usize = 16;
/// One in this many parts of a long film is offered, so that the autoscaler sees how long it is.
const OFFERED_SHARE: usize = 4;
/// Offers that wait for each worker that helps, when that is more.
const OFFERS_PER_WORKER: usize = 2;
/// Offers of a film that wait at most, however many workers seem to help: offers that were given back count as taken.
const MAX_WINDOW: usize = 128;
/// Offers of a part that may end without it. Then the worker of the task makes the part.
const MAX_FAILURES: u8 = 3;
/// Time after which the worker of the task makes a part that another worker has, if it has nothing else to do. The offer of a
/// worker that died is delivered again after its lease, which is shorter.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same as a multiple of the longest time for a part.
const PATIENCE_IN_PARTS: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Needs a worker.
    Open,
    /// Needs the worker of the task: another one could not make it.
    Kept,
    /// Offered by the message with this sequence number; `since` is the time at which it was first seen to be delivered.
    Offered { sequence: u64, since: Option<Instant> },
    /// Made and stored, or about to be.
    Made,
}

/// The states of all parts of a film.
pub(super) struct Board {
    parts: Vec<State>,
    /// For each part the number of offers that ended without it.
    failures: Vec<u8>,
    /// Largest sequence number of an offer that was delivered, of any film.
    delivered: u64,
    /// Longest time for a part at this worker.
    longest: Duration,
}

/// The next step of the worker of the task.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// Make this part, after withdrawing its offer if there is one.
    Make { number: usize, offer: Option<u64> },
    /// Wait for other workers.
    Wait,
    /// Every part is made.
    Done,
}

impl Board {
    pub(super) fn new(parts: usize) -> Board {
        Board {
            parts: vec![State::Open; parts],
            failures: vec![0; parts],
            delivered: 0,
            longest: Duration::ZERO,
        }
    }

    /// Chooses what the worker of the task does now.
    pub(super) fn next(&self, now: Instant) -> Next {
        let free = |state: &State| match state {
            State::Open | State::Kept => Some(None),
            State::Offered {
                sequence,
                since: None,
            } => Some(Some(*sequence)),
            _ => None,
        };
        let mut numbered = self.parts.iter().enumerate();
        if let Some((number, offer)) = numbered.find_map(|(number, state)| Some((number, free(state)?))) {
            return Next::Make { number, offer };
        }
        let patience = PATIENCE.max(self.longest * PATIENCE_IN_PARTS);
        let is_late = |state: &State| matches!(state, State::Offered { since: Some(since), .. } if now.duration_since(*since) > patience);
        if let Some(number) = self.parts.iter().position(is_late) {
            return Next::Make { number, offer: None };
        }
        match self.parts.iter().all(|state| *state == State::Made) {
            true => Next::Done,
            false => Next::Wait,
        }
    }

    /// Notes up to which sequence number offers were delivered.
    pub(super) fn delivered_up_to(&mut self, delivered: u64, now: Instant) {
        self.delivered = delivered;
        for state in &mut self.parts {
            if let State::Offered { sequence, since } = state
                && *sequence <= delivered
            {
                since.get_or_insert(now);
            }
        }
    }

    /// The parts that other workers have, or have ended.
    pub(super) fn taken(&self) -> Vec<usize> {
        self.all(|state| matches!(state, State::Offered { since: Some(_), .. }))
    }

    /// The parts to offer now. The next part of the worker of the task is not among them.
    pub(super) fn to_offer(&self) -> Vec<usize> {
        let waiting = self.all(|state| matches!(state, State::Offered { since: None, .. }));
        let least = (self.parts.len() / OFFERED_SHARE).clamp(WINDOW, MAX_WINDOW);
        let window = (self.taken().len() * OFFERS_PER_WORKER).clamp(least, MAX_WINDOW);
        let first = self.all(|state| !matches!(state, State::Made | State::Offered { since: Some(_), .. }));
        let mut open = self.all(|state| *state == State::Open);
        open.retain(|number| first.first() != Some(number));
        open.truncate(window.saturating_sub(waiting.len()));
        open
    }

    /// Notes the offer of a part.
    pub(super) fn offered(&mut self, number: usize, sequence: u64, now: Instant) {
        let since = (sequence <= self.delivered).then_some(now);
        self.parts[number] = State::Offered { sequence, since };
    }

    /// Notes that a part is made.
    pub(super) fn made(&mut self, number: usize) {
        self.parts[number] = State::Made;
    }

    /// Notes how long this worker took for a part.
    pub(super) fn took(&mut self, time: Duration) {
        self.longest = self.longest.max(time);
    }

    /// Notes that an offer ended without its part. The part is offered again a few times: one worker with other settings must
    /// not keep the help of others away.
    pub(super) fn failed(&mut self, number: usize) {
        self.failures[number] += 1;
        self.parts[number] = match self.failures[number] < MAX_FAILURES {
            true => State::Open,
            false => State::Kept,
        };
    }

    /// Leaves a part to the worker of the task.
    pub(super) fn keep(&mut self, number: usize) {
        self.parts[number] = State::Kept;
    }

    /// Leaves all parts that no other worker has to the worker of the task. Returns the offers to withdraw.
    pub(super) fn keep_rest(&mut self) -> Vec<u64> {
        let mut offers = Vec::new();
        for state in &mut self.parts {
            match state {
                State::Offered {
                    sequence,
                    since: None,
                } => {
                    offers.push(*sequence);
                    *state = State::Kept;
                }
                State::Open => *state = State::Kept,
                _ => {}
            }
        }
        offers
    }

    /// Number of parts that are made, and that other workers have.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.all(|state| *state == State::Made).len(), self.taken().len())
    }

    pub(super) fn is_made(&self, number: usize) -> bool {
        self.parts[number] == State::Made
    }

    fn all(&self, is: impl Fn(&State) -> bool) -> Vec<usize> {
        let found = self.parts.iter().enumerate().filter(|(_, state)| is(state));
        found.map(|(number, _)| number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(number: usize, offer: Option<u64>) -> Next {
        Next::Make { number, offer }
    }

    fn offer_all(board: &mut Board, first: u64, now: Instant) -> Vec<usize> {
        let offered = board.to_offer();
        for (sequence, number) in (first..).zip(&offered) {
            board.offered(*number, sequence, now);
        }
        offered
    }

    #[test]
    fn a_worker_alone_makes_the_parts_in_order() {
        let (mut board, now) = (Board::new(40), Instant::now());
        let mut sequence = 1;
        for number in 0..40 {
            sequence += offer_all(&mut board, sequence, now).len() as u64;
            let offer = (number > 0).then_some(number as u64);
            assert_eq!(board.next(now), make(number, offer));
            board.made(number);
        }
        assert_eq!(board.next(now), Next::Done);
    }

    #[test]
    fn parts_of_others_are_left_to_them() {
        let (mut board, now) = (Board::new(4), Instant::now());
        assert_eq!(offer_all(&mut board, 7, now), [1, 2, 3]);
        board.delivered_up_to(8, now);
        assert_eq!(board.taken(), [1, 2]);
        board.made(0);
        assert_eq!(board.next(now), make(3, Some(9)));
        board.made(3);
        assert_eq!(board.next(now), Next::Wait);
        board.made(1);
        // The offers of part 2 end without a part.
        for sequence in 10..12 {
            board.failed(2);
            assert_eq!(board.next(now), make(2, None));
            board.offered(2, sequence, now);
            board.delivered_up_to(sequence, now);
        }
        board.failed(2);
        assert_eq!(board.to_offer(), [0; 0], "it is not offered again");
        assert_eq!(board.next(now), make(2, None));
        board.made(2);
        assert_eq!(board.next(now), Next::Done);
    }

    #[test]
    fn a_worker_that_is_too_slow_is_not_waited_for() {
        let (mut board, now) = (Board::new(2), Instant::now());
        offer_all(&mut board, 1, now);
        board.delivered_up_to(1, now);
        board.made(0);
        assert_eq!(board.next(now + PATIENCE), Next::Wait);
        assert_eq!(board.next(now + PATIENCE * 2), make(1, None));
        board.took(PATIENCE);
        assert_eq!(board.next(now + PATIENCE * 2), Next::Wait);
        // The time counts from the first sight.
        board.delivered_up_to(5, now + PATIENCE);
        assert_eq!(board.next(now + PATIENCE * 4), make(1, None));
    }

    #[test]
    fn few_offers_wait_at_a_time() {
        let (mut board, now) = (Board::new(60), Instant::now());
        assert_eq!(offer_all(&mut Board::new(100), 1, now).len(), 25);
        assert_eq!(offer_all(&mut Board::new(1000), 1, now).len(), MAX_WINDOW);
        assert_eq!(offer_all(&mut board, 1, now).len(), WINDOW);
        assert_eq!(board.to_offer(), [0; 0]);
        board.delivered_up_to(3, now);
        assert_eq!(offer_all(&mut board, 17, now), [17, 18, 19]);
        // Ten workers may take a part each before the next look.
        board.delivered_up_to(13, now);
        assert_eq!(offer_all(&mut board, 20, now).len(), 26 - 6);
        assert_eq!(board.keep_rest(), (14..40).collect::<Vec<_>>());
        assert_eq!(board.to_offer(), [0; 0]);
        assert_eq!(board.next(now), make(0, None));
    }
}
