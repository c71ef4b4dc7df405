//! Which servers failover has to do with, as they come and go.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::directory::Directory;
use super::settings::Common;
use super::watch::{Told, Watch};
use crate::backend::{Target, Way};
use crate::runtime::tasks;
use crate::topology::{Address, KnownBy, ServerId, ServerState, Topology};

/// A server of the cluster.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) target: Target,
    /// People have named it: failover is not done without it.
    pub(super) named: bool,
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        let place = |member: &Self| (member.target.server, member.target.address.clone());
        place(self) == place(other) && self.target.only == other.target.only && self.named == other.named
    }
}

/// Who is a member, and who of those that were found has become one.
#[derive(Debug, Default)]
struct Admission(BTreeSet<ServerId>);

impl Admission {
    /// All that are named, and those that were found and have been seen to serve: as the primary, or as a replica that
    /// follows it directly. Replicas of replicas follow whom people have them follow, and what is writable by mistake is
    /// not Headgate's to mend where nobody has named it. One that never answered may be a server that is known already:
    /// while the primary is away, what replicas call it is all that there is of that name.
    fn members(&mut self, topology: &Topology, way: &Way) -> Vec<Member> {
        self.0.retain(|known| topology.server(*known).is_some_and(|server| !server.leaving));
        let mut members = Vec::new();
        for server in topology.servers.iter().filter(|server| !server.leaving) {
            let named = !matches!(server.known_by, KnownBy::Found { .. });
            let serves = match server.state {
                ServerState::Primary => true,
                ServerState::Replica => server.through.is_none(),
                ServerState::NotServing(_) => false,
            };
            if !named && serves && server.met {
                self.0.insert(server.id);
            }
            if named || self.0.contains(&server.id) {
                let target = way.target(server.id, &server.address, server.only.clone());
                members.push(Member { target, named });
            }
        }
        members
    }
}

/// Follows the servers as they come and go.
pub(super) fn follow(mut topology: watch::Receiver<Arc<Topology>>, way: Way) -> watch::Receiver<Vec<Member>> {
    let mut admission = Admission::default();
    let (publish, receiver) = watch::channel(admission.members(&topology.borrow_and_update(), &way));
    tasks::spawn("failover members", async move {
        while topology.changed().await.is_ok() && !publish.is_closed() {
            let now = admission.members(&topology.borrow_and_update(), &way);
            publish.send_if_modified(|known| {
                let differ = *known != now;
                *known = now;
                differ
            });
        }
    });
    receiver
}

/// The watches over the servers; each ends when its server goes, and all with this.
pub(super) struct Watches {
    settings: Common,
    directory: Arc<Directory>,
    tell: mpsc::Sender<(ServerId, Told)>,
    /// A server is in trouble: all are asked more often.
    pub(super) brisk: watch::Sender<bool>,
    running: HashMap<ServerId, Running>,
}

struct Running {
    place: (Address, Option<Arc<[IpAddr]>>),
    _task: tasks::Owned,
}

impl Watches {
    pub(super) fn new(
        settings: Common,
        directory: Arc<Directory>,
        tell: mpsc::Sender<(ServerId, Told)>,
    ) -> Self {
        Self { settings, directory, tell, brisk: watch::Sender::new(false), running: HashMap::new() }
    }

    /// Watches these and nobody else. Who is reached elsewhere than before is watched anew.
    pub(super) fn follow(&mut self, members: &[Member]) {
        self.directory.follow(members.iter().map(|member| &member.target));
        self.running.retain(|server, running| {
            members.iter().any(|member| {
                let Target { address, only, .. } = &member.target;
                member.target.server == *server && running.place == (address.clone(), only.clone())
            })
        });
        for member in members {
            if !self.running.contains_key(&member.target.server) {
                self.begin(&member.target);
            }
        }
    }

    /// Asks a server anew what the control account may do there.
    pub(super) fn begin(&mut self, target: &Target) {
        let watch = Watch {
            target: target.clone(),
            settings: Arc::clone(&self.settings),
            directory: Arc::clone(&self.directory),
            tell: self.tell.clone(),
            brisk: self.brisk.subscribe(),
        };
        let place = (target.address.clone(), target.only.clone());
        let running = Running { place, _task: tasks::Owned::spawn("failover watch", watch.run()) };
        self.running.insert(target.server, running);
    }
}
