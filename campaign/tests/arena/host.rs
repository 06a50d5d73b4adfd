//! The machine as seen from outside a run: what of it a run may have left behind.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rashomon_campaign::arena::tool;

/// Links, mounts, names of namespaces and packet rules of the machine itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    links: BTreeSet<String>,
    mounts: BTreeSet<String>,
    netns_names: BTreeSet<String>,
    rules: BTreeSet<String>,
}

impl Host {
    /// Looks at everything. Without `ip` and `iptables` there is nothing to look with: that fails, loudly.
    pub(crate) fn look() -> Host {
        let links = run("ip", &["-o", "link"]);
        let names = fs::read_dir("/run/netns").into_iter().flatten();
        let root = nix::unistd::geteuid().is_root();
        Host {
            // The interface's name alone: counters and flags are not ours to keep still.
            links: links.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect(),
            mounts: fs::read_to_string("/proc/mounts").unwrap().lines().map(str::to_owned).collect(),
            netns_names: names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
            // An ordinary user can neither read nor have changed the machine's rules.
            rules: if root { rules(&run("iptables-save", &[])) } else { BTreeSet::new() },
        }
    }

    /// What is here and was not `before`.
    pub(crate) fn added_since(&self, before: &Host) -> Vec<String> {
        let added = |now: &BTreeSet<String>, then: &BTreeSet<String>| {
            now.difference(then).cloned().collect::<Vec<_>>()
        };
        [
            added(&self.links, &before.links),
            added(&self.mounts, &before.mounts),
            added(&self.netns_names, &before.netns_names),
            added(&self.rules, &before.rules),
        ]
        .concat()
    }
}

/// Rules only: a chain's line carries counters, a comment the time of day.
fn rules(text: &str) -> BTreeSet<String> {
    text.lines().filter(|line| line.starts_with("-A")).map(str::to_owned).collect()
}

/// The output of a tool of the machine.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let path =
        tool::find(program).unwrap_or_else(|| panic!("{program} is not installed: scripts/test installs it"));
    let output = Command::new(path).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
