//! One client, with or without a key, uses a bounded share of the API, its memory and its record.

mod memory;
mod siege;
mod stored;
mod strangers;
