//! Clients that go without waiting for their answer, and statements that others end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use tokio::time::sleep;

use super::guest::{Guest, told};
use super::stage::Target;

/// ER_QUERY_INTERRUPTED.
const INTERRUPTED: u16 = 1317;
/// ER_DUP_ENTRY.
const DUPLICATE: u16 = 1062;
/// A lock that is not to be had now; the statement may be sent again.
const AGAIN: [u16; 2] = [1205, 1213];

impl Guest {
    /// Goes while its INSERT is under way, which then has run or has not. Nobody waits for it: the client makes sure by
    /// inserting the same.
    pub(super) async fn vanish_in_statement(&mut self) -> Result<()> {
        let open = self.model.in_transaction();
        let sql = format!("INSERT INTO soak_a.limbo VALUES ({}, {})", self.number, self.vanished);
        self.connection().send_query(&sql).await?;
        sleep(Duration::from_millis(self.chance.below(20) as u64)).await;
        self.return_again().await?;
        loop {
            let reply = self.ask(&sql).await?;
            match reply.error.map_or(0, |error| error.code) {
                0 => break,
                DUPLICATE if open => bail!("a transaction was committed whose client had gone"),
                DUPLICATE => break,
                code if AGAIN.contains(&code) => {}
                code => bail!("{sql}: error {code}"),
            }
        }
        self.vanished += 1;
        Ok(())
    }

    /// Goes while it is sent a long result.
    pub(super) async fn vanish_in_result(&mut self) -> Result<()> {
        let hint = self.anywhere();
        self.connection().send_query(&format!("{hint}SELECT REPEAT('v', 3000000), v FROM shared")).await?;
        sleep(Duration::from_millis(self.chance.below(20) as u64)).await;
        self.return_again().await
    }

    /// Runs something long, at which others may aim a KILL.
    pub(super) async fn sleep(&mut self) -> Result<()> {
        let target = Arc::new(Target {
            id: self.connection().greeting.thread_id,
            account: self.account,
            aimed: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        });
        self.stage.targets.lock().push(Arc::clone(&target));
        let slept = self.ask("SELECT SLEEP(0.3)").await;
        self.stage.targets.lock().retain(|other| !Arc::ptr_eq(other, &target));
        let reply = slept?;
        // From here on nobody aims at it any more.
        while target.answered.load(Ordering::SeqCst) < target.aimed.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(5)).await;
        }
        let killed = target.aimed.load(Ordering::SeqCst) > 0;
        let answer = told(&reply);
        ensure!(
            answer == "0" || killed && ["1", "error 1317"].contains(&answer.as_str()),
            "SLEEP() says {answer}"
        );
        if answer != "0" {
            self.stage.count("statements ended by KILL");
        }
        if killed {
            // It may come late.
            let reply = self.ask("DO 0").await?;
            let code = reply.error.map_or(0, |error| error.code);
            ensure!(code == 0 || code == INTERRUPTED, "error {code} after a KILL QUERY");
        }
        Ok(())
    }

    /// Ends the statement of another session of the same account.
    pub(super) async fn kill(&mut self) -> Result<()> {
        let target = {
            let targets = self.stage.targets.lock();
            let found = targets.iter().find(|target| target.account == self.account).cloned();
            if let Some(target) = &found {
                target.aimed.fetch_add(1, Ordering::SeqCst);
            }
            found
        };
        let Some(target) = target else { return Ok(()) };
        let killed = self.ask(format!("KILL QUERY {}", target.id)).await;
        target.answered.fetch_add(1, Ordering::SeqCst);
        self.stage.count("kills");
        let code = killed?.error.map_or(0, |error| error.code);
        ensure!(code == 0, "KILL QUERY of a session that is there: error {code}");
        Ok(())
    }
}
