//! One execution, from the first node's start to the verdict.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use rashomon_checker::Judgement;
use rashomon_histories::{Header, Nanos, Recorder, Sink, Value, Writer};
use rashomon_nemesis::errands::ANSWER_WAIT;
use rashomon_nemesis::protocol::Site;
use rashomon_nemesis::schedule::Steps;
use rashomon_nemesis::{NodeId, Recording, Report as ActionReport, View};
use rashomon_workloads::{self as asked, Layout};
use tokio::sync::Notify;

use crate::arena::interrupts::Interrupts;
use crate::arena::{Arena, NodeCommand};
use crate::cli::RunArgs;
use crate::exit::Outcome;
use crate::explain::load::read_json;
use crate::page;
use crate::plan::Plan;
use crate::replay;
use crate::run::conclude::{Played, conclude};
use crate::run::control::Control;
use crate::run::convergence::divergence;
use crate::run::drive::{Clock, Driver, Handle};
use crate::run::errands::Asking;
use crate::run::faults::{Faults, Notes, State};
use crate::run::folder::Folder;
use crate::run::look::Look;
use crate::run::measure::HEALED;
use crate::run::nodes::Nodes;
use crate::run::online::{self, Feed, Following};
use crate::run::report::Report;
use crate::run::verdict::Safety;
use crate::run::{judge, junit, watch};
use crate::source::Source;
use crate::systems::{ClientSettings, Cluster, Launch, Member, Probe, Retries, System};

/// How long a node may take to say its role.
const PROBE_WAIT: Duration = Duration::from_millis(150);

/// How long connecting to a node may take.
const CONNECT_WAIT: Duration = Duration::from_millis(500);

/// How long it may take after the last heal until every node agrees on a leader again; the bar of the plan is on
/// the first success, this only bounds the wait.
const HEAL_WAIT: Duration = Duration::from_secs(20);

impl<S: Sink, C: FnMut() -> Nanos> Notes for Handle<S, C> {
    fn note(&self, f: &str, value: Value) {
        Handle::note(self, f, value);
    }
}

/// Runs the plan; what it found out is in the folder, on the terminal, and in the outcome.
pub(super) async fn execute(plan: Plan, args: &RunArgs, interrupts: Interrupts) -> anyhow::Result<Outcome> {
    #[allow(
        clippy::disallowed_methods,
        reason = "the folder is named after the moment: a heading, not a decision"
    )]
    let folder = Folder::create(&args.store, SystemTime::now(), &plan.label())?;
    Folder::write_json(&folder.plan(), &plan)?;
    eprintln!("{}", plan.describe());
    let stage = Stage::set(&plan, &folder).await?;
    let (online, feed, alarm) = online::start(plan.workload()?.model())?;
    let played = stage.play(&plan, &folder, interrupts, online, (feed, alarm)).await;
    let (mut report, at_hand) = conclude(&plan, &folder, played).await?;
    Folder::write_json(&folder.verdict(), &report)?;
    let summary = report.summary();
    if args.json {
        eprint!("{summary}")
    } else {
        print!("{summary}")
    }
    if let Err(failure) = recheck(&plan, &folder, &report) {
        report.disown(format!("{failure:#}"));
        Folder::write_json(&folder.verdict(), &report)?;
        eprintln!("\nNOT JUDGED {failure:#}; nothing above can be concluded");
    }
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    }
    if let Some(path) = &args.junit {
        let story = report.violations.first().map(|first| first.sentences.join("\n")).unwrap_or_default();
        junit::write(path, &report.axes, &story, &report.command)?;
    }
    page::write_quietly(folder.path(), &plan, &report, at_hand);
    Ok(report.axes.outcome())
}

/// Re-checks the witnesses as a stranger would: those that were stored, against the history that was stored. The verdict is
/// out by then, so that this costs nobody's waiting.
fn recheck(plan: &Plan, folder: &Folder, report: &Report) -> anyhow::Result<()> {
    if report.axes.safety == Safety::Unjudged {
        return Ok(());
    }
    let judgement: Judgement = read_json(&folder.witness()).map_err(anyhow::Error::msg)?;
    let source = Source::recorded(&folder.history())?;
    let too_large = judge::verify(&source, plan.workload()?.model(), &judgement)?
        .map_err(|unproven| anyhow::anyhow!("a witness does not prove its verdict: {unproven}"))?;
    if too_large > 0 {
        eprintln!("witnesses too large to be re-checked: {too_large} of {}", judgement.keys.len());
    }
    Ok(())
}

/// Everything a run needs, up and ready.
struct Stage {
    nodes: Rc<RefCell<Nodes>>,
    probe: Arc<dyn Probe>,
    system: System,
    cluster: Cluster,
    control: Control,
    view: View,
}

