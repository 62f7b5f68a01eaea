//! `vidp model list`: the models that are here, or that can be fetched.

use super::{check, known, name_in};
use crate::output::{self, Table};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::{fs, path::PathBuf};

const HERE: [(&str, usize); 2] = [("NAME", 20), ("WHAT", 0)];
const AVAILABLE: [(&str, usize); 2] = [("NAME", 20), ("SIZE", 0)];

#[derive(Args)]
pub struct List {
    /// Folder of models
    #[arg(default_value_os_t = super::folder())]
    folder: PathBuf,
    /// Those that `vidp model fetch` knows
    #[arg(long, conflicts_with = "folder")]
    available: bool,
    /// One JSON document for each
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints a line for each.
    pub fn run(self) -> Result<()> {
        if self.available {
            self.available();
            return Ok(());
        }
        let table = (!self.json).then(|| Table::new(&HERE));
        let entries = fs::read_dir(&self.folder).with_context(|| {
            format!(
                "{}: `vidp model make`, `fetch` and `import` bring models",
                self.folder.display()
            )
        })?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        paths.retain(|path| path.extension().is_some_and(|end| end == "bin"));
        paths.sort();
        for path in paths {
            let name = name_in(&path);
            let found = check(&path).map_err(|error| error.root_cause().to_string());
            match &table {
                Some(table) => {
                    table.row(&[name, found.map_or_else(|error| error, |model| model.to_string())])
                }
                None => {
                    let (model, error) = (found.as_ref().ok(), found.as_ref().err());
                    output::json(&json!({ "name": name, "path": path, "model": model, "error": error }));
                }
            }
        }
        Ok(())
    }

    fn available(&self) {
        let table = (!self.json).then(|| Table::new(&AVAILABLE));
        for known in &known::ALL {
            match &table {
                Some(table) => table.row(&[known.name.to_owned(), format!("{} MiB", known.mib)]),
                None => output::json(&json!({ "name": known.name, "mib": known.mib, "sha1": known.sha1 })),
            }
        }
    }
}
