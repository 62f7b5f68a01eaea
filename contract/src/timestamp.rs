/// A point in time, written as RFC 3339 in UTC.
pub type Timestamp = time::OffsetDateTime;
