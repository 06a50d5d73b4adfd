//! Where a program is on this machine.

use std::env;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Looks a program up: a path as it is, relative to `folder`; a bare name beside our own executable (where `cargo build` puts
/// the reference node), then on PATH, then where Debian puts what only root has on its PATH.
pub(super) fn program(name: &str, folder: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(folder.join(name)).filter(|path| is_executable(path));
    }
    let own = env::current_exe().ok().and_then(|own| own.parent().map(Path::to_owned));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = env::split_paths(&path).collect();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    // A test's executable lies one folder below the programs.
    let beside = own.clone().into_iter().chain(own.and_then(|own| own.parent().map(Path::to_owned)));
    beside.chain(on_path).chain(system).map(|place| place.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
