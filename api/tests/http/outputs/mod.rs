//! The outputs of stages: their bytes, and streams for players.

mod files;
mod growing;
mod playback;
