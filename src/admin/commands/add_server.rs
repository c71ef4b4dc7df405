//! ADD SERVER.

use tokio::runtime::Handle;

use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError};
use crate::admin::request::Request;
use crate::admin::view::View;
use crate::topology::Address;

/// Takes a server in.
pub(super) struct AddServer;

impl Command for AddServer {
    fn names(&self) -> &'static [&'static str] {
        &["ADD SERVER"]
    }

    fn usage(&self) -> &'static str {
        "ADD SERVER 'address'"
    }

    fn meaning(&self) -> &'static str {
        "Uses a server from now on, until Headgate ends: it is asked who it is, and serves once it is found fit; SHOW \
         SERVERS says what came of it. One that was discovered stays for good, and one that was removed comes back."
    }

    fn example(&self) -> &'static str {
        "ADD SERVER 'db4.example.net:3306'"
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let address = address(request, 2, self.usage())?;
        // Statements of the console run where waiting is allowed.
        let added = Handle::current().block_on(view.shared.operator.add(address.clone()));
        added.map_err(|error| ConsoleError::Servers { why: error.to_string() })?;
        tracing::info!(%address, by = request.asker.name, "ADD SERVER from the console");
        Ok(Answer::done())
    }
}

/// The one address behind so many words.
pub(super) fn address(
    request: &Request<'_>,
    words: usize,
    usage: &'static str,
) -> Result<Address, ConsoleError> {
    let usage = |why: String| ConsoleError::Usage { why, usage };
    request.must_be_one()?;
    let text = Request::unquote(request.behind(words));
    let text = text.ok_or_else(|| usage("there is no address in quotes".to_owned()))?;
    text.trim().parse().map_err(|bad: crate::topology::BadAddress| usage(bad.to_string()))
}
