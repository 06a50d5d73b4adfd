# What a fresh Debian or Ubuntu machine lacks, and getting it. To be sourced; needs bash and what every Debian has.
#
# Nothing is touched when nothing is missing: no package list is fetched, no privilege asked for.

# Of an ordinary user's PATH the system programs may be missing.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }

# The machine or the arguments are not usable: the exit code that rashomon itself gives for that.
refuse() {
    say "$@"
    exit 254
}

is_root() { [ "$(id -u)" -eq 0 ]; }

can_sudo() { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }

as_root() { if is_root; then "$@"; else sudo -n "$@"; fi; }

# A compiler without the C library's headers is none.
c_compiler_works() { printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -o /dev/null - 2>/dev/null; }

# Programs that only some scripts need; each comes in the package of its own name.
programs_too=()

# packages_missing: what to install, by what does not work.
packages_missing() {
    local program
    for program in ${programs_too[@]+"${programs_too[@]}"}; do
        command -v "$program" >/dev/null || printf '%s\n' "$program"
    done
    command -v iptables >/dev/null || printf '%s\n' iptables
    command -v ip >/dev/null || printf '%s\n' iproute2
    command -v etcd >/dev/null || printf '%s\n' etcd-server
    c_compiler_works || printf '%s\n' gcc libc6-dev
}

# install_missing: makes everything present that building, testing and the main job need, or says what to do and stops.
install_missing() {
    local packages
    mapfile -t packages < <(packages_missing)
    [ ${#packages[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null ||
        refuse "This is neither Debian nor Ubuntu. Please install what they call: ${packages[*]}"
    is_root || can_sudo ||
        refuse "Missing packages. Please run as root:  apt-get update && apt-get install -y ${packages[*]}"
    say "Installing ${packages[*]}"
    # In a subshell, so that its clean-up runs when the installation ends, however it ends. `||` takes `set -e` away in
    # there, so each step that must not fail says so itself.
    (install_packages "${packages[@]}") </dev/null >&2 || refuse "Could not install ${packages[*]}: see above."
    mapfile -t packages < <(packages_missing)
    [ ${#packages[@]} -eq 0 ] || refuse "Installed, and still missing: ${packages[*]}"
}

install_packages() {
    local apt=(apt-get -q -o DPkg::Lock::Timeout=300) package
    # A broken list of some third party must not keep Debian's own packages from being installed.
    as_root "${apt[@]}" update || say "apt-get update failed; trying with the lists there are"
    local wanted=()
    for package in "$@"; do
        # Old releases have it in one package.
        if [ "$package" = etcd-server ] && ! apt-cache show etcd-server >/dev/null 2>&1; then package=etcd; fi
        wanted+=("$package")
    done
    trap allow_services EXIT
    forbid_services
    as_root env DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${wanted[@]}" || return
    case " ${wanted[*]} " in *" etcd"*) disable_etcd ;; esac
}

# The package brings a service. Runs start their own etcd: the packaged one must start neither now nor at the next boot.
POLICY=/usr/sbin/policy-rc.d

forbid_services() {
    [ ! -e "$POLICY" ] || return 0
    printf '#!/bin/sh\n# rashomon: no service starts while its packages are installed\nexit 101\n' |
        as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

allow_services() {
    if grep -qs '^# rashomon:' "$POLICY"; then as_root rm -f "$POLICY"; fi
}

disable_etcd() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now etcd.service || say "could not disable the service etcd"
    elif [ -e /etc/init.d/etcd ] && command -v update-rc.d >/dev/null; then
        as_root update-rc.d etcd disable || say "could not disable the service etcd"
    fi
}

# Ubuntu since 23.10 refuses to ordinary users the namespaces that a run lives in. Tried, not guessed.
namespaces_need_root() { ! is_root && ! unshare --user --map-root-user --net true 2>/dev/null; }
