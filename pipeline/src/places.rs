//! Places for concurrent work, with a maximum share for each tenant or receiver.

use vidp_common::{Counted, Counts};

/// A number of places, of which one key may take its share only.
pub(crate) struct Places {
    total: usize,
    share: usize,
    taken: Counts,
}

impl Places {
    /// Creates `total` places; one key may take `share` of them at a time.
    pub(crate) fn new(total: usize, share: usize) -> Places {
        Places {
            total,
            share,
            taken: Counts::default(),
        }
    }

    /// Returns true when all places are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.taken.total() >= self.total
    }

    /// Returns the keys that have taken their share.
    pub(crate) fn at_share(&self) -> Vec<String> {
        self.taken.reaching(self.share)
    }

    /// Takes a place for `key` until the returned value is dropped. The caller checks the limits first.
    pub(crate) fn take(&self, key: &str) -> Counted {
        self.taken.begin(key)
    }
}
