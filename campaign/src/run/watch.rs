//! Watches a run: probes every node's role, notices deaths, shows progress, passes Ctrl-C on.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rashomon_nemesis::{NodeId, NodeView, Role, View};

use crate::run::nodes::Nodes;
use crate::systems::Probe;

/// How often nodes are asked for their role.
pub const PROBE_EVERY: Duration = Duration::from_millis(100);

/// Asks every node for its role; what is known of its process wins over what it says.
pub async fn view(probe: &dyn Probe, nodes: &Rc<RefCell<Nodes>>) -> View {
    let all: Vec<NodeId> = nodes.borrow().all().collect();
    let asked = all.iter().map(|node| async move {
        let (is_up, is_paused) = {
            let nodes = nodes.borrow();
            (nodes.process(*node).is_some(), nodes.is_paused(*node))
        };
        let seen = match (is_up, is_paused) {
            (false, _) => NodeView { role: Role::Down, term: 0 },
            (true, true) => NodeView { role: Role::Paused, term: 0 },
            (true, false) => probe.probe(*node).await.unwrap_or_default(),
        };
        (*node, seen)
    });
    futures::future::join_all(asked).await.into_iter().collect()
}

/// Whether some node says that it reads locally: what it serves is not meant to be linearizable.
pub async fn reads_locally(probe: &dyn Probe, nodes: &Rc<RefCell<Nodes>>) -> bool {
    let all: Vec<NodeId> = nodes.borrow().all().collect();
    let statuses = futures::future::join_all(all.iter().map(|node| probe.status(*node))).await;
    statuses.iter().flatten().any(|status| status.reads.as_deref() == Some("local"))
}

/// Waits until every node answers that it is ready and, of a system with roles, one of them leads.
///
/// # Errors
/// When a node dies, with its last words, or after `wait`.
pub async fn ready(probe: &dyn Probe, nodes: &Rc<RefCell<Nodes>>, wait: Duration) -> anyhow::Result<View> {
    let all: Vec<NodeId> = nodes.borrow().all().collect();
    let until_ready = async {
        loop {
            if let Some(death) = death(nodes) {
                bail!("{death}");
            }
            let statuses = futures::future::join_all(all.iter().map(|node| probe.status(*node))).await;
            let are_ready = statuses.iter().all(|status| status.as_ref().is_ok_and(|status| status.is_ready));
            let seen: View = all
                .iter()
                .zip(statuses)
                .map(|(node, status)| (*node, status.map(|status| status.view).unwrap_or_default()))
                .collect();
            if are_ready && (seen.leader().is_some() || !probe.tells_roles()) {
                return Ok(seen);
            }
            tokio::time::sleep(PROBE_EVERY / 4).await;
        }
    };
    match tokio::time::timeout(wait, until_ready).await {
        Ok(ready) => ready,
        Err(_) => {
            let seen = view(probe, nodes).await;
            let roles: Vec<String> = seen
                .nodes
                .iter()
                .map(|(node, seen)| format!("{node} {:?}", seen.role).to_lowercase())
                .collect();
            Err(anyhow::anyhow!("the nodes were: {}", roles.join(", ")))
                .with_context(|| format!("the system was not ready within {wait:?}"))
        }
    }
}

/// A node that ended although nobody killed it, told with its last words.
pub fn death(nodes: &Rc<RefCell<Nodes>>) -> Option<String> {
    let mut nodes = nodes.borrow_mut();
    let (node, exit) = nodes.deaths().into_iter().next()?;
    Some(format!("node {node} ended by itself: it {exit}; its log ends with\n{}", nodes.last_words(node)))
}
