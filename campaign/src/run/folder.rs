//! The folder that a run leaves: names of its files, and how it comes to be.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context as _;
use serde::Serialize;

/// A run's folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a fresh folder in `store`, named after the moment and `label`, and points `latest` at it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn create(store: &Path, started: SystemTime, label: &str) -> anyhow::Result<Folder> {
        fs::create_dir_all(store).with_context(|| format!("--store {}: cannot be made", store.display()))?;
        let moment: String = humantime::format_rfc3339_seconds(started)
            .to_string()
            .chars()
            .filter(|c| !matches!(c, '-' | ':' | 'Z'))
            .collect();
        for attempt in 0..1_000 {
            let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
            let name = format!("{moment}-{label}{suffix}");
            let path = store.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => {
                    point_latest(store, &name)?;
                    let path = path.canonicalize()?;
                    return Ok(Folder { path });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("{}: cannot be made", path.display()));
                }
            }
        }
        anyhow::bail!("{}: a thousand runs of {label} began within this second", store.display())
    }

    /// An existing run's folder.
    pub fn at(path: &Path) -> Folder {
        Folder { path: path.to_owned() }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plan.
    pub fn plan(&self) -> PathBuf {
        self.path.join("plan.json")
    }

    /// The recorded history.
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// The fault schedule as it happened.
    pub fn schedule(&self) -> PathBuf {
        self.path.join("schedule.json")
    }

    /// A simulated run with every size and timing, for repeating.
    pub fn pinned(&self) -> PathBuf {
        self.path.join("pinned.json")
    }

    /// The verdict.
    pub fn verdict(&self) -> PathBuf {
        self.path.join("verdict.json")
    }

    /// Key by key, what proves the verdict.
    pub fn witness(&self) -> PathBuf {
        self.path.join("witness.json")
    }

    /// The counterexample as a history of its own.
    pub fn counterexample(&self) -> PathBuf {
        self.path.join("counterexample.jsonl")
    }

    /// What a node printed.
    pub fn log(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.log"))
    }

    /// Where a node keeps its data.
    pub fn data(&self, name: &str) -> PathBuf {
        self.path.join("data").join(name)
    }

    /// Writes data as JSON: to a temporary file that takes the name when it is whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json(path: &Path, data: &impl Serialize) -> anyhow::Result<()> {
        let partial = path.with_extension("json.partial");
        let write = || -> anyhow::Result<()> {
            let mut file = fs::File::create(&partial)?;
            serde_json::to_writer_pretty(&mut file, data)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            Ok(fs::rename(&partial, path)?)
        };
        write().with_context(|| format!("{}: cannot be written", path.display()))
    }
}

/// `latest` is a convenience: where the file system has no links it is left out.
fn point_latest(store: &Path, name: &str) -> anyhow::Result<()> {
    let link = store.join("latest");
    match fs::remove_file(&link) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{}: cannot be replaced", link.display())),
    }
    match std::os::unix::fs::symlink(name, &link) {
        Err(error) if error.kind() == std::io::ErrorKind::Unsupported => Ok(()),
        other => other.with_context(|| format!("{}: cannot be made", link.display())),
    }
}
