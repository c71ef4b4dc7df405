//! A connection for one order: statements that take no effect after its deadline.

use std::time::{Duration, Instant};

use super::settings::{Account, Settings};
use crate::backend::{BackendError, Connection, Credentials, Purpose, Target};
use crate::election::Failure;
use crate::probing::standing::{SERVER_CLOCK, seconds_since_epoch};
use crate::runtime::clock;
use crate::topology::Flavor;
use crate::wire::answer::Answer;
use crate::wire::capabilities::Capabilities;
use crate::wire::err::{ERR, ErrPacket};
use crate::wire::frame::{HEADER, split_packet};

/// utf8mb4_general_ci, known to every server.
const COLLATION: u16 = 45;

/// The connection attribute by which people can tell the control connections of one Headgate from those of another.
const INSTANCE: &[u8] = b"_headgate_instance";

/// Longer than any reply to an order.
const LONGEST_REPLY: usize = 64 * 1024;

/// Statements in one packet. Their replies fit into [`LONGEST_REPLY`].
const MOST_AT_ONCE: usize = 500;

/// A connection in the name of the control account.
pub(super) async fn open(
    target: &Target,
    control: &Account,
    instance: &str,
    limit: Duration,
) -> Result<Connection, BackendError> {
    let target = Target { timeout: target.timeout.min(limit), ..target.clone() };
    let attributes =
        [(b"program_name".to_vec(), b"headgate".to_vec()), (INSTANCE.to_vec(), instance.as_bytes().to_vec())];
    let credentials = Credentials {
        user: control.user.as_bytes(),
        secret: &control.secret,
        schema: None,
        collation: COLLATION,
        capabilities: Capabilities::MULTI_STATEMENTS,
        attributes: &attributes,
    };
    Connection::open(&target, credentials, Purpose::Control).await
}

/// A connection on which an order is carried out.
pub(super) struct Line {
    connection: Connection,
    until: Instant,
    /// The same in the server's own time, in seconds since 1970.
    server_until: f64,
}

impl Line {
    /// Connects, and asks the server what time it is: what must not happen after `until` it checks itself.
    pub(super) async fn open(target: &Target, settings: &Settings, until: Instant) -> Result<Self, Failure> {
        let left = left(until)?;
        // Nothing has been ordered yet.
        let not_reached = |error: BackendError| Failure::Refused(error.to_string());
        let mut connection =
            open(target, &settings.control, &settings.instance, left).await.map_err(not_reached)?;
        // What our own texts mean must not depend on the server's settings.
        let lock_wait = settings.rules.lock_wait.as_secs().max(1);
        let prepare = format!("SET SESSION sql_mode = '', lock_wait_timeout = {lock_wait}");
        connection.query(&prepare, left).await.map_err(not_reached)?;
        let answer = connection.query(SERVER_CLOCK, left).await.map_err(not_reached)?;
        let then = seconds_since_epoch(&answer)
            .ok_or_else(|| Failure::Refused("the server does not tell the time".into()))?;
        // The server's clock was read before this moment, so this is not later than it should be.
        let server_until = then + until.saturating_duration_since(clock::now()).as_secs_f64();
        Ok(Self { connection, until, server_until })
    }

    pub(super) const fn flavor(&self) -> Flavor {
        self.connection.flavor()
    }

    pub(super) const fn until(&self) -> Instant {
        self.until
    }

    /// The time that is left.
    pub(super) fn left(&self) -> Result<Duration, Failure> {
        left(self.until)
    }

    /// A condition that the server holds true until the deadline.
    pub(super) fn in_time(&self) -> String {
        format!("UNIX_TIMESTAMP(NOW(6)) < {:.6}", self.server_until)
    }

