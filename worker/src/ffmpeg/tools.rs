use std::path::PathBuf;

/// Paths of the programs.
#[derive(clap::Args, Clone, Debug)]
pub struct Tools {
    /// Path or name of the ffmpeg program
    #[arg(long, env = "VIDP_FFMPEG", default_value = "ffmpeg")]
    pub ffmpeg: PathBuf,
    /// Path or name of the ffprobe program
    #[arg(long, env = "VIDP_FFPROBE", default_value = "ffprobe")]
    pub ffprobe: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Tools {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
        }
    }
}
