//! The control side of the nemesis process: starts it, speaks JSON lines with it, one request at a time.
//!
//! The nemesis ends when its input does: dropping a [`Control`] is enough to have everything mended.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rashomon_nemesis::protocol::{Answer, Command, LINE_BYTES_MAX, Reply, Request, Site, VERSION};
use rashomon_nemesis::{Action, Capabilities, ProcessIdentity, Report};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// How long the nemesis may take for one request; each of its own steps is bounded well below.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// How long it may take to heal and exit once its input has ended.
const EXIT_WAIT: Duration = Duration::from_secs(20);

/// A running nemesis process.
#[derive(Debug)]
pub struct Control {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next_id: u64,
    capabilities: Capabilities,
}

impl Control {
    /// Starts the nemesis, its standard error going to `log`, and hands it the nodes.
    ///
    /// # Errors
    /// When it cannot be started, or the nodes cannot be handed over, such as when their links do not carry a probe.
    pub async fn start(sites: Vec<Site>, log: &Path) -> anyhow::Result<Control> {
        let log = std::fs::File::create(log).with_context(|| format!("{}: cannot be made", log.display()))?;
        let mut child = tokio::process::Command::new("/proc/self/exe")
            .arg("nemesis")
            .env_remove(crate::arena::reexec::ROLE_VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()
            .context("the nemesis process cannot be started")?;
        let input = child.stdin.take().expect("standard input is piped");
        let output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let mut control = Control { child, input, output, next_id: 1, capabilities: Capabilities::default() };
        match control.ask(Command::Init { version: VERSION, nodes: sites }).await? {
            Answer::Ready { capabilities, .. } => control.capabilities = capabilities,
            Answer::Refused { error } => bail!("the nemesis refused the nodes: {error}"),
            other => bail!("the nemesis answered init with {other:?}"),
        }
        Ok(control)
    }

    /// What it can do to these nodes.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Has one action performed and measured.
    ///
    /// # Errors
    /// When the nemesis died, fell silent or did not understand: what happened is unknown.
    pub async fn perform(
        &mut self,
        action: &Action,
        process: Option<ProcessIdentity>,
    ) -> anyhow::Result<Report> {
        match self.ask(Command::Perform { action: action.clone(), process }).await? {
            Answer::Performed { report } => Ok(report),
            Answer::Refused { error } => bail!("the nemesis refused to {action}: {error}"),
            other => bail!("the nemesis answered {action} with {other:?}"),
        }
    }

    /// Has everything undone that is not yet undone.
    ///
    /// # Errors
    /// As [`Control::perform`].
    pub async fn heal(&mut self) -> anyhow::Result<Vec<Report>> {
        match self.ask(Command::Heal).await? {
            Answer::Healed { reports } => Ok(reports),
            Answer::Refused { error } => bail!("the nemesis refused to heal: {error}"),
            other => bail!("the nemesis answered heal with {other:?}"),
        }
    }

    /// Ends its input and waits for it to exit.
    ///
    /// # Errors
    /// When it does not exit in time (it is then killed) or exits with a failure.
    pub async fn finish(mut self) -> anyhow::Result<()> {
        drop(self.input);
        match tokio::time::timeout(EXIT_WAIT, self.child.wait()).await {
            Ok(status) => match status.context("the nemesis process cannot be waited for")? {
                status if status.success() => Ok(()),
                status => bail!("the nemesis process ended with {status}"),
            },
            Err(_) => {
                self.child.kill().await.context("the nemesis process cannot be killed")?;
                bail!("the nemesis process did not exit within {EXIT_WAIT:?}")
            }
        }
    }

    async fn ask(&mut self, command: Command) -> anyhow::Result<Answer> {
        let id = self.next_id;
        self.next_id += 1;
        let line = Request { id, command }.to_line();
        let exchange = async {
            self.input
                .write_all(line.as_bytes())
                .await
                .context("the nemesis process does not read any more")?;
            let mut answer = Vec::new();
            let bound = LINE_BYTES_MAX as u64 + 1;
            let read = (&mut self.output).take(bound).read_until(b'\n', &mut answer).await;
            match read.context("the nemesis process cannot be read")? {
                0 => bail!("the nemesis process has ended"),
                _ => Ok(answer),
            }
        };
        let answer = tokio::time::timeout(ANSWER_WAIT, exchange)
            .await
            .with_context(|| format!("the nemesis was silent for {ANSWER_WAIT:?}"))??;
        let reply = Reply::from_line(&answer).context("the nemesis answered something that is no reply")?;
        if reply.id != Some(id) {
            bail!("the nemesis answered request {:?} instead of {id}", reply.id);
        }
        Ok(reply.answer)
    }
}
