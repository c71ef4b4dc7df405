//! Which servers are in the picture, which of them have a say, and what each has that the primary has not.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::picture::Picture;
use crate::probing::family::{Family, Promotion};
use crate::probing::{Identity, Judgement, Known, Observation, Past, follows, judge_after};
use crate::topology::{KnownBy, NoPrimary, NotServing, Rejected, Server, ServerId, ServerState};

impl Picture {
    /// A server of which nothing is known but where it is, and perhaps who it should be.
    pub(super) fn add(&mut self, server: Server, identity: Option<Identity>) {
        let mut entry = Entry::new(server.id, server.address.clone(), self.patience);
        entry.identity = identity;
        entry.akin = !matches!(server.known_by, KnownBy::Found { .. });
        self.servers.push(entry);
        self.topology.servers.push(server);
    }

    /// An operator has taken it out: it is watched until what runs there has ended.
    pub(super) fn let_go(&mut self, id: ServerId) {
        if let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == id) {
            entry.leaving = true;
        }
        self.change(id, |server| server.leaving = true);
        self.errants.forget(id);
        if self.reigning == Some(id) {
            self.reigning = None;
        }
        self.judge();
    }

    /// An operator has drained it: nothing new is sent there to read.
    pub(super) fn drain(&mut self, id: ServerId, at: Instant) {
        self.change(id, |server| server.drained = server.drained.or(Some(at)));
    }

    /// It may serve reads again.
    pub(super) fn undrain(&mut self, id: ServerId) {
        self.change(id, |server| server.drained = None);
    }

    /// It is a server no more.
    pub(super) fn remove(&mut self, id: ServerId) {
        self.servers.retain(|entry| entry.id != id);
        self.topology.servers.retain(|server| server.id != id);
        self.errants.forget(id);
        if self.reigning == Some(id) {
            self.reigning = None;
        }
        self.judge();
    }

    /// An operator says that it belongs to the cluster.
    pub(super) fn vouch(&mut self, id: ServerId) {
        self.change(id, |server| (server.only, server.known_by) = (None, KnownBy::Added));
        if let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == id) {
            (entry.akin, entry.doubt) = (true, None);
        }
        self.judge();
    }

    /// What is known of a server apart from what it says.
    pub(super) fn change(&mut self, id: ServerId, change: impl FnOnce(&mut Server)) {
        if let Some(server) = self.topology.servers.iter_mut().find(|server| server.id == id) {
            change(server);
        }
    }

    /// It may not be what it was taken for, or it is.
    pub(super) fn doubt(&mut self, id: ServerId, doubt: Option<String>) {
        if let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == id) {
            entry.doubt = doubt;
        }
        self.judge();
    }

    /// Servers that others tell of and that are not used.
    pub(super) fn reject(&mut self, rejected: Vec<Rejected>) {
        if *self.topology.rejected != *rejected {
            self.topology.rejected = rejected.into();
        }
    }

    /// The server that leads some others by their own word: it takes writes, and one of them follows it. Nobody else
    /// is needed to know that, so whom it replicates from itself is of another cluster.
    pub(super) fn head(&self, among: impl Fn(ServerId) -> bool) -> Option<ServerId> {
        let known = self.known(among);
        let past = Past { reigning: None, through: &HashMap::new(), discovers: true };
        let judgement = judge_after(&known, past);
        let head = judgement.primary.ok()?;
        let leads = known
            .iter()
            .any(|server| server.id == head && server.now.is_ok_and(|seen| !seen.identity.read_only));
        let followed = judgement.states.iter().any(|(id, state)| {
            *id != head
                && !matches!(
                    state,
                    ServerState::NotServing(
                        NotServing::Unreachable { .. }
                            | NotServing::WrongSource { .. }
                            | NotServing::NoSource
                            | NotServing::Writable
                            | NotServing::Unknown
                            | NotServing::Family { .. }
                    )
                )
        });
        (leads && followed).then_some(head)
    }

    /// Whether a server that was found belongs to the cluster: it follows one of its servers or, while its primary does
    /// not take writes, has something that one of its primaries wrote; before there was one, whom its servers follow
    /// will do.
    pub(super) fn recognise(&mut self, id: ServerId, seen: &Observation) {
        let known = self.known(|other| other != id);
        let has = seen.executed.as_ref().is_some_and(|executed| self.reign.has_written(executed));
        let of_family = seen.kin.family.promotion() == Promotion::Theirs;
        let reigns = known.iter().any(|server| {
            self.topology.primary == Ok(server.id) && server.now.is_ok_and(|seen| !seen.identity.read_only)
        });
        let akin = self.reign.is_empty() || of_family || follows(seen, &known);
        if let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == id) {
            entry.akin |= akin;
            entry.heir = has && !reigns;
        }
    }

    /// Compares what servers have executed with what the primary has, which was asked after them.
    pub(super) fn compare(&mut self, server: ServerId) {
        if self.topology.primary != Ok(server) {
            return;
        }
        let Some(primary) = self.servers.iter().position(|entry| entry.id == server) else { return };
        let Some((asked, all)) = self.servers.get_mut(primary).and_then(|entry| entry.executed.take()) else {
            return;
        };
        for entry in self.servers.iter_mut().filter(|entry| entry.id != server && (entry.akin || entry.heir))
        {
            let Some((_, own)) = entry.executed.take_if(|(before, _)| *before <= asked) else { continue };
            let errant = self.errants.observe(entry.id, &own, &all, &self.reign);
            entry.errant = errant.map(|surplus| surplus.to_string().into());
        }
    }

    /// What this server writes is no surplus anywhere, nor what those before it wrote.
    pub(super) fn name_writer(&mut self, id: ServerId) {
        for entry in &mut self.servers {
            (entry.executed, entry.errant) = (None, None);
            self.errants.forget(entry.id);
        }
        let Some(entry) = self.servers.iter_mut().find(|entry| entry.id == id) else { return };
        entry.akin = true;
        let Ok(observation) = &entry.now else { return };
        let identity = &observation.identity;
        self.reign.uuids.insert(identity.uuid.clone());
        self.reign.server_ids.extend(u32::try_from(identity.server_id));
        if let Family::Group { name } = &observation.kin.family {
            self.reign.uuids.insert(name.clone());
        }
    }

    /// The servers of `among`, as the judge sees them. Who may be somebody else has no say.
    pub(super) fn known(&self, among: impl Fn(ServerId) -> bool) -> Vec<Known<'_>> {
        let before_any = self.reign.is_empty();
        let believed = self.servers.iter().filter(|entry| entry.is_believed(before_any) && among(entry.id));
        believed
            .map(|entry| Known {
                id: entry.id,
                address: &entry.address,
                identity: entry.identity.as_ref(),
                now: entry.now.as_deref().map_err(String::as_str),
            })
            .collect()
    }

    /// Whether the primary has only missed a question or two, and nobody else claims to be it: a loaded
    /// server must not lock new clients out.
    pub(super) fn is_missed_only(&self, judgement: &Judgement) -> bool {
        let nobody =
            matches!(judgement.primary, Err(NoPrimary::NoneWritable { .. } | NoPrimary::Unreachable { .. }));
        let reigning = self.servers.iter().find(|entry| Some(entry.id) == self.reigning);
        nobody
            && self.topology.primary.is_ok()
            && reigning.is_some_and(|entry| entry.now.is_err() && entry.silent_for < GRACE)
    }
}

/// How long a primary that does not answer stays the primary. Its connections show soon enough whether it
/// is there.
const GRACE: Duration = Duration::from_secs(6);
