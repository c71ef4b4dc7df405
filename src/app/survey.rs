//! Asks all servers once, for `check --connect` and `init`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinSet;

use crate::auth::Secret;
use crate::backend::{BackendError, Connection, Credentials, Purpose, Target};
use crate::net::tls::ClientTls;
use crate::probing::grants::Grants;
use crate::probing::survey::{Account, Follower, Survey, Surveyed, Told, followers, queries as asked};
use crate::probing::{Identity, Replication, log_is_filtered, queries};
use crate::runtime::clock;
use crate::topology::{Address, Flavor, ServerId};
use crate::wire::answer::Answer;
use crate::wire::capabilities::Capabilities;
use crate::wire::proxy_protocol::Announced;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// utf8mb4_general_ci, known to every server.
const COLLATION: (u16, &str) = (45, "utf8mb4_general_ci");

/// Who asks, and how.
pub(super) struct Caller {
    pub(super) user: String,
    pub(super) secret: Secret,
    pub(super) tls: Arc<ArcSwap<ClientTls>>,
    pub(super) connect_timeout: Duration,
    /// The servers take PROXY headers, and may want one.
    pub(super) proxy_protocol: bool,
    /// Ask for replicas as well. The control account may not.
    pub(super) seek_replicas: bool,
}

/// Asks servers, all at a time. Those that cannot be asked say why.
pub(super) async fn survey(addresses: &[Address], caller: &Arc<Caller>) -> Survey {
    let mut asking = JoinSet::new();
    for (at, address) in addresses.iter().enumerate() {
        let (address, caller) = (address.clone(), Arc::clone(caller));
        asking.spawn(async move { (at, ask(address, &caller).await) });
    }
    let mut servers = Vec::new();
    while let Some(asked) = asking.join_next().await {
        // Nobody aborts them, and none panics.
        servers.extend(asked.ok());
    }
    servers.sort_by_key(|(at, _)| *at);
    Survey(servers.into_iter().map(|(_, server)| server).collect())
}

async fn ask(address: Address, caller: &Caller) -> Surveyed {
    let told = match caller.open(&address).await {
        Ok(connection) => Questions { connection, seek_replicas: caller.seek_replicas }.ask().await,
        Err(error) => Err(error),
    };
    Surveyed { address, told: told.map_err(|error| error.to_string()) }
}

impl Caller {
    /// A connection to one of the servers.
    pub(super) async fn open(&self, address: &Address) -> Result<Connection, BackendError> {
        let target = Target {
            server: ServerId(0),
            address: address.clone(),
            only: None,
            tls: Arc::clone(&self.tls),
            timeout: self.connect_timeout,
            announced: self.proxy_protocol.then_some(Announced::Itself),
        };
        let credentials = Credentials {
            user: self.user.as_bytes(),
            secret: &self.secret,
            schema: None,
            collation: COLLATION.0,
            capabilities: Capabilities::default(),
            attributes: &[(b"program_name".to_vec(), b"headgate".to_vec())],
        };
        Connection::open(&target, credentials, Purpose::Control).await
    }
}

struct Questions {
    connection: Connection,
    seek_replicas: bool,
}

impl Questions {
    async fn ask(mut self) -> Result<Told, BackendError> {
        let flavor = self.connection.flavor();
        let greeting = self.connection.greeting.clone().ok_or(BackendError::Closed)?;
        let identity = Identity::read(&self.query(queries::identity(flavor)).await?)
            .ok_or(crate::wire::Malformed::new("answer to who the server is"))?;
        let variables = self.query(&asked::variables()).await?;
        let grants = Grants::read(&self.query(queries::GRANTS).await?);
        let connection = self.query(asked::CONNECTION).await?;
        let cipher = self.query(asked::CIPHER).await?;
        let replication = [queries::replication(flavor), queries::OLD_REPLICATION];
        let channels = self.first_of(&replication).await?.map(|answer| Replication::read(&answer));
        let log_filtered =
            self.first_of(&queries::BINARY_LOG).await?.map(|status| log_is_filtered(&status)).ok();
        let questions = asked::accounts(flavor);
        let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
        let accounts = self.first_of(&questions).await?.map(|answer| Account::read(&answer));
        let told_of = if self.seek_replicas { self.followers().await? } else { Ok(Vec::new()) };
        let (_, host) = user_and_host(connection.value("user").unwrap_or_default());
        let told = Told {
            flavor,
            version: String::from_utf8_lossy(&greeting.version).into_owned(),
            version_number: Flavor::version_of_greeting(&greeting.version),
            identity,
            channels,
            variables: pairs(variables),
            grants,
            log_filtered,
            handshake_ignored: connection.value("collation") != Some(COLLATION.1),
            encrypted: cipher.value("Value").is_some_and(|cipher| !cipher.is_empty()),
            seen_as: names_of(&host).await,
            account: user_and_host(connection.value("account").unwrap_or_default()),
            accounts,
            followers: told_of,
        };
        self.connection.leave();
        Ok(told)
    }

    async fn followers(&mut self) -> Result<Result<Vec<Follower>, String>, BackendError> {
        let replicas = self.first_of(&asked::REPLICAS).await?;
        let threads = self.first_of(&[asked::THREADS]).await?;
        Ok(replicas.and_then(|replicas| Ok(followers(&replicas, &threads?))))
    }

    async fn query(&mut self, sql: &str) -> Result<Answer, BackendError> {
        self.connection.query(sql, PATIENCE).await
    }

    /// The answer to the first question that is not refused, else why the last one was.
    async fn first_of(&mut self, questions: &[&str]) -> Result<Result<Answer, String>, BackendError> {
        let mut why = String::new();
        for sql in questions {
            match self.query(sql).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(BackendError::Refused { error }) => why = format!("the server answered {error}"),
                Err(error) => return Err(error),
            }
        }
        Ok(Err(why))
    }
}

fn pairs(answer: Answer) -> std::collections::BTreeMap<String, String> {
    let pair = |mut row: Vec<Option<String>>| {
        let value = row.pop()??;
        Some((row.pop()??.to_ascii_lowercase(), value))
    };
    answer.rows.into_iter().filter_map(pair).collect()
}

/// `user@host`; a user's name may hold an @, a host part may not.
fn user_and_host(account: &str) -> (String, String) {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, ""));
    (user.to_owned(), host.to_owned())
}

/// A host as given, and the addresses it has.
pub(super) async fn names_of(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned()];
    if host.parse::<IpAddr>().is_err()
        && let Ok(Ok(found)) = clock::within(PATIENCE, tokio::net::lookup_host((host, 0))).await
    {
        let addresses: BTreeSet<String> = found.map(|address| address.ip().to_string()).collect();
        names.extend(addresses);
    }
    names
}
