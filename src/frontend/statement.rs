//! COM_QUERY: read the statement, decide where it runs, run it there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::plan::query_text;
use super::relay;
use super::session::{Closing, Session};
use crate::routing::{self, Decision, Question, Reason, Target};
use crate::runtime::clock;
use crate::session::Touched;
use crate::sql::{self, Class, LexMode, Statement};
use crate::wire::capabilities::Capabilities;
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};
use crate::wire::reply::Shape;
use crate::wire::session_track::Wish;

/// The longest statement that is read before it is sent on. Longer ones go to the primary unread.
pub(super) const LONGEST_READ: usize = 256 * 1024;

/// How long a plain read waits for proof that a replica has what its session has seen.
const FRESHNESS_WAIT: Duration = Duration::from_millis(20);

impl Session {
    /// Serves a COM_QUERY.
    pub(super) async fn query(&mut self, header: Header) -> Result<(), Closing> {
        let readable = header.len <= LONGEST_READ;
        while readable && self.client.inbox.len() < HEADER + header.len {
            relay::more_from_client(&mut self.client).await?;
        }
        let statement = match self.text(header) {
            Some(text) if readable => sql::classify(text, self.lex_mode()),
            _ => Statement::unread(),
        };
        if let Class::Kill(_) = statement.class {
            let text = "KILL is not supported yet: the ids that clients see are Headgate's; connect to the server itself";
            return self.refuse(&ErrPacket::own(1235, b"42000", text)).await;
        }
        if statement.looks_back
            && let Some(lent) = self.lent.take()
        {
            return self.look_back(lent, &statement).await;
        }
        self.give_back_lent();
        let mut decision = self.decide(&statement, header);
        if decision.worth_waiting {
            decision = self.wait_for_freshness(&statement, header, decision).await;
        }
        let mut reason = decision.reason;
        if let Target::Replica(id) = decision.target {
            match self.on_replica(id).await? {
                None => return Ok(()),
                Some(fallback) => {
                    self.context.shared.counters.retries.increment(1);
                    reason = fallback;
                }
            }
        }
        self.login.state.begin(&statement.class);
        let touched = match statement.class {
            Class::PlainRead | Class::PrimaryRead(_) | Class::Inspect | Class::Describe | Class::Use(_) => {
                Touched::Saw
            }
            Class::SetNames { .. } => Touched::Nothing,
            _ => Touched::Wrote,
        };
        let sets_trackers = matches!(statement.class, Class::Other(_));
        self.on_primary(Shape::Results, touched, reason).await?;
        if sets_trackers && self.login.form.wish == Wish::Defaults {
            self.widen_wish();
        }
        if statement.ages_pools() || statement.class == Class::Ddl {
            self.login.state.define(clock::now());
            self.something_changed(&statement.class);
        }
        Ok(())
    }

    /// The text of the COM_QUERY at the front of the inbox.
    fn text(&self, header: Header) -> Option<&[u8]> {
        let payload = self.client.inbox.get(HEADER..HEADER + header.len)?;
        query_text(payload, self.login.capabilities.contains(Capabilities::QUERY_ATTRIBUTES))
    }

    pub(super) fn lex_mode(&self) -> LexMode {
        let safe = self.login.state.charset_safe();
        match &self.topology.facts {
            Some(facts) => facts.lex_mode(safe),
            None => LexMode::new("", "", sql::Dialect::MySql),
        }
    }

    fn decide(&self, statement: &Statement, header: Header) -> Decision {
        let topology = &self.topology;
        let state = &self.login.state;
        let shared = &self.context.shared;
        let now = clock::now();
        let question = Question {
            statement,
            text: self.text(header),
            mode: self.lex_mode(),
            session: state.view(),
            topology,
            policy: shared.live.load().policy,
            rotation: match statement.class {
                Class::PlainRead => shared.rotation.fetch_add(1, Ordering::Relaxed),
                _ => 0,
            },
            now,
        };
        let decision = routing::decide(&question, &mut ());
        if matches!(decision.reason, Reason::Wrote | Reason::Seen) {
            shared.freshness_wanted.notify_one();
        }
        // The server closes what idles; a read now and then keeps the primary connection alive.
        let idle_limit = topology.facts.as_ref().map(|facts| facts.wait_timeout / 2);
        let idles = idle_limit.is_some_and(|limit| now.saturating_duration_since(self.used_primary) > limit);
        if idles && decision.target != Target::Primary {
            return Decision { target: Target::Primary, reason: Reason::KeepAlive, worth_waiting: false };
        }
        decision
    }

    /// Waits, for a short time only, until a replica is known to have what the session has seen.
    async fn wait_for_freshness(
        &mut self,
        statement: &Statement,
        header: Header,
        mut decision: Decision,
    ) -> Decision {
        let deadline = clock::now() + FRESHNESS_WAIT;
        while decision.worth_waiting {
            let left = deadline.saturating_duration_since(clock::now());
            let changed = clock::within(left, self.published.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                break;
            }
            self.topology = Arc::clone(&self.published.borrow_and_update());
            decision = self.decide(statement, header);
        }
        decision
    }

    /// A session that sets something unknown may have asked for session tracking of its own.
    fn widen_wish(&mut self) {
        if self.login.state.has_set_trackers() {
            self.login.form.wish = Wish::Everything;
        }
    }

    /// The monitor looks again, and connections opened under other accounts or defaults are let go.
    fn something_changed(&self, class: &Class) {
        self.context.shared.changed.send_modify(|count| *count += 1);
        if matches!(class, Class::Account | Class::SetGlobal) {
            self.context.pool.limits().age(clock::now());
        }
    }
}
