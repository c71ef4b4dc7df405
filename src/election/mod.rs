//! When the primary is dead, who follows it, and how. Pure.
//!
//! A [`Machine`] is fed with [`Event`]s and the time and answers with [`Command`]s. It knows no server and no clock; a shell
//! asks servers, carries commands out, and tells what came of them. The same machine fails over when a primary dies, switches
//! over when an operator wants it, puts back what it began when that goes wrong, and takes old primaries in again.
//!
//! # How a failover goes
//!
//! [`Phase`] has the picture. What each phase is there for:
//!
//! 1. *Suspecting, Confirming.* Headgate is one witness of a death and the replicas are the others (`suspicion`). A replica
//!    vetoes by what it gets after the suspicion began and not by its status, which says ON while its source is frozen. Where it
//!    cannot be told, its receiver is restarted: whether that gets a connection is known within a second.
//! 2. *Revoking.* That a change begins is saved. Clients' connections to the primary are cut, so that nothing is acknowledged
//!    any more and what was acknowledged is known. Then every receiver is stopped: now nobody gets anything from the old
//!    primary, nobody can acknowledge its commits, and who has what stands still while it is compared.
//! 3. *Fencing.* The old primary is made read only where it can be reached. Where it cannot, the revocation has taken its power:
//!    it can commit, and nobody will ever see that. It is fenced first when it comes back.
//! 4. *CatchingUp.* The candidate is the one that has *received* most ([`rank`]), after all against whom something stands.
//!    It applies the rest. Who comes back in these phases is frozen and compared too.
//! 5. *Promoting.* A new [`Epoch`](crate::topology::Epoch) and the one candidate that it is for are saved, then the candidate is
//!    promoted. There is no way back from here, only on: if the candidate fails, another is elected under yet another epoch, and
//!    the old primary, being fenced, may be it.
//! 6. *Repointing, Publishing.* The replicas that can follow do so, the state is saved, writes are sent to the new primary and
//!    let go.
//! 7. *Cooldown.* No automatic failover begins for a while; [`Why::CoolingDown`] says so where one would.
//!
//! Until Promoting, the primary that is back and behind nobody stays the primary: *Undoing* makes it writable, starts the
//! receivers, and reads both back. A planned switchover takes the same way with other demands (grace for transactions, a fence
//! that must hold, a candidate that has all) and goes to Undoing where one is not met.
//!
//! # What keeps it safe
//!
//! - **Each step looks at all that is known**, not at the event alone. A phase says what it wants done (`orders`); what is
//!   open, done or failed is a table. Events may be lost, doubled or late.
//! - **One command to a server at a time, each with a deadline after which it takes no effect.** So what undoes another never
//!   overtakes it, and a new epoch begins when nothing of the last one can happen any more.
//! - **What must outlive Headgate is four values and two marks** ([`State`]), written before what they tell of is done. The rest
//!   is seen again. A run that finds `Changing` undoes it or begins anew; one that finds `Promoting` promotes the same candidate
//!   in the same epoch again.
//! - **Observations bear the time at which they were asked for.** What was asked before a command was sent proves nothing about
//!   what the command did.
//! - **A lease plugs in as the store**: to save is to write under the lease, so that who has lost it cannot begin an epoch. What
//!   is to be known of the lease here is [`Event::Leadership`].
//!
//! # What a shell owes
//!
//! - Ask each server every 250 ms, and step the machine with what comes of it; step it with [`Event::Tick`] at
//!   [`Machine::wake_at`].
//! - Carry commands to a server out in order, drop what its deadline has passed for, and let nothing take effect later: a
//!   statement that cannot be taken back compares the server's clock itself, as in
//!   `SET GLOBAL read_only = IF(SYSDATE(6) < '…', 0, @@global.read_only)`, which MySQL 9.7 and MariaDB 10.11 take; and a
//!   connection that is given up is reset rather than closed.
//! - Hold writes from the start until the first [`Action::Publish`] and [`Action::ReleaseWrites`]; remember per reign what was
//!   relayed as committed; relay no OK of the primary after [`Action::HoldWrites`] without grace is answered.
//! - Write [`Action::Save`] to the disk, or under the lease, before it is answered. After a restart hand the last one to
//!   [`Machine::restore`], with the operators' vetoes in the [`Rules`].
//! - Tell [`Failure::Refused`] only where nothing was done; where that is not known it is [`Failure::TimedOut`].
//!
//! # How it was tried
//!
//! `tests/election` has models of servers that behave as real ones were measured to, a network, clients, and faults by chance;
//! `./test` runs 100,000 failures through it. Its faults were put back into the machine's world one by one to see that each is
//! caught (`tests/election/mutation.rs`).

mod blocked;
mod candidate;
mod change;
mod choice;
mod command;
mod detect;
mod event;
mod failover;
mod intake;
mod machine;
mod operator;
mod orders;
mod others;
mod phase;
mod promotion;
mod roster;
mod rules;
mod sight;
mod state;
mod suspicion;
mod timeline;
mod undo;
mod upkeep;

pub use blocked::Why;
pub use candidate::{Lineage, Ranking, Rejection, Standing, rank};
pub use command::{Action, Alert, Command, CommandId, Done, Failure, Hook};
pub use event::{Event, Operator};
pub use machine::Machine;
pub use phase::Phase;
pub use roster::Quarantine;
pub use rules::{Heartbeat, Policy, Rules};
pub use sight::{Channel, Receiver, Report, Sight, Trouble};
pub use state::{Stage, State};
pub use timeline::{Entry, Timeline};

#[cfg(test)]
mod tests;
