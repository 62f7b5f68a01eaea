use std::path::{Path, PathBuf};

/// Files and ports that a child program reaches besides the system's programs and libraries.
///
/// The default is nothing: no file and no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Files and folders that it may read.
    pub read: Vec<PathBuf>,
    /// Files that it may write, and folders in which it may create, write, rename and remove regular files.
    pub write: Vec<PathBuf>,
    /// The TCP port to which it may connect. Without one it has no sockets.
    pub port: Option<u16>,
}

impl Access {
    /// Read access to one file or folder.
    pub fn reading(path: &Path) -> Access {
        Access {
            read: vec![path.to_owned()],
            ..Access::default()
        }
    }

    /// Connections to one TCP port of this machine.
    pub fn connecting(port: u16) -> Access {
        Access {
            port: Some(port),
            ..Access::default()
        }
    }

    /// Adds read and write access to one file or folder.
    pub fn and_writing(mut self, path: &Path) -> Access {
        self.write.push(path.to_owned());
        self
    }
}
