use super::{
    check::check,
    place::{folder, name_in},
    published,
};
use crate::ui::{output, table::Table};
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::{fs, path::PathBuf};

const LOCAL_COLUMNS: [(&str, usize); 2] = [("NAME", 20), ("MODEL", 0)];
const AVAILABLE_COLUMNS: [(&str, usize); 2] = [("NAME", 20), ("SIZE", 0)];

/// Arguments of `vidp model list`.
#[derive(Args)]
pub struct List {
    /// Folder of models
    #[arg(default_value_os_t = folder())]
    folder: PathBuf,
    /// List the models that `vidp model fetch` can download
    #[arg(long, conflicts_with = "folder")]
    available: bool,
    /// Print one JSON document per model
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints a line per model.
    pub(super) fn run(self) -> Result<()> {
        if self.available {
            self.available();
            return Ok(());
        }
        let table = (!self.json).then(|| Table::new(&LOCAL_COLUMNS));
        let entries = fs::read_dir(&self.folder).with_context(|| {
            format!(
                "read {}; `vidp model make`, `fetch` and `import` add models",
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
        let table = (!self.json).then(|| Table::new(&AVAILABLE_COLUMNS));
        for model in &published::ALL {
            match &table {
                Some(table) => table.row(&[model.name.to_owned(), format!("{} MiB", model.mib)]),
                None => output::json(&json!({ "name": model.name, "mib": model.mib, "sha1": model.sha1 })),
            }
        }
    }
}
