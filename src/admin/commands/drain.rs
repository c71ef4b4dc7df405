//! DRAIN and UNDRAIN.

use std::time::Duration;

use tokio::runtime::Handle;

use super::add_server::address;
use super::command::Command;
use crate::admin::answer::{Answer, ConsoleError, Value};
use crate::admin::request::Request;
use crate::admin::tables::state;
use crate::admin::view::View;
use crate::runtime::clock;
use crate::topology::Address;

/// For so long DRAIN waits for what is about to end anyway, so that the first answer is mostly the last.
const SHORT: Duration = Duration::from_secs(1);

/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// Keeps reads from a server, or lets them go there again.
pub(super) struct Drain;

impl Command for Drain {
    fn names(&self) -> &'static [&'static str] {
        &["DRAIN", "UNDRAIN"]
    }

    fn usage(&self) -> &'static str {
        "DRAIN 'host:port' | UNDRAIN 'host:port'"
    }

    fn meaning(&self) -> &'static str {
        "Sends no new reads and no new read-only transactions to a replica, so that it can be stopped without a client \
         noticing, until UNDRAIN. Statements and transactions under way end there as they would have, and idle \
         connections are closed. Answers with how many connections are still in use; SHOW SERVERS goes on telling, and at \
         none it may be stopped. It is still watched, and its lag is shown. A failover may make it the primary, if it is \
         the best, which ends the drain; QUARANTINE rules that out. The primary cannot be drained. A start of Headgate \
         undrains."
    }

    fn example(&self) -> &'static str {
        "DRAIN 'db2:3306'"
    }

    fn waits(&self) -> bool {
        true
    }

    fn run(&self, request: &Request<'_>, view: &View) -> Result<Answer, ConsoleError> {
        let address = address(request, 1, self.usage())?;
        let (operator, drains) = (&view.shared.operator, request.begins_with("DRAIN"));
        // Statements of the console run where waiting is allowed.
        let obeyed = Handle::current().block_on(async {
            match drains {
                true => operator.drain(address.clone()).await,
                false => operator.undrain(address.clone()).await,
            }
        });
        obeyed.map_err(|error| ConsoleError::Servers { why: error.to_string() })?;
        tracing::info!(%address, drains, by = request.asker.name, "DRAIN or UNDRAIN from the console");
        if drains {
            Handle::current().block_on(wait_a_little(&address, view));
        }
        Ok(tell(&address, view))
    }
}

/// Waits until nothing is in use at a server, for a short time.
async fn wait_a_little(address: &Address, view: &View) {
    let end = clock::now() + SHORT;
    while clock::now() < end && in_use(address, view) > 0 {
        clock::sleep(LOOK).await;
    }
}

fn in_use(address: &Address, view: &View) -> usize {
    let topology = view.topology();
    let server = topology.servers.iter().find(|server| server.address == *address);
    server.map_or(0, |server| view.in_use(server.id))
}

fn tell(address: &Address, view: &View) -> Answer {
    let topology = view.topology();
    let row = |server: &crate::topology::Server| {
        let in_use = view.in_use(server.id);
        vec![Value::text(address.to_string()), Value::Text(state(server, in_use)), Value::count(in_use)]
    };
    let rows = topology.servers.iter().filter(|server| server.address == *address).map(row).collect();
    Answer::new(&["Server", "State", "In use"], rows)
}
