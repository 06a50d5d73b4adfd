# Building, with the toolchain there is. To be sourced after machine.sh, with `root` set to the workspace's folder.

# Found where rustup puts it, should the shell not know yet.
find_cargo() {
    command -v cargo >/dev/null || PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    command -v cargo >/dev/null || refuse "cargo is missing. Please install Rust: https://rustup.rs"
}

# in_workspace COMMAND...: cargo takes its configuration from the folder it is started in.
in_workspace() { (cd "$root" && "$@"); }

# target_folder: where cargo puts what it builds, as an absolute path.
target_folder() {
    local folder=${CARGO_TARGET_DIR:-target}
    case $folder in
    /*) printf '%s\n' "$folder" ;;
    *) printf '%s\n' "$root/$folder" ;;
    esac
}

# build_release: the programs that a run needs.
build_release() { in_workspace cargo build --release --locked --workspace --bins >&2; }
