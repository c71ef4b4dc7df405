//! Having a server replicate from another.

use super::carry_out::{NOT_A_REPLICA, Office, quoted, replica};
use super::semi_sync;
use crate::auth::Secret;
use crate::election::{Done, Failure, Report};
use crate::failover::answers;
use crate::failover::line::Line;
use crate::gtid::{MariaDbState, Transactions};
use crate::topology::{Address, Flavor, ServerId};

/// Has a server replicate from `source`, from wherever it stands.
pub(super) async fn follow(
    office: &Office<'_>,
    line: &mut Line,
    source: ServerId,
    within: Option<&Transactions>,
    accept: Option<&Transactions>,
) -> Result<Done, Failure> {
    let word = replica(line.flavor());
    let Some(within) = within else {
        // It follows already. A receiver that waits to try again does so at once where it is started anew.
        line.order_unless(&format!("STOP {word} IO_THREAD"), NOT_A_REPLICA).await?;
        line.order(&format!("START {word}")).await?;
        return office.report(line).await;
    };
    let variable = if line.flavor() == Flavor::MySql { "super_read_only" } else { "read_only" };
    line.set_global(variable, "1").await?;
    // First: an applier that waits for acknowledgements of its own does not stop.
    semi_sync::serve(office, line).await?;
    line.order_unless(&format!("STOP {word}"), NOT_A_REPLICA).await?;
    let (report, _) = answers::ask(line, office.directory).await?;
    let extra = report.received.without(within);
    let accepted = |extra: &Transactions| accept.is_some_and(|accept| accept.contains(extra));
    if !extra.is_empty() && !accepted(&extra) {
        return Err(Failure::Refused(format!("it has transactions that its source lacks: {extra}")));
    }
    match line.flavor() {
        Flavor::MySql if !extra.is_empty() => pass_over(office, line, source, &extra).await?,
        Flavor::MySql => {}
        Flavor::MariaDb => stand_where_common(line, &report, within, !extra.is_empty()).await?,
    }
    let statement = change(office, line.flavor(), source)?;
    // Not as an order: the server keeps the password out of its logs only where it sees the statement itself. It is
    // refused while the receiver runs, and the receiver is started by an order.
    line.ask(&statement).await?;
    line.order(&format!("START {word}")).await?;
    office.report(line).await
}

/// How often a receiver of MySQL tries to connect, once a second: a day, which was the default before 8.4. With 10, the
/// default since, one would give up while its source restarts, and nobody would start it again.
pub(super) const RETRIES: u32 = 86_400;

/// The statement that names the source.
fn change(office: &Office<'_>, flavor: Flavor, source: ServerId) -> Result<String, Failure> {
    let refused = |why: &str| Failure::Refused(why.to_owned());
    let account =
        office.settings.replication.as_ref().ok_or_else(|| refused("there is no replication account"))?;
    let target = office.directory.target(source).ok_or_else(|| refused("the source is not known"))?;
    let Address::Tcp { host, port } = &target.address else {
        return Err(refused("replicas cannot reach a Unix socket"));
    };
    let password = match &account.secret {
        Secret::Clear(password) => {
            std::str::from_utf8(password).map_err(|_| refused("the password is no text"))?
        }
        _ => "",
    };
    let (host, user, password) = (quoted(host), quoted(&account.user), quoted(password));
    let name = if flavor == Flavor::MySql { "SOURCE" } else { "MASTER" };
    let mut statement = match flavor {
        Flavor::MySql => "CHANGE REPLICATION SOURCE TO ".to_owned(),
        Flavor::MariaDb => "CHANGE MASTER TO ".to_owned(),
    };
    statement += &format!(
        "{name}_HOST = {host}, {name}_PORT = {port}, {name}_USER = {user}, {name}_PASSWORD = {password}, \
         {name}_CONNECT_RETRY = 1"
    );
    if flavor == Flavor::MySql {
        statement += &format!(", SOURCE_RETRY_COUNT = {RETRIES}");
    }
    if let Some(period) = office.settings.heartbeat {
        statement += &format!(", {name}_HEARTBEAT_PERIOD = {}", period.as_secs_f64());
    }
    if office.settings.encrypted {
        statement += &format!(", {name}_SSL = 1");
    }
    statement += match flavor {
        // Without TLS the password goes encrypted with the source's key.
        Flavor::MySql => ", SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
        Flavor::MariaDb => ", MASTER_USE_GTID = slave_pos",
    };
    Ok(statement)
}

/// Has the source commit nothing under the names of transactions that an operator has given up, so that nobody lacks them.
async fn pass_over(
    office: &Office<'_>,
    line: &Line,
    source: ServerId,
    extra: &Transactions,
) -> Result<(), Failure> {
    let Transactions::MySql(set) = extra else { return Ok(()) };
    if set.count() > MOST_PASSED_OVER {
        return Err(Failure::Refused(format!("more than {MOST_PASSED_OVER} transactions; rebuild it")));
    }
    let mut at_source = office.line(source, line.until()).await?;
    for name in set.names() {
        at_source.ask(&format!("SET gtid_next = {}", quoted(&name))).await?;
        at_source.ask("BEGIN").await?;
        at_source.ask("COMMIT").await?;
    }
    at_source.ask("SET gtid_next = AUTOMATIC").await?;
    at_source.hang_up();
    Ok(())
}

/// More would take longer than an order may.
const MOST_PASSED_OVER: u64 = 1_000;

/// Tells a MariaDB server how far it has come as a replica. One that was a primary does not know: what it has written
/// itself is in its binary log alone. One that gives transactions up forgets its binary log with them.
async fn stand_where_common(
    line: &mut Line,
    report: &Report,
    within: &Transactions,
    gives_up: bool,
) -> Result<(), Failure> {
    let (Transactions::MariaDb(own), Transactions::MariaDb(source)) = (&report.executed, within) else {
        return Ok(());
    };
    let common = own.in_common(source);
    if gives_up {
        line.order("RESET MASTER").await?;
        line.order(&format!("SET GLOBAL gtid_binlog_state = {}", quoted(&common.to_string()))).await?;
    }
    let position =
        if common == MariaDbState::default() { String::new() } else { common.position().to_string() };
    line.order(&format!("SET GLOBAL gtid_slave_pos = {}", quoted(&position))).await
}
