//! Breaks replicas at random, and mends them.

use std::time::Duration;

use headgate::lab::{Cluster, Fault, Flavor, Node};
use tokio::time::{Instant, sleep};

use crate::stage::heal_replica;

/// Numbers that a seed decides (xorshift64*).
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

/// What is done to a replica.
#[derive(Debug, Clone, Copy)]
enum Harm {
    /// What the primary writes arrives later.
    Delay(u64),
    /// The primary cannot be reached from it, and its connection is closed.
    CutFromPrimary,
    /// Nothing comes from the primary any more, as after a cut cable.
    SilencePrimary,
    /// Headgate cannot reach it.
    Refuse,
    /// Headgate's packets vanish.
    Swallow,
    /// The process stands still.
    Freeze,
    /// The process is killed, and started again.
    Kill,
    /// Its applier does not apply.
    StopApplier,
    /// It is mended.
    Mend,
}

fn harm(chance: &mut Chance) -> Harm {
    match chance.below(20) {
        0..=3 => Harm::Delay(chance.below(700)),
        4 => Harm::CutFromPrimary,
        5 => Harm::SilencePrimary,
        6 => Harm::Refuse,
        7 => Harm::Swallow,
        8 => Harm::Freeze,
        9 => Harm::Kill,
        10 | 11 => Harm::StopApplier,
        _ => Harm::Mend,
    }
}

async fn inflict(replica: &Node, harm: Harm) {
    let applier = |what: &str| match replica.flavor() {
        Flavor::MySql => format!("{what} REPLICA SQL_THREAD"),
        Flavor::MariaDb => format!("{what} SLAVE SQL_THREAD"),
    };
    let (link, source) = (replica.link().unwrap(), replica.replication_link().unwrap());
    match harm {
        Harm::Delay(ms) => source.set(Fault::Delay(Duration::from_millis(ms))).await,
        Harm::CutFromPrimary => source.set(Fault::Refuse).await,
        Harm::SilencePrimary => source.set(Fault::Swallow).await,
        Harm::Refuse => link.set(Fault::Refuse).await,
        Harm::Swallow => link.set(Fault::Swallow).await,
        Harm::Freeze => {
            replica.pause().await.unwrap();
            sleep(Duration::from_millis(1500)).await;
            replica.resume().unwrap();
        }
        Harm::Kill => {
            replica.kill();
            replica.start().await.unwrap();
        }
        Harm::StopApplier => drop(replica.sql(applier("STOP")).await.unwrap()),
        Harm::Mend => heal_replica(replica).await,
    }
}

/// Breaks replicas until it is told to stop, each for a moment. What it did is returned.
///
/// One of them is left alone, though not always the same: where nobody reads from replicas, nobody reads too little.
pub(crate) async fn rage(cluster: &'static Cluster, seed: u64, until: impl Fn() -> bool) -> Vec<String> {
    let mut chance = Chance::new(seed);
    let begun = Instant::now();
    let mut done = Vec::new();
    // Who was harmed and not mended since, those first that have been so for longest.
    let mut harmed: Vec<usize> = Vec::new();
    let mut say = |harm: Harm, replica: &Node| {
        done.push(format!("{:6} ms: {harm:?} {}", begun.elapsed().as_millis(), replica.name()));
    };
    while !until() {
        let chosen = usize::try_from(chance.below(3)).unwrap();
        let harm = harm(&mut chance);
        harmed.retain(|other| *other != chosen);
        if !matches!(harm, Harm::Mend) {
            if harmed.len() == 2 {
                let longest = &cluster.replicas()[harmed.remove(0)];
                say(Harm::Mend, longest);
                inflict(longest, Harm::Mend).await;
            }
            harmed.push(chosen);
        }
        let replica = &cluster.replicas()[chosen];
        say(harm, replica);
        inflict(replica, harm).await;
        sleep(Duration::from_millis(100 + chance.below(300))).await;
    }
    done
}
