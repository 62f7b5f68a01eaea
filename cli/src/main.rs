//! The program `vidp`. All code is in the library `vidp_cli`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    vidp_cli::run().await
}
