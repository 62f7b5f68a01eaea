//! The program `vidp-api`. All code is in the library `vidp_api`.

fn main() -> anyhow::Result<()> {
    vidp_api::main()
}
