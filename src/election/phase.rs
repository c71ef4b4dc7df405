//! Where a machine stands.

use super::blocked::Why;

/// Where a machine stands.
///
/// ```text
///  Starting ─→ Healthy ⇄ Suspecting ⇄ Confirming ─→ Revoking ─→ Fencing ─→ CatchingUp ─→ Promoting
///                 ↑  └───────── planned switchover ────┘ │          │           │            │
///              Undoing ←─────────────────────────────────┴──────────┴───────────┘            ↓
///  Healthy ← Cooldown ← Publishing ←───────────────────────────────────────────────── Repointing
///  any ⇄ Blocked
/// ```
///
/// Until Promoting all can be undone, and is where the primary proves well; from there on it is finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Headgate was started, and has not seen the primary yet.
    Starting,
    /// The primary works.
    Healthy,
    /// A question to the primary failed.
    Suspecting,
    /// More than one did. The replicas are asked whether they hear from it.
    Confirming,
    /// Writes are held, and receivers stopped: that freezes who has what, and the old primary gets no more
    /// acknowledgements. In a planned switchover writes are held.
    Revoking,
    /// The old primary is made read only, where it can be reached.
    Fencing,
    /// The candidate applies what it has received.
    CatchingUp,
    /// It is promoted, under a new epoch.
    Promoting,
    /// The other replicas follow it.
    Repointing,
    /// Writes are sent to it.
    Publishing,
    /// As Healthy, and no automatic failover begins.
    Cooldown,
    /// What was begun is put back.
    Undoing,
    /// Nothing is done until something changes or an operator decides.
    Blocked(Why),
}

impl Phase {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Healthy => "Healthy",
            Self::Suspecting => "Suspecting",
            Self::Confirming => "Confirming",
            Self::Revoking => "Revoking",
            Self::Fencing => "Fencing",
            Self::CatchingUp => "CatchingUp",
            Self::Promoting => "Promoting",
            Self::Repointing => "Repointing",
            Self::Publishing => "Publishing",
            Self::Cooldown => "Cooldown",
            Self::Undoing => "Undoing",
            Self::Blocked(_) => "Blocked",
        }
    }

    /// The primary works, and nothing is being changed.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        matches!(self, Self::Healthy | Self::Cooldown)
    }
}
