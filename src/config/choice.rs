//! Keys that take one of a few words.

use super::setting::{Complaint, Form, Setting};
use super::suggest::nearest;
use super::value::{Shape, Value};

/// Declares an enum whose variants are the words a key takes.
macro_rules! choice {
    ($(#[$attribute:meta])* $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// What a word stands for.
            pub fn of_word(word: &str) -> Option<Self> {
                Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, choice)| *choice)
            }

            /// The word for it in the configuration file.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Setting for $name {
            const FORM: Form = Form::Word;

            fn kind() -> String {
                let words: Vec<String> = Self::WORDS.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                words.join(", ")
            }

            fn read(value: &Value<'_>) -> Result<Self, Vec<Complaint>> {
                read_word(value, Self::WORDS)
            }

            fn show(&self) -> Option<String> {
                Some(format!("\"{}\"", self.word()))
            }
        }
    };
}

fn read_word<T: Copy>(value: &Value<'_>, words: &[(&'static str, T)]) -> Result<T, Vec<Complaint>> {
    let all = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    let Shape::Text(text) = &value.shape else {
        return Err(vec![Complaint::expected("a word", value, format!("choose one of {}", all()))]);
    };
    if let Some((_, choice)) = words.iter().find(|(word, _)| word == text) {
        return Ok(*choice);
    }
    let remedy = match nearest(text, words.iter().map(|(word, _)| *word)) {
        Some(word) => format!("did you mean {word}? The choices are {}", all()),
        None => format!("choose one of {}", all()),
    };
    Err(vec![Complaint::new(format!("does not know {text:?}"), remedy)])
}

choice! {
    /// How connections to the servers are protected, in MySQL's own words for `--ssl-mode`.
    BackendTls {
        /// Never TLS.
        Disabled = "disabled",
        /// TLS where the server offers it, without checking its certificate.
        Preferred = "preferred",
        /// TLS or no connection, without checking the certificate.
        Required = "required",
        /// TLS, and the certificate must come from the given authority.
        VerifyCa = "verify-ca",
        /// As verify-ca, and the certificate must name the host that was asked for.
        VerifyIdentity = "verify-identity",
    }
}

choice! {
    /// Whether the servers are told the clients' addresses.
    ProxyProtocol {
        /// They see Headgate's.
        Off = "off",
        /// By a PROXY header of version 2.
        V2 = "v2",
    }
}

choice! {
    /// How the work is laid out over the processor's cores.
    RuntimeModel {
        /// One runtime whose workers share all clients.
        MultiThread = "multi-thread",
        /// One single-threaded runtime a core, each with its own listeners and pools.
        PerCore = "per-core",
    }
}

choice! {
    /// How packets to and from a client may be compressed, in MySQL's own words for
    /// `protocol_compression_algorithms`.
    Compression {
        /// As old as the protocol.
        Zlib = "zlib",
        /// Since MySQL 8.0.18. MariaDB has none.
        Zstd = "zstd",
    }
}

choice! {
    /// Who becomes the primary when it fails.
    FailoverMode {
        /// The best candidate.
        Available = "available",
        /// The best candidate, if nothing is lost.
        Safe = "safe",
        /// Whoever something else makes writable.
        External = "external",
        /// Nobody.
        Off = "off",
    }
}

choice! {
    /// Whether Headgate sets heartbeats.
    HeartbeatChoice {
        /// It does.
        Manage = "manage",
        /// It does not.
        Leave = "leave",
    }
}

choice! {
    /// For how long a client has its connection to the primary.
    PoolMode {
        /// For as long as it lives.
        Session = "session",
        /// For as long as it needs it.
        Transaction = "transaction",
    }
}

choice! {
    /// What a read on a replica may miss.
    Consistency {
        /// Nothing that its own session has written or seen.
        Session = "session",
        /// Nothing that any session of this Headgate had written when it arrived.
        Process = "process",
        /// Nothing that the primary had when it arrived, whoever wrote it.
        Global = "global",
        /// Whatever is younger than the lag limit, its own session's writes included.
        Eventual = "eventual",
    }
}

choice! {
    /// What becomes of a read while every replica is further behind than allowed.
    WhenLagging {
        /// The primary runs it.
        Primary = "primary",
        /// The replica that is least behind runs it.
        Freshest = "freshest",
        /// It is refused.
        Error = "error",
    }
}

choice! {
    /// Whether the primary takes a share of the plain reads.
    PrimaryReads {
        /// Those that no replica may run.
        LastResort = "last-resort",
        /// A share like a replica's.
        Member = "member",
        /// None.
        Never = "never",
    }
}

choice! {
    /// Which of the replicas that are fresh enough gets a read.
    Balance {
        /// Of two that chance picks, the one that is expected to answer first.
        TwoChoices = "two-choices",
        /// Each in turn.
        RoundRobin = "round-robin",
        /// Each in turn, as often as its weight says.
        Weighted = "weighted",
        /// Whoever has the fewest statements to run.
        LeastConnections = "least-connections",
        /// The same for all connections from one address.
        ClientAddress = "client-address",
    }
}

choice! {
    /// What becomes of sessions when their primary is lost.
    FailoverSessions {
        /// They go on on the next primary.
        Outlive = "outlive",
        /// They are closed.
        Close = "close",
    }
}

choice! {
    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}
