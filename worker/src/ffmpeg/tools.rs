use std::path::PathBuf;

/// Where the programs are.
#[derive(clap::Args, Clone, Debug)]
pub struct Tools {
    /// The ffmpeg program
    #[arg(long, env = "VIDP_FFMPEG", default_value = "ffmpeg")]
    pub ffmpeg: PathBuf,
    /// The ffprobe program
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
