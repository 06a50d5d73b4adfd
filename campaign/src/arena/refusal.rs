//! Why the kernel refused namespaces, and what to do about it.
//!
//! Refuses to know who asked for them.

use std::fs;

use nix::errno::Errno;

/// Distribution switches that refuse unprivileged user namespaces: the file, the value that refuses, the cure.
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
    let root = nix::unistd::geteuid().is_root();
    let switch = SWITCHES.iter().find(|(name, refusing, _)| reads(name, refusing));
    let cure = match switch {
        Some((_, _, cure)) if !root => (*cure).to_owned(),
        _ if errno == Errno::ENOSPC => {
            "the limit on namespaces is reached: see `sysctl user` for its max_*_namespaces".to_owned()
        }
        _ if errno == Errno::EINVAL || errno == Errno::ENOSYS => {
            "this kernel is built without some of: user, mount, network, process namespaces".to_owned()
        }
        _ if root => {
            "this root lacks the capability to make namespaces, as in most containers: give the container \
                      --privileged, or --cap-add SYS_ADMIN --cap-add NET_ADMIN"
                .to_owned()
        }
        _ => "run as root or with sudo; in a container, its seccomp profile must allow unshare and mount"
            .to_owned(),
    };
    format!("{cure}; or run with --arena loopback, which kills and pauses but cuts no links")
}

fn reads(name: &str, value: &str) -> bool {
    fs::read_to_string(format!("/proc/sys/{name}")).is_ok_and(|text| text.trim() == value)
}
