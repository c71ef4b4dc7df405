//! Clients that read the primary's binary log: replicas, mysqlbinlog, and what copies changes elsewhere.
//!
//! What they ask on the way runs on the session's own connection to the primary, and so does the dump. From then on
//! that connection serves nothing else.

use std::sync::Arc;

use super::relay::{self, RelayError};
use super::session::{Closing, Session};
use crate::backend::{BackendError, WRITE_LIMIT};
use crate::routing::{Reason, Target};
use crate::runtime::shutdown::Phase;
use crate::wire::command::Command;
use crate::wire::dump::{Dump, Upward};
use crate::wire::err::ErrPacket;
use crate::wire::frame::{HEADER, Header};

/// BINLOG_DUMP_NON_BLOCK: what there is, and no waiting for more.
const NON_BLOCKING: u8 = 1;

/// What ends the wait between two events.
enum Woken {
    Client(std::io::Result<usize>),
    Primary(std::io::Result<usize>),
    Topology,
    Shutdown,
}

impl Session {
    /// Serves COM_BINLOG_DUMP and COM_BINLOG_DUMP_GTID.
    ///
    /// Neither side is waited for with a deadline: a log may be silent for as long as nobody writes, and how long is
    /// between the replica and its primary (heartbeats). Bytes that have come are passed on within the usual limits.
    /// One side at a time: acknowledgements are a few bytes each, and a peer that reads nothing until all it sends is
    /// taken is cut by the limit.
    pub(super) async fn dump(&mut self, header: Header) -> Result<(), Closing> {
        self.give_back_lent();
        self.login.state.begin_replication();
        self.count(Target::Primary, Reason::Command);
        // One that ends by itself is let end, as a transaction is.
        let until = if self.ends_by_itself(header).await? { Phase::Ending } else { Phase::Draining };
        if let Err(error) = self.lease().await {
            return self.refuse(&error).await;
        }
        relay::forward_command(&mut self.client, self.login.primary.get()?, None).await?;
        let mut dump = Dump::default();
        loop {
            if self.pass_events(&mut dump).await? {
                // Servers hang up now, unless they had refused the dump.
                let primary = self.login.primary.get()?;
                primary.finish(primary.status);
                return Ok(());
            }
            let listen = self.pass_acknowledgements(&mut dump).await?;
            self.count_traffic();
            match self.wait_in_dump(listen, until).await? {
                Woken::Client(read) => {
                    if !matches!(read, Ok(n) if n > 0) {
                        return Err(Closing::Quit);
                    }
                }
                Woken::Primary(read) => {
                    if read.map_err(BackendError::from).map_err(RelayError::from)? == 0 {
                        return Err(RelayError::Server(BackendError::Closed).into());
                    }
                }
                Woken::Topology => {
                    self.topology = Arc::clone(&self.published.borrow_and_update());
                    if self.primary_has_changed() {
                        return Err(self.cut_dump(&dump, "another server is the primary now").await);
                    }
                }
                Woken::Shutdown => return Err(self.cut_dump(&dump, "Headgate is shutting down").await),
            }
        }
    }

    /// Whether the dump asked for ends where the log ends.
    async fn ends_by_itself(&mut self, header: Header) -> Result<bool, Closing> {
        // COM_BINLOG_DUMP: int<4> position, int<2> flags; COM_BINLOG_DUMP_GTID begins with the flags.
        let gtid = self.client.inbox.get(HEADER) == Some(&(Command::BinlogDumpGtid as u8));
        let flags = if gtid { 1 } else { 5 };
        if header.len <= flags {
            return Ok(true);
        }
        relay::payload_from_client(&mut self.client, flags + 1).await?;
        Ok(self.client.inbox.get(HEADER + flags).is_some_and(|flags| flags & NON_BLOCKING != 0))
    }

    /// Passes what has come from the primary on. True where that was the end.
    async fn pass_events(&mut self, dump: &mut Dump) -> Result<bool, Closing> {
        let limit = self.context.shared.limits().client_write_timeout;
        let server = &mut self.login.primary.get()?.link;
        let followed = dump.follow(&server.inbox).map_err(BackendError::from).map_err(RelayError::from)?;
        server.pass_on(followed.ready, &mut self.client, limit).await.map_err(RelayError::Client)?;
        if dump.between_packets() {
            server.rest();
        }
        Ok(followed.over)
    }

    /// Passes on what a semi-synchronous replica has acknowledged. Says whether more may be read from it: a command
    /// waits until the dump is over, and what stands behind it too.
    async fn pass_acknowledgements(&mut self, dump: &mut Dump) -> Result<bool, Closing> {
        loop {
            match Upward::read(&self.client.inbox) {
                Upward::Acknowledgement(len) => {
                    if let Some(header) = Header::read(&self.client.inbox) {
                        dump.acknowledged(header.seq);
                    }
                    let server = &mut self.login.primary.get()?.link;
                    let passed = self.client.pass_on(len, server, WRITE_LIMIT).await;
                    passed.map_err(|source| RelayError::Server(BackendError::Io { source }))?;
                }
                Upward::Incomplete => return Ok(true),
                Upward::Command(byte) if byte == Command::Quit as u8 => return Err(Closing::Quit),
                Upward::Command(_) => return Ok(false),
            }
        }
    }

    async fn wait_in_dump(&mut self, listen: bool, until: Phase) -> Result<Woken, Closing> {
        let (client, primary) = (&mut self.client, &mut self.login.primary.get()?.link);
        let shutdown = &mut self.idle.shutdown;
        Ok(tokio::select! {
            biased;
            read = client.fill(), if listen => Woken::Client(read),
            read = primary.fill() => Woken::Primary(read),
            () = shutdown.reached(until) => Woken::Shutdown,
            Ok(()) = self.published.changed() => Woken::Topology,
        })
    }

    /// Tells a replica why its stream ends, where a packet fits in. It connects again, as after a restart of its
    /// primary.
    async fn cut_dump(&mut self, dump: &Dump, why: &'static str) -> Closing {
        if dump.between_packets() {
            // ER_SERVER_SHUTDOWN.
            let error = ErrPacket::own(1053, b"08S01", &format!("{why}; connect again"));
            if let Err(closing) = self.tell(dump.next_seq(), &error).await {
                return closing;
            }
        }
        Closing::Told(why)
    }
}