    /// Asks, or runs what can do no harm later.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Answer, Failure> {
        let left = self.left()?;
        self.connection.query(sql, left).await.map_err(failure)
    }

    /// As [`Self::ask`]; these error numbers are as good as success.
    pub(super) async fn ask_unless(&mut self, sql: &str, fine: &[u16]) -> Result<(), Failure> {
        let left = self.left()?;
        match self.connection.query(sql, left).await {
            Err(BackendError::Refused { error }) if fine.contains(&error.code) => Ok(()),
            answer => answer.map(|_| ()).map_err(failure),
        }
    }

    /// Runs many statements that return no rows, in as few round trips as can be; those that fail with one of these errors
    /// are passed over.
    pub(super) async fn ask_all(&mut self, statements: &[String], fine: &[u16]) -> Result<(), Failure> {
        let mut rest = statements;
        while !rest.is_empty() {
            let some = rest.get(..MOST_AT_ONCE).unwrap_or(rest);
            let left = self.left()?;
            let reply = self.connection.raw(&some.join("; "), LONGEST_REPLY, left).await.map_err(failure)?;
            // The first error ends it: what stands behind has not been run.
            let done = match outcome(&reply.unwrap_or_default()) {
                (done, Some(error)) if fine.contains(&error.code) => done + 1,
                (_, Some(error)) => return Err(Failure::Refused(error.to_string())),
                (_, None) => some.len(),
            };
            rest = rest.get(done..).unwrap_or_default();
        }
        Ok(())
    }

    /// Has the server run a statement, unless the deadline has passed there when it comes to it: a connection that hangs
    /// may deliver it long after it was given up.
    ///
    /// MySQL cannot compare and run in one statement, so it gets three in one packet, which it runs one right after the
    /// other.
    pub(super) async fn order(&mut self, statement: &str) -> Result<(), Failure> {
        self.order_unless(statement, &[]).await
    }

    /// As [`Self::order`]; these error numbers are as good as success.
    pub(super) async fn order_unless(&mut self, statement: &str, fine: &[u16]) -> Result<(), Failure> {
        let left = self.left()?;
        let text: String = statement.bytes().map(|byte| format!("{byte:02x}")).collect();
        let chosen = format!("IF({}, CONVERT(0x{text} USING utf8mb4), 'DO 0')", self.in_time());
        let sql = match self.flavor() {
            Flavor::MySql => {
                format!("SET @headgate = {chosen}; PREPARE headgate FROM @headgate; EXECUTE headgate")
            }
            Flavor::MariaDb => format!("EXECUTE IMMEDIATE {chosen}"),
        };
        let reply = self.connection.raw(&sql, LONGEST_REPLY, left).await.map_err(failure)?;
        match outcome(&reply.unwrap_or_default()).1 {
            Some(error) if !fine.contains(&error.code) => Err(Failure::Refused(error.to_string())),
            _ if clock::now() >= self.until => Err(Failure::TimedOut),
            _ => Ok(()),
        }
    }

    /// Sets a global variable, unless the deadline has passed on the server; then it stays what it is.
    pub(super) async fn set_global(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let in_time = self.in_time();
        self.ask(&format!("SET GLOBAL {name} = IF({in_time}, {value}, @@global.{name})")).await?;
        if clock::now() >= self.until { Err(Failure::TimedOut) } else { Ok(()) }
    }

    /// Says goodbye.
    pub(super) fn hang_up(self) {
        self.connection.leave();
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// The time that is left until `until`, if any is.
fn left(until: Instant) -> Result<Duration, Failure> {
    let left = until.saturating_duration_since(clock::now());
    if left.is_zero() { Err(Failure::TimedOut) } else { Ok(left) }
}

/// What an order's failure is to the machine: an error of the server's changes nothing, all else may have.
pub(super) fn failure(error: BackendError) -> Failure {
    match error {
        BackendError::Refused { error } => Failure::Refused(error.to_string()),
        _ => Failure::TimedOut,
    }
}

/// How many statements without rows went well, and the error of the one behind them.
fn outcome(mut reply: &[u8]) -> (usize, Option<ErrPacket>) {
    let mut done = 0;
    while let Ok(Some((header, payload))) = split_packet(reply, LONGEST_REPLY) {
        if payload.first() == Some(&ERR) {
            return (done, ErrPacket::parse(payload).ok());
        }
        done += 1;
        reply = reply.get(HEADER + header.len..).unwrap_or_default();
    }
    (done, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::put_packet;

    #[test]
    fn an_error_is_found_behind_what_went_well() {
        let error = ErrPacket { code: 1205, state: *b"HY000", message: b"Lock wait timeout".to_vec() };
        let mut reply = Vec::new();
        put_packet(&mut reply, &mut 1, &[0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(outcome(&reply), (1, None));
        put_packet(&mut reply, &mut 2, &error.payload());
        assert_eq!(outcome(&reply), (1, Some(error)));
    }
}
