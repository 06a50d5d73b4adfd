//! Why the kernel refused namespaces, and what to do about it.
//!
//! Refuses to know who asked for them.

use std::fs;

use nix::errno::Errno;

/// Distribution switches that refuse unprivileged user namespaces: the file, the value that refuses, the
/// cure.
const SWITCHES: [(&str, &str, &str); 3] = [
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps ordinary users from it (Ubuntu 23.10 and later): run as root or with sudo, or \
         `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are switched off for ordinary users: run as root or with sudo, or \
         `sudo sysctl kernel.unprivileged_userns_clone=1`",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "the machine allows no user namespaces at all: run as root or with sudo, or \
         `sudo sysctl user.max_user_namespaces=10000`",
    ),
];

/// A sentence on what to do, from what the machine says about itself.
pub fn advice(errno: Errno) -> String {
    let switch = SWITCHES.iter().find(|(name, refusing, _)| reads(name, refusing)).map(|(_, _, cure)| *cure);
    let cure = cure(errno, nix::unistd::geteuid().is_root(), switch);
    format!("{cure}; or run with --arena loopback, which kills and pauses but cuts no links")
}

/// The switches concern ordinary users only; for them they explain any refusal.
fn cure(errno: Errno, root: bool, switch: Option<&'static str>) -> &'static str {
    match (errno, switch) {
        (_, Some(cure)) if !root => cure,
        (Errno::ENOSPC, _) => {
            "the limit on namespaces is reached: see `sysctl user` for its max_*_namespaces"
        }
        (Errno::EINVAL | Errno::ENOSYS, _) => {
            "this kernel is built without some of: user, mount, network, process and IPC namespaces"
        }
        _ if root => {
            "this root lacks the capability to make namespaces, as in most containers: give the container \
             --privileged, or --cap-add SYS_ADMIN --cap-add NET_ADMIN"
        }
        _ => "run as root or with sudo; in a container, its seccomp profile must allow unshare and mount",
    }
}

fn reads(name: &str, value: &str) -> bool {
    fs::read_to_string(format!("/proc/sys/{name}")).is_ok_and(|text| text.trim() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_fits_whoever_is_refused() {
        let apparmor = Some(SWITCHES[0].2);
        for (errno, root, switch, word) in [
            (Errno::EPERM, false, apparmor, "apparmor_restrict_unprivileged_userns=0"),
            (Errno::EACCES, false, apparmor, "AppArmor"),
            (Errno::EPERM, true, apparmor, "--cap-add SYS_ADMIN"),
            (Errno::EPERM, false, None, "sudo"),
            (Errno::ENOSPC, true, None, "max_*_namespaces"),
            (Errno::EINVAL, false, None, "kernel is built without"),
        ] {
            let cure = cure(errno, root, switch);
            assert!(cure.contains(word), "{errno}, root {root}: no {word:?} in {cure:?}");
        }
    }
}