impl Stage {
    async fn set(plan: &Plan, folder: &Folder) -> anyhow::Result<Stage> {
        let system = plan.system()?;
        let arena = Arena::create(plan.arena, plan.nodes)?;
        let sites: Vec<Site> = arena
            .nodes()
            .map(|node| Site { node, address: arena.address(node).into(), netns: arena.netns(node) })
            .collect();
        let member = |node: NodeId| Member {
            id: node,
            address: arena.address(node),
            data: folder.data(&node.to_string()),
        };
        let members = arena.nodes().map(member).collect();
        let cluster = Cluster {
            members,
            protocol: plan.protocol.clone(),
            seed: plan.seed,
            snapshot_entries: plan.snapshot_entries,
        };
        let mut commands = BTreeMap::new();
        for (index, member) in cluster.members.iter().enumerate() {
            let Launch { program, arguments, environment } =
                system.launch(&cluster, index, &plan.node_defects())?;
            let log = folder.log(&member.id.to_string());
            let cwd = member.data.clone();
            commands.insert(member.id, NodeCommand { program, args: arguments, env: environment, cwd, log });
        }
        let probe = system.probe(&cluster, PROBE_WAIT)?;
        let nodes = Rc::new(RefCell::new(Nodes::start(arena, commands)?));
        let view = watch::ready(&*probe, &nodes, system.ready_within()).await?;
        let control = Control::start(sites, &folder.log("nemesis")).await?;
        Ok(Stage { nodes, probe, system, cluster, control, view })
    }

    /// The main phase under faults, the heal, the final reads. What goes wrong in the harness is kept beside what
    /// was recorded: a violation in it counts all the same.
    async fn play(
        self,
        plan: &Plan,
        folder: &Folder,
        interrupts: Interrupts,
        online: Following,
        judged: (Feed, Alarm),
    ) -> Played {
        let reads_locally = watch::reads_locally(&*self.probe, &self.nodes).await;
        let mut played = Played::new(Rc::clone(&self.nodes), Clock::start(), online);
        played.reads_locally = reads_locally;
        if let Err(error) = self.play_into(plan, folder, interrupts, judged, &mut played).await {
            played.harness.failures.push(format!("{error:#}"));
        }
        played
    }

    async fn play_into(
        self,
        plan: &Plan,
        folder: &Folder,
        interrupts: Interrupts,
        (feed, alarm): (Feed, Alarm),
        played: &mut Played,
    ) -> anyhow::Result<()> {
        let clock = played.clock;
        let Stage { nodes, probe, system, cluster, control, view } = self;
        let mut driver = driver(plan, folder, &system, &cluster, clock, feed)?;
        let mut schedule = Recording::new(replay::steps(plan, nodes.borrow().all().collect(), folder)?);
        let state = Rc::new(RefCell::new(State { view, ..State::default() }));
        let wake = Rc::new(Notify::new());
        let faults = Faults {
            control,
            nodes: Rc::clone(&nodes),
            state: Rc::clone(&state),
            wake: Rc::clone(&wake),
            clock,
            notes: driver.handle(),
            asking: Asking {
                admin: system.admin(&cluster, ANSWER_WAIT),
                probe: Arc::clone(&probe),
                nodes: nodes.borrow().all().collect(),
                state: Rc::clone(&state),
            },
        };
        let look = Look {
            probe: Arc::clone(&probe),
            nodes: Rc::clone(&nodes),
            state: Rc::clone(&state),
            wake,
            interrupts,
            alarm: alarm.clone(),
            handle: driver.handle(),
            clock,
            duration: plan.duration(),
        };
        let looking = tokio::task::spawn_local(look.on());
        let mut phases =
            Phases { driver: &mut driver, state: &state, nodes: &nodes, probe: &*probe, alarm, played };
        let result = phases.play(faults, &mut schedule).await;
        let kept = Folder::write_json(&folder.schedule(), schedule.script());
        looking.abort();
        let looked = looking.await;
        let state = state.borrow();
        played.harness.interrupted = state.interrupted;
        played.doubts = state.doubts.iter().cloned().collect();
        played.deaths = state.deaths.clone();
        if let Err(error) = looked
            && error.is_panic()
        {
            anyhow::bail!("the watch failed: {error}");
        }
        result?;
        kept?;
        driver.seal().context("the history could not be sealed")?;
        Ok(())
    }
}

