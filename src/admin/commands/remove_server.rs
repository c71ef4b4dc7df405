//! REMOVE SERVER.

use tokio::runtime::Handle;

use super::add_server::address;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;

/// Takes a server out.
pub(super) struct RemoveServer;

impl Command for RemoveServer {
    fn names(&self) -> &'static [&'static str] {
        &["REMOVE SERVER"]
    }

    fn usage(&self) -> &'static str {
        "REMOVE SERVER 'address'"
    }

    fn meaning(&self) -> &'static str {
        "Uses a server no more, until ADD SERVER or the next start of Headgate: idle connections to it are closed, \
         statements whose answer has begun end as they would have, others run elsewhere, and no session is dropped. It \
         is not discovered again. The primary cannot be removed."
    }

    fn example(&self) -> &'static str {
        "REMOVE SERVER 'db4.example.net:3306'"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let address = address(request, 2, self.usage())?;
        // Statements of the console run where waiting is allowed.
        let removed = Handle::current().block_on(view.shared.operator.remove(address.clone()));
        removed.map_err(|error| ConsoleError::Servers { why: error.to_string() })?;
        tracing::info!(%address, by = request.asker.name, "REMOVE SERVER from the console");
        Ok(Answer::done())
    }
}
