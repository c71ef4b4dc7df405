//! What happens to a primary.

use std::time::Duration;

use headgate::lab::{Fault as Cut, Node};

use crate::stage::{Stage, texts};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// kill -9.
    Killed,
    /// An operator has another server take over.
    SwitchedOver,
    /// SIGSTOP.
    Frozen,
    /// No byte reaches it or leaves it, be it from clients, Headgate or replicas.
    CutOff,
    /// An orderly shutdown.
    Stopped,
}

pub(super) const ALL: [Fault; 5] =
    [Fault::Killed, Fault::SwitchedOver, Fault::Frozen, Fault::CutOff, Fault::Stopped];

impl Fault {
    pub(super) async fn happen(self, stage: &Stage, to: &Node) {
        match self {
            Self::Killed => to.kill(),
            Self::Frozen => to.pause().await.unwrap(),
            Self::Stopped => to.stop().await.unwrap(),
            Self::CutOff => cut(stage, to, Cut::Swallow).await,
            Self::SwitchedOver => switch_over(stage, to).await,
        }
    }

    pub(super) async fn end(self, stage: &Stage, of: &Node) {
        match self {
            Self::Killed | Self::Stopped => of.start().await.unwrap(),
            Self::Frozen => of.resume().unwrap(),
            Self::CutOff => cut(stage, of, Cut::None).await,
            Self::SwitchedOver => {}
        }
    }

    /// The longest time without writes that is aimed at on a machine that is not overloaded. MySQL's orderly shutdown
    /// has its own time (docs/failover.md).
    pub(super) const fn worst(self) -> Duration {
        match self {
            Self::Killed => Duration::from_secs(5),
            Self::Frozen | Self::CutOff => Duration::from_secs(6),
            Self::Stopped => Duration::from_secs(10),
            Self::SwitchedOver => Duration::from_secs(2),
        }
    }
}

/// The first primary's replicas reach it by links of their own, all others by the link that clients take.
async fn cut(stage: &Stage, node: &Node, how: Cut) {
    node.link().unwrap().set(how).await;
    if node.name() == stage.cluster.primary().name() {
        for replica in stage.cluster.replicas() {
            replica.replication_link().unwrap().set(how).await;
        }
    }
}

async fn switch_over(stage: &Stage, from: &Node) {
    let to = stage.cluster.nodes().iter().find(|node| node.name() != from.name()).unwrap();
    let told = stage.console(&format!("SWITCHOVER TO '{}'", to.address())).await;
    let told = texts(&told.unwrap_or_else(|error| panic!("{error}\n{}", stage.headgate.log())));
    if std::env::var_os("HEADGATE_SHOW").is_some() {
        eprintln!("{}", told.join("\n"));
    }
    let done = told.iter().any(|line| line.contains("is the primary"));
    assert!(done, "{told:#?}\n{}", stage.headgate.log());
}
