//! Counts of open work.

use mongodb::bson::Document;

/// Open work of one tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Jobs or upload sessions.
    pub jobs: u64,
    /// Bytes of their sources.
    pub bytes: u64,
}

impl Open {
    /// Reads the result of a `$group` with the sums `jobs` and `bytes`; zero without a result.
    pub(super) fn read(group: Option<Document>) -> Open {
        let group = group.unwrap_or_default();
        let sum = |name| group.get_i64(name).unwrap_or(0).cast_unsigned();
        Open {
            jobs: sum("jobs"),
            bytes: sum("bytes"),
        }
    }
}
