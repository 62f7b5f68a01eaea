use crate::StartError;
use std::{
    env,
    path::{Path, PathBuf},
};

/// The path of an engine's program: `nats-server`, `mongod` or `weed`.
///
/// Looks in `$VIDP_ENGINES_DIR/bin`, on the PATH, then in `.engines/bin` of the working directory, of the
/// executable's directory and of all their ancestors. So every folder inside a checkout finds the checkout's engines.
///
/// # Errors
///
/// [`StartError::NotFound`] when none of these places has the program.
pub fn find_engine(program: &str) -> Result<PathBuf, StartError> {
    let chosen = env::var_os("VIDP_ENGINES_DIR").map(|dir| Path::new(&dir).join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let checkout = checkouts().map(|dir| dir.join("bin"));
    chosen
        .into_iter()
        .chain(env::split_paths(&path))
        .chain(checkout)
        .map(|dir| dir.join(program))
        .find(|file| is_program(file))
        .ok_or_else(|| StartError::NotFound(program.to_owned()))
}

/// The path of a speech model made by `vidp model make`, for example `ggml-base-q8_0.bin`.
///
/// Looks in `models` of `$VIDP_ENGINES_DIR`, then of the `.engines` folders that [`find_engine`] looks in.
pub fn find_model(name: &str) -> Option<PathBuf> {
    env::var_os("VIDP_ENGINES_DIR")
        .map(PathBuf::from)
        .into_iter()
        .chain(checkouts())
        .map(|dir| dir.join("models").join(name))
        .find(|file| file.is_file())
}

/// Every possible path of this checkout's `.engines` folder.
fn checkouts() -> impl Iterator<Item = PathBuf> {
    let starts = [env::current_dir().ok(), env::current_exe().ok()];
    starts.into_iter().flatten().flat_map(|start| {
        let dirs: Vec<_> = start.ancestors().map(|dir| dir.join(".engines")).collect();
        dirs
    })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
