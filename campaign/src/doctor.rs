//! What this machine allows, fault by fault, and what to do about the rest.
//!
//! Nothing is concluded from versions and switches where it can be tried: a [trial](crate::arena::trial) of
//! the arena is run in throw-away namespaces, with real signals and real packet rules. Refuses to know plans.
//! Read next: [`examine`].

mod bounded;
mod show;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rashomon_nemesis::fault::{ALL, Class, Fault};
use serde::Serialize;

use crate::arena::ArenaKind;
use crate::arena::tool::{self, IP, IPTABLES, Tool};
use crate::arena::trial::{self, Finding, Step, TRIAL_VARIABLE};
use crate::exit::Outcome;

pub use show::render;

/// A trial takes well under a second; a machine that needs longer than this hangs somewhere.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The program of the reference node; it lies beside this one.
const NODE_PROGRAM: &str = "rashomon-node";

/// etcd's server.
const ETCD: Tool = Tool { program: "etcd", package: "etcd-server" };

/// Present from Linux 6.15.
const RETRANSMISSION_BOUND: &str = "/proc/sys/net/ipv4/tcp_rto_max_ms";

/// One thing that a run may need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about: `arena namespaces`, `fault partition`, `system etcd`.
    pub subject: String,
    /// Whether the default run needs it.
    pub required: bool,
    /// Whether it works here.
    pub works: bool,
    /// What was measured, or why it does not work.
    pub detail: String,
    /// The names on the command line that it stands for.
    pub names: Vec<&'static str>,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// What was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Kernel, processors, and who asks.
    pub machine: String,
    /// Every check, the required ones of one subject before the optional.
    pub checks: Vec<Check>,
    /// The command that installs what is missing.
    pub install: Option<String>,
    /// Whether everything that the default run needs works.
    pub ready: bool,
}

/// The sub-command: prints the examination; passed when the default run can start here, a harness failure
/// otherwise.
///
/// # Errors
/// When this program cannot be started again, or its output not be written.
pub fn command(json: bool) -> anyhow::Result<Outcome> {
    if let Some((kind, hold)) = trial::asked() {
        let code = trial::play(kind, hold)?;
        return Ok(if code == 0 { Outcome::Passed } else { Outcome::HarnessFailure });
    }
    let examination = examine(&std::env::current_exe()?);
    let text = if json { serde_json::to_string_pretty(&examination)? + "\n" } else { render(&examination) };
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(if examination.ready { Outcome::Passed } else { Outcome::HarnessFailure })
}

/// Examines the machine; `program` is the `rashomon` binary, of which trials are asked.
pub fn examine(program: &Path) -> Examination {
    let namespaces = try_arena(program, ArenaKind::Namespaces);
    let loopback = try_arena(program, ArenaKind::Loopback);
    let missing: Vec<Tool> =
        [IP, IPTABLES, ETCD].into_iter().filter(|tool| tool::find(tool.program).is_none()).collect();
    let mut checks = vec![arena(ArenaKind::Namespaces, &namespaces), arena(ArenaKind::Loopback, &loopback)];
    checks.extend(
        [
            (Class::Kill, "fault kill", Step::Kill),
            (Class::Pause, "fault pause", Step::Pause),
            (Class::Partition, "fault partition", Step::Cut),
        ]
        .map(|kind| fault(kind, &namespaces, &loopback)),
    );
    checks.push(reference_node(program));
    checks.push(etcd());
    checks.push(healing());
    let ready = checks.iter().all(|check| check.works || !check.required);
    Examination { machine: machine(), install: install(&missing), checks, ready }
}

/// What a trial reported, or why there was none.
#[derive(Debug)]
struct Trial {
    findings: Vec<Finding>,
    complaint: String,
}

impl Trial {
    fn result(&self, step: Step) -> Result<String, String> {
        match self.findings.iter().find(|finding| finding.step == step) {
            Some(finding) => finding.result.clone(),
            None if self.complaint.is_empty() => Err("not reached by the trial".to_owned()),
            None => Err(self.complaint.clone()),
        }
    }
}

fn try_arena(program: &Path, kind: ArenaKind) -> Trial {
    let mut command = Command::new(program);
    command.arg("doctor").env(TRIAL_VARIABLE, kind.name());
    match bounded::output(&mut command, TRIAL_TIMEOUT) {
        Ok(output) => Trial {
            findings: output.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            complaint: output.stderr.trim().trim_start_matches("rashomon: ").to_owned(),
        },
        Err(error) => Trial { findings: Vec::new(), complaint: format!("{}: {error}", program.display()) },
    }
}

