//! What is started for a system's nodes and clients: programs found on this machine, placeholders filled in.
//!
//! It refuses to know who starts them.

use std::path::PathBuf;
use std::time::Duration;

use super::argument::Argument;
use super::cluster::NodeScope;
use super::template::{Meaningless, Placeholder};
use super::{Cluster, Member, System, SystemError, locate, program};

/// What to start for a node, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program, found.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables beside those of the run.
    pub environment: Vec<(String, String)>,
}

impl System {
    /// The node's program on this machine.
    ///
    /// # Errors
    /// [`SystemError::Missing`], with the package to install.
    pub fn program(&self) -> Result<PathBuf, SystemError> {
        let node = &self.description.node;
        locate::program(&node.program, &self.folder).ok_or_else(|| SystemError::Missing {
            system: self.name().to_owned(),
            program: node.program.clone(),
            package: node.package.clone(),
        })
    }

    /// What to start for the member at `index`, with these planted defects on.
    ///
    /// # Errors
    /// [`SystemError::Missing`], or [`SystemError::Template`] when a placeholder has no value in this plan.
    pub fn launch(&self, cluster: &Cluster, index: usize, defects: &[String]) -> Result<Launch, SystemError> {
        let scope = self.scope(cluster, index);
        let environment = self.description.node.environment.iter().map(|(name, template)| {
            let value = template.expand(&scope).map_err(|source| self.template_error(source))?;
            Ok((name.clone(), value))
        });
        Ok(Launch {
            program: self.program()?,
            arguments: self.arguments(cluster, index, defects)?,
            environment: environment.collect::<Result<_, SystemError>>()?,
        })
    }

    pub(super) fn arguments(
        &self,
        cluster: &Cluster,
        index: usize,
        defects: &[String],
    ) -> Result<Vec<String>, SystemError> {
        let node = &self.description.node;
        let mut arguments = self.expand(&node.arguments, &self.scope(cluster, index))?;
        for defect in defects {
            let scope = self.scope(cluster, index).with(Placeholder::Defect, defect);
            arguments.extend(self.expand(&node.defect_arguments, &scope)?);
        }
        if let Some(entries) = cluster.snapshot_entries {
            let scope = self.scope(cluster, index).with(Placeholder::SnapshotEntries, entries);
            arguments.extend(self.expand(&node.snapshot_arguments, &scope)?);
        }
        Ok(arguments)
    }

    /// One command line per node; the process number is left for later.
    pub(super) fn commands(
        &self,
        cluster: &Cluster,
        arguments: &[Argument],
        timeout: Duration,
    ) -> Result<Vec<program::Command>, SystemError> {
        let of_member = |(index, member): (usize, &Member)| {
            let scope = self
                .scope(cluster, index)
                .with(Placeholder::TimeoutMs, timeout.as_millis())
                .with(Placeholder::Process, program::PROCESS_MARK);
            let mut words = self.expand(arguments, &scope)?.into_iter();
            let name = words.next().unwrap_or_default();
            let found = locate::program(&name, &self.folder).ok_or_else(|| SystemError::Missing {
                system: self.name().to_owned(),
                program: name,
                package: None,
            })?;
            Ok(program::Command { node: member.id, program: found, arguments: words.collect() })
        };
        cluster.members.iter().enumerate().map(of_member).collect()
    }

    pub(super) fn scope<'a>(&self, cluster: &'a Cluster, index: usize) -> NodeScope<'a> {
        NodeScope::new(cluster, self.description.ports, &self.folder, index)
    }

    pub(super) fn expand(
        &self,
        arguments: &[Argument],
        scope: &NodeScope<'_>,
    ) -> Result<Vec<String>, SystemError> {
        let expanded: Result<Vec<Vec<String>>, Meaningless> =
            arguments.iter().map(|argument| argument.expand(scope)).collect();
        expanded.map(|words| words.concat()).map_err(|source| self.template_error(source))
    }

    fn template_error(&self, source: Meaningless) -> SystemError {
        SystemError::Template { system: self.name().to_owned(), source }
    }
}
