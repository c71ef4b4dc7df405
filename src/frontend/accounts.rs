//! How accounts log in, as the primary stores it.

use tokio::sync::Mutex;

use crate::auth::{Secret, StoredAccount};
use crate::backend::{BackendError, Connection, Credentials, Purpose, Target};
use crate::probing::queries;
use crate::wire::capabilities::Capabilities;

/// Reads accounts over one control connection, which is opened when it is first needed.
#[derive(Debug)]
pub struct AccountReader {
    user: String,
    secret: Secret,
    connection: Mutex<Option<Connection>>,
}

impl AccountReader {
    /// A reader for the control account.
    #[must_use]
    pub fn new(user: String, secret: Secret) -> Self {
        Self { user, secret, connection: Mutex::new(None) }
    }

    /// The accounts that match a user name.
    pub(super) async fn read(
        &self,
        target: &Target,
        user: &[u8],
    ) -> Result<Vec<StoredAccount>, BackendError> {
        let mut held = self.connection.lock().await;
        let usable = held.take_if(|held| held.server() == target.server && held.is_quiet());
        let mut connection = match usable {
            Some(connection) => connection,
            None => {
                let credentials = Credentials {
                    user: self.user.as_bytes(),
                    secret: &self.secret,
                    schema: None,
                    collation: 45,
                    capabilities: Capabilities::default(),
                    attributes: &[],
                };
                Connection::open(target, credentials, Purpose::Control).await?
            }
        };
        let answer = connection.query(&queries::accounts(user), target.timeout).await?;
        *held = Some(connection);
        let stored = |row: &Vec<Option<String>>| {
            let field = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default().as_bytes();
            StoredAccount::parse(field(0), field(1))
        };
        Ok(answer.rows.iter().map(stored).collect())
    }
}
