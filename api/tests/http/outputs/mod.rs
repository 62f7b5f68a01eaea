//! The outputs of stages: their bytes, and streams for players.

mod embed;
mod files;
mod growing;
mod playback;
