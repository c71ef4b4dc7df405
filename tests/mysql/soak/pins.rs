//! What ties a session to one connection: user variables, temporary tables, statements prepared by text, named locks,
//! LOCK TABLES. Other sessions must not meet it, and its own must find it again.

use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};

use super::guest::{Guest, Pin, told};
use super::stage::{ACCOUNTS, LOCKS};

/// Most actions for which a session keeps what ties it.
const LONGEST: usize = 12;

impl Guest {
    /// Ties the session to its connection.
    pub(super) async fn pin(&mut self) -> Result<()> {
        let value = self.chance.below(1_000) as u64;
        let has = |pins: &[Pin], like: &Pin| {
            pins.iter().any(|pin| std::mem::discriminant(pin) == std::mem::discriminant(like))
        };
        let pin = match self.chance.below(5) {
            0 => Pin::UserVariable(value),
            1 => Pin::Temporary(value),
            2 => Pin::Prepared(value),
            3 => Pin::Lock(1),
            _ => Pin::Connection(String::new()),
        };
        if has(&self.pins, &pin) {
            return self.check_pins().await;
        }
        if self.pins.is_empty() {
            self.pinned_for = 2 + self.chance.below(LONGEST);
        }
        match &pin {
            Pin::UserVariable(value) => self.ok(format!("SET @soak = {value}")).await?,
            Pin::Temporary(value) => {
                self.ok("CREATE TEMPORARY TABLE soak_a.scratch (v INT)").await?;
                self.ok(format!("INSERT INTO soak_a.scratch VALUES ({value})")).await?
            }
            Pin::Prepared(value) => self.ok(format!("PREPARE soak FROM 'SELECT {value} + 0'")).await?,
            Pin::Lock(_) => {
                let lock = format!("SELECT GET_LOCK('soak_{}', 20)", self.number);
                self.expect(lock, "1").await?;
                self.pins.push(pin);
                return Ok(());
            }
            Pin::Connection(_) => {
                let reply = self.ok("SELECT CONNECTION_ID()").await?;
                self.pins.push(Pin::Connection(told(&reply)));
                return Ok(());
            }
        };
        self.pins.push(pin);
        Ok(())
    }

    /// One of what ties it is as it was.
    pub(super) async fn check_pins(&mut self) -> Result<()> {
        let at = self.chance.below(self.pins.len());
        let hint = self.anywhere();
        match self.pins[at].clone() {
            Pin::UserVariable(value) => self.expect(format!("{hint}SELECT @soak"), &value.to_string()).await,
            Pin::Temporary(value) => {
                self.expect(format!("{hint}SELECT v FROM soak_a.scratch"), &value.to_string()).await
            }
            Pin::Prepared(value) => self.expect("EXECUTE soak", &value.to_string()).await,
            Pin::Connection(id) => self.expect("SELECT CONNECTION_ID()", &id).await,
            Pin::Lock(times) => self.count_lock(at, times).await,
        }
    }

    /// The lock is taken once more, or given back once.
    async fn count_lock(&mut self, at: usize, times: u32) -> Result<()> {
        let name = format!("soak_{}", self.number);
        let times = if self.chance.once_in(2) {
            self.expect(format!("SELECT GET_LOCK('{name}', 0)"), "1").await?;
            times + 1
        } else {
            let had = u8::from(times > 0);
            let wanted = if had == 1 { "1" } else { "NULL" };
            self.expect(format!("SELECT RELEASE_LOCK('{name}')"), wanted).await?;
            times - u32::from(had)
        };
        self.pins[at] = Pin::Lock(times);
        let free = u8::from(times == 0).to_string();
        self.expect(format!("SELECT IS_FREE_LOCK('{name}')"), &free).await
    }

    /// A session that has nothing of that finds nothing of it.
    pub(super) async fn check_unpinned(&mut self) -> Result<()> {
        let hint = self.anywhere();
        match self.chance.below(4) {
            0 => self.expect(format!("{hint}SELECT @soak"), "NULL").await,
            1 => self.fails(format!("{hint}SELECT v FROM soak_a.scratch"), 1146).await,
            2 => self.fails("EXECUTE soak", 1243).await,
            _ => {
                let wanted = format!("{}@%", ACCOUNTS[self.account]);
                self.expect(format!("{hint}SELECT CURRENT_USER()"), &wanted).await
            }
        }
    }

    /// Takes a lock that others want too: while it has that, nobody else does.
    pub(super) async fn shared_lock(&mut self) -> Result<()> {
        let lock = self.chance.below(LOCKS);
        let reply = self.ok(format!("SELECT GET_LOCK('soak_shared_{lock}', 20)")).await?;
        if told(&reply) == "0" {
            return Ok(());
        }
        ensure!(told(&reply) == "1", "GET_LOCK: {}", told(&reply));
        let somebody = self.stage.inside[lock].swap(true, Ordering::SeqCst);
        self.think().await;
        let read = self.look_at_bank().await;
        self.stage.inside[lock].store(false, Ordering::SeqCst);
        ensure!(!somebody, "two have the lock {lock}");
        read?;
        if self.chance.once_in(2) {
            self.expect(format!("SELECT RELEASE_LOCK('soak_shared_{lock}')"), "1").await?;
        }
        self.ok("DO RELEASE_ALL_LOCKS()").await.map(drop)
    }

    /// LOCK TABLES keeps others away from a table, and its session from all others.
    pub(super) async fn lock_tables(&mut self) -> Result<()> {
        let own = self.own();
        self.ok(format!("LOCK TABLES {own} WRITE")).await?;
        self.model.commit();
        self.insert(1).await?;
        self.fails("SELECT v FROM shared", 1100).await?;
        self.read_rows(false).await?;
        self.ok("UNLOCK TABLES").await?;
        self.reset().await
    }
}