fn arena(kind: ArenaKind, trial: &Trial) -> Check {
    let result = trial.result(Step::Create);
    let lacks_ip = kind == ArenaKind::Namespaces && tool::find(IP.program).is_none();
    Check {
        subject: format!("arena {kind}"),
        names: Vec::new(),
        required: kind == ArenaKind::default(),
        works: result.is_ok(),
        remedy: lacks_ip.then(|| install_command(&[IP])),
        detail: match result {
            Ok(_) if kind == ArenaKind::Namespaces => "every node gets a network of its own".to_owned(),
            Ok(_) => "processes on 127/8: kill and pause, but no links to cut".to_owned(),
            Err(why) => why,
        },
    }
}

fn fault((class, subject, step): (Class, &str, Step), namespaces: &Trial, loopback: &Trial) -> Check {
    let is_here = |fault: &&&dyn Fault| fault.class() == class && fault.needs() == class.needs();
    let names: Vec<_> = ALL.iter().filter(is_here).map(|fault| fault.name()).collect();
    let lacks_iptables = class == Class::Partition && tool::find(IPTABLES.program).is_none();
    let (works, detail) = match (namespaces.result(step), loopback.result(step)) {
        (Ok(measured), _) => (true, measured),
        // Signals are the same everywhere; it is the arena's own check that fails.
        (Err(_), Ok(measured)) => (true, format!("{measured}, with --arena loopback")),
        (Err(_), Err(_)) if namespaces.result(Step::Create).is_err() => {
            (false, format!("needs the arena {}", ArenaKind::Namespaces))
        }
        (Err(why), _) => (false, why),
    };
    let remedy = lacks_iptables.then(|| install_command(&[IPTABLES]));
    Check { subject: subject.to_owned(), required: true, works, detail, names, remedy }
}

fn reference_node(program: &Path) -> Check {
    let beside: PathBuf = program.with_file_name(NODE_PROGRAM);
    let found = if tool::find(&beside.to_string_lossy()).is_some() {
        Some(beside.clone())
    } else {
        tool::find(NODE_PROGRAM)
    };
    let remedy = "cargo build --release --locked (it builds both), or put rashomon-node beside rashomon";
    Check {
        subject: "system reference node".to_owned(),
        names: Vec::new(),
        required: true,
        works: found.is_some(),
        remedy: found.is_none().then(|| remedy.to_owned()),
        detail: match found {
            Some(path) => path.display().to_string(),
            None => format!("{} does not exist, and PATH has no {NODE_PROGRAM}", beside.display()),
        },
    }
}

/// Run, not only found: a program of another architecture is no etcd.
fn etcd() -> Check {
    let version = tool::find(ETCD.program).ok_or_else(|| "PATH has no etcd".to_owned()).and_then(|path| {
        let output = bounded::output(Command::new(&path).arg("--version"), TRIAL_TIMEOUT);
        let output = output.map_err(|error| format!("{}: {error}", path.display()))?;
        match output.stdout.lines().next() {
            Some(line) if output.success => Ok(format!("{}, {line}", path.display())),
            _ => Err(format!("{} does not run: {}", path.display(), output.stderr.trim())),
        }
    });
    Check {
        subject: "system etcd".to_owned(),
        names: Vec::new(),
        required: false,
        works: version.is_ok(),
        remedy: version.is_err().then(|| install_command(&[ETCD])),
        detail: version.unwrap_or_else(|why| why),
    }
}

fn healing() -> Check {
    let works = Path::new(RETRANSMISSION_BOUND).exists();
    let detail = if works {
        "connections resume within about a second of a heal"
    } else {
        "this kernel cannot bound TCP's retransmission timer (6.15 can): connections that were cut for long may resume \
         many seconds after the heal, and recovery is measured with that"
    };
    Check {
        subject: "recovery figures".to_owned(),
        names: Vec::new(),
        required: false,
        works,
        detail: detail.to_owned(),
        remedy: (!works).then(|| "nothing to install; allow for it in --recovery".to_owned()),
    }
}

fn machine() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let user = if nix::unistd::geteuid().is_root() { "root" } else { "an ordinary user" };
    format!("Linux {}, {processors} processors, as {user}", release.trim())
}

fn install(missing: &[Tool]) -> Option<String> {
    (!missing.is_empty()).then(|| install_command(missing))
}

fn install_command(tools: &[Tool]) -> String {
    let packages: Vec<_> = tools.iter().map(|tool| tool.package).collect();
    let sudo = if nix::unistd::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install -y {}", packages.join(" "))
}
