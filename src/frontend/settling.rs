//! The primary that a login is judged by: one that is being replaced is not asked, and the next one is waited for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::{Context, Shared};
use crate::backend::NO_SERVER;
use crate::runtime::clock;
use crate::sql::Statement;
use crate::topology::{Facts, Health, ServerId, Topology, Trouble};
use crate::wire::err::ErrPacket;

/// The servers, when there is a primary that is not being replaced, or there was none for too long.
pub(super) async fn settled(context: &Context, until: Instant) -> Arc<Topology> {
    let shared = &context.shared;
    let (mut published, mut changes) = (shared.topology.clone(), shared.gate.changes());
    let waits = |topology: &Topology| {
        let ails = topology.primary().is_none_or(|primary| {
            matches!(
                primary.health,
                Health::Down(_) | Health::Suspect(Trouble::Lost | Trouble::Refused | Trouble::Silent)
            )
        });
        // One that has just become the primary is asked for what a greeting needs.
        ails || topology.facts.is_none()
    };
    let settled = async {
        while shared.gate.is_active()
            && (waits(&published.borrow_and_update()) || *changes.borrow_and_update())
        {
            tokio::select! {
                _ = published.changed() => {}
                _ = changes.changed() => {}
            }
        }
    };
    let _ = clock::within(until.saturating_duration_since(clock::now()), settled).await;
    asked_anew(context, until).await
}

/// How long a session that begins waits until the primary has been asked what somebody has just changed.
pub(super) const ASKED_WITHIN: Duration = Duration::from_secs(1);

/// A statement that takes longer waits for something itself, and nobody waits for it.
const CHANGED_WITHIN: Duration = Duration::from_millis(100);

/// The servers, once the primary has been asked for its defaults after the last change of them that came through this
/// Headgate, or after a while. A client that runs SET GLOBAL and logs in anew begins with what it has set.
pub(super) async fn asked_anew(context: &Context, until: Instant) -> Arc<Topology> {
    let limits = context.pool.limits();
    let mut published = context.shared.topology.clone();
    // Its client may have heard already that it has ended.
    while let Some(since) = limits.defaults_change_since() {
        let left = (since + CHANGED_WITHIN).min(until).saturating_duration_since(clock::now());
        if left.is_zero() {
            break;
        }
        clock::sleep(left.min(CHANGE_PAUSE)).await;
    }
    // Those that come later are not waited for.
    if let Some(changed) = limits.defaults_changed_at() {
        let is_known =
            |topology: &Topology| topology.facts.as_ref().is_none_or(|facts| facts.asked >= changed);
        let known =
            async { while !is_known(&published.borrow_and_update()) && published.changed().await.is_ok() {} };
        let left = (changed + ASKED_WITHIN).min(until).saturating_duration_since(clock::now());
        let _ = clock::within(left, known).await;
    }
    context.topology()
}

/// Between two looks whether such a statement has ended.
const CHANGE_PAUSE: Duration = Duration::from_millis(2);

/// Whether the primary was asked before the last change of its defaults that came through this Headgate: what a new
/// session begins with is not known. When that change was.
pub(super) fn outdated(context: &Context, facts: &Facts) -> Option<Instant> {
    context.pool.limits().defaults_changed_at().filter(|changed| facts.asked < *changed)
}

/// A statement under way that changes accounts or defaults. Its end, however it comes, has the monitor look again, and
/// connections opened before serve nobody any more.
pub(super) struct Change {
    context: Arc<Context>,
    /// When it was sent, where it changes defaults.
    defaults: Option<Instant>,
}

impl Change {
    pub(super) fn begin(context: &Arc<Context>, statement: &Statement) -> Option<Self> {
        if !statement.ages_pools() {
            return None;
        }
        let defaults = statement.changes_defaults().then(clock::now);
        if let Some(since) = defaults {
            context.pool.limits().change_defaults(since);
        }
        Some(Self { context: Arc::clone(context), defaults })
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let (limits, now) = (self.context.pool.limits(), clock::now());
        limits.age(now);
        if let Some(since) = self.defaults {
            limits.defaults_changed(since, now);
        }
        // What the monitor asks from here on is asked later.
        self.context.shared.changed.send_modify(|count| *count += 1);
    }
}

/// How long a login waits for a primary. The client has a limit of its own, of which the login itself needs some.
pub(super) fn time_to_settle(shared: &Shared) -> Duration {
    let limits = shared.limits();
    limits.hold.min(limits.login_timeout / 2)
}

/// The primary, and what is known of it.
pub(super) fn reign(topology: &Topology) -> Result<(Arc<Facts>, ServerId), ErrPacket> {
    match (&topology.facts, &topology.primary) {
        (Some(facts), Ok(primary)) => Ok((Arc::clone(facts), *primary)),
        (_, Err(why)) => Err(no_primary(&why.to_string())),
        (None, Ok(_)) => Err(no_primary("it has not been asked yet")),
    }
}

fn no_primary(why: &str) -> ErrPacket {
    ErrPacket::own(NO_SERVER, b"HY000", &format!("no connection to the primary: {why}"))
}
