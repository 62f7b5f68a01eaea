//! Encodes sources of many kinds to renditions, with the real ffmpeg.

mod clip;
mod copies;
mod declared;
mod failures;
mod interlaced;
mod limits;
mod loudness;
mod outputs;
mod parts;
mod pictures;
mod previews;
mod refusals;
mod sound;
mod stills;
mod streaming;
mod streams;
mod subtitles;
mod turning;
mod variable_rate;
