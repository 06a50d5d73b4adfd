//! The rules that drop packets: one chain of our own in a node's network namespace, never another's rules.
//!
//! A cut replaces the whole chain in one `iptables-restore --noflush` commit, so that one grudge gives way to another
//! without a moment of open links. Rules are fresh each time, so their counters start at nought: a count above it is
//! evidence. Both back ends of iptables are tried, as some kernels serve only one.
//!
//! The pure part (what is written, how counters are read) is apart from the part that runs programs.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::program::{locate, run};

/// Our chain. Nothing outside it and the one jump to it is ever changed.
const CHAIN: &str = "RASHOMON";

/// Front ends to try, in this order.
const BACK_ENDS: &[&str] = &["", "-nft", "-legacy"];

/// The programs that write and read the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Firewall {
    restore: PathBuf,
    save: PathBuf,
}

/// What stands in our chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Whether incoming packets are sent through it.
    pub(crate) hooked: bool,
    /// Packets dropped, by source.
    pub(crate) dropped_count: BTreeMap<IpAddr, u64>,
    /// Rules in it that are not such drops: never ours.
    pub(crate) strange_count: u32,
}

impl Firewall {
    /// The candidates on this machine for addresses of this family, the preferred one first.
    pub(crate) fn candidates(v6: bool) -> Vec<Self> {
        let family = if v6 { "ip6tables" } else { "iptables" };
        let found = BACK_ENDS.iter().filter_map(|back_end| {
            let restore = locate(&format!("{family}{back_end}-restore"))?;
            Some(Firewall { restore, save: locate(&format!("{family}{back_end}-save"))? })
        });
        found.collect()
    }

    /// Reads our chain in the calling thread's namespace.
    pub(crate) fn read(&self) -> io::Result<Rules> {
        let text = run(&self.save, &["-c", "-t", "filter"], "")?;
        parse(&text).map_err(|line| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} wrote {line:?}", self.save.display()))
        })
    }

    /// Makes our chain drop exactly what comes from these sources, and has packets sent through it.
    pub(crate) fn drop_from(&self, sources: &[IpAddr], hooked: bool) -> io::Result<()> {
        self.write(&drop_script(sources, hooked))
    }

    /// Takes our chain and the jump to it away, if they are there.
    pub(crate) fn remove(&self) -> io::Result<()> {
        // Without a table there is nothing to take away, and asking must not create one.
        let text = run(&self.save, &["-t", "filter"], "")?;
        if !text.lines().any(|line| line.starts_with(&format!(":{CHAIN} "))) {
            return Ok(());
        }
        let jumps = text.lines().filter(|line| is_jump(line)).count();
        self.write(&remove_script(jumps))
    }

    fn write(&self, script: &str) -> io::Result<()> {
        run(&self.restore, &["--noflush", "--wait=3"], script).map(|_| ())
    }
}

/// One commit: the chain declared (which empties it), the jump put first if it is missing, the drops.
fn drop_script(sources: &[IpAddr], hooked: bool) -> String {
    let jump = if hooked { String::new() } else { format!("-I INPUT 1 -j {CHAIN}\n") };
    let drops: String = sources.iter().map(|source| format!("-A {CHAIN} -s {source} -j DROP\n")).collect();
    format!("*filter\n:{CHAIN} - [0:0]\n-F {CHAIN}\n{jump}{drops}COMMIT\n")
}

fn remove_script(jumps: usize) -> String {
    let jumps = format!("-D INPUT -j {CHAIN}\n").repeat(jumps);
    format!("*filter\n{jumps}-F {CHAIN}\n-X {CHAIN}\nCOMMIT\n")
}

/// A rule without its counters.
fn rule(line: &str) -> &str {
    match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, rule)) => rule,
        None => line,
    }
}

fn is_jump(line: &str) -> bool {
    rule(line).trim_end() == format!("-A INPUT -j {CHAIN}")
}

/// Reads what `iptables-save -c` wrote; the line that makes no sense, if one does not.
fn parse(text: &str) -> Result<Rules, String> {
    let mut rules = Rules::default();
    for line in text.lines() {
        rules.hooked |= is_jump(line);
        let Some(drop) = rule(line).strip_prefix(&format!("-A {CHAIN} ")) else { continue };
        let words: Vec<_> = drop.split_ascii_whitespace().collect();
        let source = match words.as_slice() {
            ["-s", source, "-j", "DROP"] => source.split('/').next().and_then(|address| address.parse().ok()),
            _ => None,
        };
        let Some(source) = source else {
            rules.strange_count += 1;
            continue;
        };
        let count = line.strip_prefix('[').and_then(|rest| rest.split_once(':')?.0.parse::<u64>().ok());
        *rules.dropped_count.entry(source).or_default() += count.ok_or_else(|| line.to_owned())?;
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cut_is_one_commit_in_our_own_chain() {
        let sources = [address("10.0.0.1"), address("10.0.0.3")];
        assert_eq!(
            drop_script(&sources, false),
            "*filter\n:RASHOMON - [0:0]\n-F RASHOMON\n-I INPUT 1 -j RASHOMON\n\
             -A RASHOMON -s 10.0.0.1 -j DROP\n-A RASHOMON -s 10.0.0.3 -j DROP\nCOMMIT\n"
        );
        assert!(!drop_script(&sources, true).contains("INPUT"));
        assert_eq!(remove_script(1), "*filter\n-D INPUT -j RASHOMON\n-F RASHOMON\n-X RASHOMON\nCOMMIT\n");
    }

    #[test]
    fn counters_are_read_and_others_rules_left_alone() {
        let saved = "# Generated by iptables-save v1.8.9\n*filter\n:INPUT ACCEPT [0:0]\n:RASHOMON - [0:0]\n\
                     [9:540] -A INPUT -j RASHOMON\n[4:100] -A INPUT -s 10.0.0.9/32 -j DROP\n\
                     [3:180] -A RASHOMON -s 10.0.0.1/32 -j DROP\n[0:0] -A RASHOMON -s fd00::2/128 -j DROP\n\
                     [1:2] -A RASHOMON -j LOG\nCOMMIT\n";
        let rules = parse(saved).unwrap();
        let dropped = BTreeMap::from([(address("10.0.0.1"), 3), (address("fd00::2"), 0)]);
        assert_eq!(rules, Rules { hooked: true, dropped_count: dropped, strange_count: 1 });
        assert_eq!(parse("").unwrap(), Rules::default());
        assert!(parse("-A RASHOMON -s 10.0.0.1/32 -j DROP").is_err(), "no counter");
    }
}
