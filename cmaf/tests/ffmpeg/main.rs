//! Reads tracks that the installed ffmpeg wrote, and compares them with what ffprobe finds.

mod clip;
mod damage;
mod ends;
mod tracks;
