use clap::Args;
use std::path::PathBuf;

/// Arguments of `vidp up`.
#[derive(Args, Clone)]
pub struct Up {
    /// Folder for all data: databases, objects, logs
    #[arg(long, default_value = ".vidp")]
    pub data_dir: PathBuf,
    /// Port of the API on 127.0.0.1; 0 selects any free port
    #[arg(long, default_value_t = 8000)]
    pub api_port: u16,
    /// Number of workers that make renditions
    #[arg(long, default_value_t = 1)]
    pub scale_workers: usize,
    /// Number of workers that detect the spoken language
    #[arg(long, default_value_t = 1)]
    pub detect_workers: usize,
    /// Number of workers that write subtitles
    #[arg(long, default_value_t = 1)]
    pub subtitle_workers: usize,
    /// Speech model: a file, or the name of a model in .engines/models; takes precedence over `VIDP_WHISPER_MODEL`
    #[arg(long, value_name = "NAME|FILE")]
    pub model: Option<String>,
    /// Print the address as JSON when the system is ready
    #[arg(long)]
    pub json: bool,
}
