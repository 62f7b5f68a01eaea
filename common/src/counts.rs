//! Counts of running work by its owner.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

/// The pieces of work that run for each key, such as a tenant or an API key.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<String, usize>>>);

/// One counted piece of work. Dropping it ends the count, also when the work panics.
#[derive(Debug)]
pub struct Counted {
    key: String,
    counts: Counts,
}

impl Counts {
    /// Counts a piece of work for `key`.
    pub fn begin(&self, key: &str) -> Counted {
        self.begin_below(key, usize::MAX)
            .expect("fewer pieces of work than any memory holds")
    }

    /// Counts a piece of work for `key`, unless `limit` pieces already run: then the error is their number.
    pub fn begin_below(&self, key: &str, limit: usize) -> Result<Counted, usize> {
        let mut counts = self.0.lock();
        let count = counts.get(key).copied().unwrap_or(0);
        if count >= limit {
            return Err(count);
        }
        counts.insert(key.to_owned(), count + 1);
        Ok(Counted {
            key: key.to_owned(),
            counts: self.clone(),
        })
    }

    /// The pieces of work of all keys.
    pub fn total(&self) -> usize {
        self.0.lock().values().sum()
    }

    /// The keys for which `limit` or more pieces of work run.
    pub fn reaching(&self, limit: usize) -> Vec<String> {
        let counts = self.0.lock();
        let full = counts.iter().filter(|(_, count)| **count >= limit);
        full.map(|(key, _)| key.clone()).collect()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_counts_until_it_ends() {
        let counts = Counts::default();
        let (first, second) = (counts.begin("a"), counts.begin_below("a", 2).unwrap());
        assert_eq!(counts.begin_below("a", 2).unwrap_err(), 2);
        let other = counts.begin("b");
        assert_eq!((counts.total(), counts.reaching(2)), (3, vec!["a".to_owned()]));
        drop((first, other));
        assert_eq!((counts.total(), counts.reaching(2)), (1, vec![]));
        drop(second);
        assert!(counts.0.lock().is_empty());
    }
}
