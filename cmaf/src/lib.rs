//! Reads and checks one track of fragmented MP4 (CMAF), as ffmpeg writes it for a part of a film.
//!
//! [`Track::read`] finds the init segment and the fragments of a file without reading the media data, and [`Track::extend`] those of a
//! file that is still being written. [`Track::check`] compares their times, and [`Track::set_end`] sets the end of the last fragment.
//! [`segment_index`] writes the index of a file. A fragment moves unchanged into another file, so everything that refers to the rest of
//! its file is an error: indexes, absolute positions, boxes without a size.
//!
//! The reader trusts no byte of the file. It allocates at most [`MAX_HEADER`] bytes beside the list of fragments, whose
//! length is bounded by [`MAX_FRAGMENTS`].

mod box_kind;
mod boxes;
mod check;
mod codec;
mod cursor;
mod end;
mod error;
mod file;
mod init;
mod kind;
mod limits;
mod moof;
mod segment_index;
mod track;

#[cfg(test)]
mod samples;

pub use box_kind::BoxKind;
pub use error::Error;
pub use kind::Kind;
pub use limits::{MAX_FRAGMENTS, MAX_HEADER, MAX_SAMPLES};
pub use segment_index::segment_index;
pub use track::{Fragment, Track};
