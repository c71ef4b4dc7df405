//! Known faults, each put back to see that an invariant catches it.
//!
//! Each changes what the machine is told, what is done with its commands, or the rules it is given; the machine is the one
//! that is shipped.

/// A known fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// A replica vetoes by saying that its receiver runs.
    VetoByFlags,
    /// No replica's progress counts.
    DeafToProgress,
    /// Receivers are not stopped before it is asked who has most.
    NoFreeze,
    /// Who has applied most is the best, not who has received most.
    RankByExecuted,
    /// Servers carry out what comes after its deadline.
    NoExpiry,
    /// One failover may follow another at once.
    NoCooldown,
    /// `super_read_only` without a `lock_wait_timeout`: it waits, and happens when nobody expects it any more.
    EndlessFence,
    /// Nothing is saved.
    NothingSaved,
    /// What is saved is written a second after that was said.
    SavedLate,
    /// What was in flight when writes were held is still acknowledged.
    LeakyHold,
    /// Transactions that only an old primary has are not seen.
    BlindToErrant,
    /// Prepared XA branches are not listed.
    BlindToPrepared,
    /// Nobody looks which logs are purged.
    BlindToPurged,
    /// A server that comes back is not fenced.
    NoFenceOnReturn,
    /// Operators' vetoes are not heard.
    NoVeto,
    /// A promotion counts as done before it is.
    PromisedPromotion,
    /// It is not known what was acknowledged, and that is taken for nothing.
    NothingRelayed,
}

/// Those that show within a few runs. Without optimisation nobody waits for the others.
pub(crate) const SOON: &[Mutation] = &[
    Mutation::DeafToProgress,
    Mutation::NoExpiry,
    Mutation::NoCooldown,
    Mutation::NothingSaved,
    Mutation::BlindToErrant,
    Mutation::NoFenceOnReturn,
    Mutation::PromisedPromotion,
];

/// All of them, and the invariant that must catch each.
pub(crate) const ALL: &[(Mutation, &str)] = &[
    (Mutation::VetoByFlags, "healed"),
    (Mutation::DeafToProgress, "veto"),
    (Mutation::NoFreeze, "acknowledged"),
    (Mutation::RankByExecuted, "acknowledged"),
    (Mutation::NoExpiry, "old epochs"),
    (Mutation::NoCooldown, "flapping"),
    (Mutation::EndlessFence, "healed"),
    (Mutation::NothingSaved, "one primary"),
    (Mutation::SavedLate, "old epochs"),
    (Mutation::LeakyHold, "acknowledged"),
    (Mutation::BlindToErrant, "divergence"),
    (Mutation::BlindToPrepared, "divergence"),
    (Mutation::BlindToPurged, "healed"),
    (Mutation::NoFenceOnReturn, "healed"),
    (Mutation::NoVeto, "veto"),
    (Mutation::PromisedPromotion, "healed"),
    (Mutation::NothingRelayed, "acknowledged"),
];
