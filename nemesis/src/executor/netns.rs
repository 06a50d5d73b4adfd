//! Work inside network namespaces: a short-lived thread enters one, works there, and ends.
//!
//! A thread, not the process: sockets opened and programs started by it belong to the namespace, the process stays
//! where it was. It also spares the two milliseconds of `ip netns exec`.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::{io, thread};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::node::NodeId;

/// A node's place on the network.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) node: NodeId,
    /// Where the others reach it.
    pub(crate) address: IpAddr,
    /// Its namespace, held open.
    pub(crate) netns: File,
}

/// Does the work in every place's namespace at once, a thread each; the results in the same order.
pub(crate) fn each<'env, T, W>(places: &'env [Place], work: W) -> Vec<io::Result<T>>
where
    T: Send,
    W: Fn(&Place) -> io::Result<T> + Sync,
{
    let work = &work;
    thread::scope(|scope| {
        let within = |place: &'env Place| {
            let inside = move || {
                move_into_link_name_space(place.netns.as_fd(), Some(LinkNameSpaceType::Network))?;
                work(place)
            };
            thread::Builder::new().name("nemesis-netns".to_owned()).spawn_scoped(scope, inside)
        };
        // All are started before the first is waited for.
        let threads: Vec<_> = places.iter().map(within).collect();
        let join = |thread: io::Result<thread::ScopedJoinHandle<'_, io::Result<T>>>| match thread?.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    })
}