/// The clients, recording into the folder.
fn driver(
    plan: &Plan,
    folder: &Folder,
    system: &System,
    cluster: &Cluster,
    clock: Clock,
    feed: Feed,
) -> anyhow::Result<RunDriver> {
    let workload = plan.workload()?;
    let layout = Layout::new(plan.clients, cluster.members.iter().map(|member| member.id.to_string()))?;
    let generator = asked::Phases::new(workload, &plan.workload_options(), plan.duration().into(), plan.seed);
    let header = Header {
        model: Some(workload.model().into()),
        plan_hash: Some(plan.hash()),
        seed: Some(plan.seed),
        ..Header::new(plan.label())
    };
    let path = folder.history();
    let file = File::create(&path).with_context(|| format!("{}: cannot be made", path.display()))?;
    let time: RunClock = Box::new(move || clock.now());
    let recorder = Recorder::new((Writer::new(file), feed), header, time);
    let settings = ClientSettings {
        connect_timeout: CONNECT_WAIT,
        call_timeout: plan.timeout(),
        objects: workload.objects(),
        retries: match (plan.has_client_defect(), workload.retries()) {
            (true, _) => Retries::NewNumber,
            (false, true) => Retries::SameNumber,
            (false, false) => Retries::Never,
        },
        log: Some(folder.log("clients")),
    };
    let connector = system.connector(cluster, &settings)?;
    let connector = match workload.adapter() {
        Some(adapt) => adapt(connector),
        None => connector,
    };
    Ok(Driver::new(generator, recorder, clock, layout, connector, plan.timeout()).with_habits(plan.seed))
}

type RunClock = Box<dyn FnMut() -> Nanos>;
type RunSink = (Writer<File>, Feed);
type RunDriver = Driver<RunSink, RunClock>;
type RunHandle = Handle<RunSink, RunClock>;
type Alarm = tokio::sync::watch::Receiver<bool>;

/// The phases of a run.
struct Phases<'a> {
    driver: &'a mut RunDriver,
    state: &'a Rc<RefCell<State>>,
    nodes: &'a Rc<RefCell<Nodes>>,
    probe: &'a dyn Probe,
    /// Turns true when the judge has found a violation.
    alarm: Alarm,
    played: &'a mut Played,
}

impl Phases<'_> {
    async fn play(&mut self, faults: Faults<RunHandle>, schedule: impl Steps) -> anyhow::Result<()> {
        let handle = self.driver.handle();
        let wake = Rc::clone(&faults.wake);
        self.state.borrow_mut().phase = "running";
        let clients = async {
            let asked = self.driver.phase().await;
            if asked.is_err() {
                self.state.borrow_mut().stop = true;
                wake.notify_one();
            }
            asked
        };
        let breaking = async {
            let healed = faults.follow(schedule).await;
            // Ends the clients where the schedule broke off; where it ended, they end by themselves.
            if healed.is_err() {
                handle.end_phase();
            }
            healed
        };
        let (asked, healed) = tokio::join!(clients, breaking);
        self.played.ran = self.played.clock.now();
        self.played.end = self.played.ran;
        let (control, reports) = healed.context("the nemesis failed")?;
        asked?;
        if !self.state.borrow().convicted {
            prove_healed(&reports)?;
            handle.note(HEALED, Value::from_data(&reports)?);
            self.final_reads().await?;
        }
        if self.state.borrow().convicted {
            // There is nothing more to learn, and what the nodes hold now is evidence: they never run again.
            self.nodes.borrow().freeze()?;
            Nodes::kill(self.nodes).await?;
        }
        control.finish().await
    }

    /// Waits for the system to be whole again, then reads every recent key from every node.
    async fn final_reads(&mut self) -> anyhow::Result<()> {
        self.state.borrow_mut().phase = "waiting for recovery";
        tokio::select! {
            ready = watch::ready(self.probe, self.nodes, HEAL_WAIT) => {
                self.played.not_recovered = ready.err().map(|error| format!("{error:#}"));
            }
            // Frozen nodes do not become ready.
            Ok(_) = self.alarm.wait_for(|convicted| *convicted) => return Ok(()),
        }
        if self.state.borrow().convicted {
            return Ok(());
        }
        self.state.borrow_mut().phase = "final reads";
        self.driver.begin_final();
        self.driver.phase().await?;
        self.played.end = self.played.clock.now();
        if self.state.borrow().convicted {
            return Ok(());
        }
        let nodes: Vec<NodeId> = self.nodes.borrow().all().collect();
        self.played.divergence = divergence(self.probe, &nodes).await;
        Ok(())
    }
}

fn prove_healed(reports: &[ActionReport]) -> anyhow::Result<()> {
    let unproven: Vec<String> = reports
        .iter()
        .filter(|report| matches!(report.outcome, rashomon_nemesis::Outcome::Indeterminate { .. }))
        .map(|report| format!("{}: {}", report.action, report.outcome))
        .collect();
    anyhow::ensure!(unproven.is_empty(), "the final heal is not proven: {}", unproven.join("; "));
    Ok(())
}
