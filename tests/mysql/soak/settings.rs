//! Session variables, transactions, and stored code that changes both.

use anyhow::{Result, ensure};
use headgate::lab::Flavor;

use super::guest::{Guest, told};
use super::model::{SCHEMAS, SETTINGS, To, VARIABLES, isolation};
use super::stage::{self, BANK, SHARED};

/// ER_LOCK_DEADLOCK: the transaction is rolled back.
const DEADLOCK: u16 = 1213;
/// ER_LOCK_WAIT_TIMEOUT: the statement is.
const LOCK_WAIT: u16 = 1205;

impl Guest {
    fn set_to(&mut self, name: &'static str, to: To) {
        let value = match to {
            To::Value(value) => Some(value.to_owned()),
            To::Null => None,
            // Neither family reports a reset as a change of what a session begins with: what SET … = DEFAULT gives is
            // the global value.
            To::Default => self.stage.begins.login.get(name).cloned().flatten(),
        };
        self.model.variables.insert(name, value);
    }

    pub(super) async fn set(&mut self) -> Result<()> {
        let drawn = self.chance.below(SETTINGS.len() + 2);
        if let Some((sql, becomes)) = SETTINGS.get(drawn) {
            if self.flavor() == Flavor::MariaDb && sql.contains("unique_checks = 0") {
                // With foreign_key_checks off too, duplicates in an empty table are found by COMMIT (1180).
                return Ok(());
            }
            self.ok(sql).await?;
            for (name, to) in *becomes {
                self.set_to(name, *to);
            }
            return Ok(());
        }
        let (level, value) = if drawn == SETTINGS.len() {
            ("READ COMMITTED", "READ-COMMITTED")
        } else {
            ("REPEATABLE READ", "REPEATABLE-READ")
        };
        self.ok(format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}")).await?;
        self.set_to(isolation(self.flavor()), To::Value(value));
        Ok(())
    }

    /// All of them, and the schema.
    pub(super) async fn read_variables(&mut self) -> Result<()> {
        let sql = format!("{}{}, DATABASE()", self.anywhere(), stage::read_variables(self.flavor()));
        let value = |name| self.model.variables[name].as_deref().unwrap_or("NULL");
        let names = VARIABLES.into_iter().chain([isolation(self.flavor())]);
        let values: Vec<&str> = names.map(value).chain([SCHEMAS[self.model.schema]]).collect();
        let wanted = values.join("|");
        self.expect(sql, &wanted).await
    }

    /// What statements make of the variables.
    pub(super) async fn behave(&mut self) -> Result<()> {
        let hint = self.anywhere();
        let model = &self.model;
        let (sql, wanted) = match self.chance.below(9) {
            0 => {
                ("SELECT 'x' || 'y'", (if model.has_mode("PIPES_AS_CONCAT") { "xy" } else { "0" }).to_owned())
            }
            1 if model.has_mode("ANSI_QUOTES") => ("SELECT \"quoted\"", "error 1054".to_owned()),
            1 => ("SELECT \"quoted\"", "quoted".to_owned()),
            2 => (
                r"SELECT LENGTH('a\tb')",
                (if model.has_mode("NO_BACKSLASH_ESCAPES") { "4" } else { "3" }).to_owned(),
            ),
            3 => {
                let name = match model.text("lc_time_names") {
                    "de_DE" => "Mai",
                    "fr_FR" => "mai",
                    _ => "May",
                };
                ("SELECT MONTHNAME('2020-05-01')", name.to_owned())
            }
            4 => {
                let places: usize = model.text("div_precision_increment").parse()?;
                ("SELECT 1/3", format!("0.{}", "3".repeat(places)))
            }
            5 => {
                let time = match model.text("time_zone") {
                    "+03:00" => "03:00:00",
                    "-07:30" => "16:30:00",
                    "+01:00" => "01:00:00",
                    "+07:00" => "07:00:00",
                    _ => return self.read_variables().await,
                };
                ("SELECT TIME(FROM_UNIXTIME(0))", time.to_owned())
            }
            6 => {
                let letter = SCHEMAS[model.schema].trim_start_matches("soak_");
                let whole: String = (0..SHARED).map(|id| format!("{letter}{id:02}")).collect();
                let most: usize = model.text("group_concat_max_len").parse()?;
                let shown = whole[..whole.len().min(most)].to_owned();
                ("SELECT GROUP_CONCAT(v ORDER BY id SEPARATOR '') FROM shared", shown)
            }
            7 => {
                let sent = format!("SELECT HEX('é'), {}", self.number);
                let hex = match (model.text("character_set_client"), model.text("character_set_connection")) {
                    (_, "latin1") => "E9",
                    _ => "C3A9",
                };
                let wanted = format!("{hex}|{}", self.number);
                let sql = model.sent(&format!("{hint}{sent}"));
                return self.expect(sql, &wanted).await;
            }
            _ => {
                let shown = SHARED.min(model.row_limit());
                let rows: Vec<String> = (0..shown).map(|id| id.to_string()).collect();
                ("SELECT id FROM shared ORDER BY id", rows.join(";"))
            }
        };
        self.expect(format!("{hint}{sql}"), &wanted).await
    }

    /// Rows that nobody writes; the same name means another table in each schema.
    pub(super) async fn read_shared(&mut self) -> Result<()> {
        let (id, hint) = (self.chance.below(SHARED), self.anywhere());
        let letter = SCHEMAS[self.model.schema].trim_start_matches("soak_");
        let wanted = format!("{letter}{id:02}|{}", id + 1);
        self.expect(format!("{hint}SELECT v, soak_a.plus({id}) FROM shared WHERE id = {id}"), &wanted).await
    }

    // Transactions.

    pub(super) async fn begin(&mut self) -> Result<()> {
        let sql = if self.chance.once_in(2) { "BEGIN" } else { "START TRANSACTION" };
        self.ok(sql).await?;
        self.model.begin();
        Ok(())
    }

    pub(super) async fn end_transaction(&mut self) -> Result<()> {
        if self.chance.once_in(3) {
            self.ok("ROLLBACK").await?;
            self.model.roll_back();
        } else {
            self.ok("COMMIT").await?;
            self.model.commit();
        }
        Ok(())
    }

    pub(super) async fn savepoint(&mut self) -> Result<()> {
        const NO_SAVEPOINT: u16 = 1305;
        let name = self.chance.below(3);
        let (sql, there) = match self.chance.below(4) {
            0 => (format!("ROLLBACK TO SAVEPOINT s{name}"), self.model.back_to(name)),
            1 => (format!("RELEASE SAVEPOINT s{name}"), self.model.release(name)),
            _ => {
                self.model.save(name);
                (format!("SAVEPOINT s{name}"), true)
            }
        };
        if there { self.ok(sql).await.map(drop) } else { self.fails(sql, NO_SAVEPOINT).await }
    }

    pub(super) async fn switch_autocommit(&mut self) -> Result<()> {
        let on = !self.model.autocommits();
        self.ok(format!("SET autocommit = {}", u8::from(on))).await?;
        self.model.set_autocommit(on);
        Ok(())
    }

    /// A transaction of reads, all of which see the same. One that begins on a replica may be ended when it needs the
    /// primary.
    pub(super) async fn read_only(&mut self) -> Result<()> {
        self.ok("START TRANSACTION READ ONLY").await?;
        let sum: i64 = self.model.table().values().map(|row| row.a).sum();
        let wanted = format!("{}|{sum}", self.model.table().len());
        for _ in 0..1 + self.chance.below(3) {
            let sql = format!("SELECT COUNT(*), COALESCE(SUM(a), 0) FROM {}", self.own());
            let reply = self.ask(&sql).await?;
            if reply.error.as_ref().is_some_and(|error| error.code == DEADLOCK) {
                self.stage.count("read-only transactions ended");
                return Ok(());
            }
            ensure!(told(&reply) == wanted, "{sql}: {}, not {wanted}", told(&reply));
            self.think().await;
        }
        self.ok("COMMIT").await.map(drop)
    }

    /// Takes from one and gives to another, or neither.
    pub(super) async fn transfer(&mut self) -> Result<()> {
        let (from, to, much) = (self.chance.below(BANK.0), self.chance.below(BANK.0), self.chance.below(50));
        let kept = self.chance.once_in(4);
        self.ok("BEGIN").await?;
        for (id, sign) in [(from, '-'), (to, '+')] {
            let reply =
                self.ask(format!("UPDATE soak_a.bank SET v = v {sign} {much} WHERE id = {id}")).await?;
            if let Some(error) = reply.error {
                ensure!([DEADLOCK, LOCK_WAIT].contains(&error.code), "a transfer fails: {error}");
                self.stage.count("transfers rolled back");
                return self.ok("ROLLBACK").await.map(drop);
            }
        }
        self.ok(if kept { "ROLLBACK" } else { "COMMIT" }).await.map(drop)
    }

    /// Nobody sees a transfer that is under way.
    pub(super) async fn look_at_bank(&mut self) -> Result<()> {
        let hint = self.anywhere();
        let wanted = format!("{}|{}", BANK.0, BANK.0 * BANK.1);
        self.expect(format!("{hint}SELECT COUNT(*), SUM(v) FROM soak_a.bank"), &wanted).await
    }

    // Stored code.

    /// A procedure that sets variables, commits a row, and fails: its ERR tells nothing of that.
    pub(super) async fn call_fails(&mut self) -> Result<()> {
        let number = self.model.data.logged;
        self.fails(format!("CALL soak_a.fails({}, {number})", self.number), 1644).await?;
        self.model.commit();
        self.model.data.logged += 1;
        // What is committed now is what a rollback goes back to.
        self.model.commit();
        let length = Some((1_000 + number).to_string());
        self.model.variables.insert("group_concat_max_len", length);
        self.set_to("time_zone", To::Value("+07:00"));
        match self.chance.below(4) {
            0 => {
                let reply = self.ok("SHOW WARNINGS").await?;
                // MariaDB names the line in a note.
                let found = told(&reply);
                ensure!(found.starts_with("Error|1644|soaked"), "SHOW WARNINGS after SIGNAL: {found}");
            }
            1 => self.expect("SELECT ROW_COUNT()", "-1").await?,
            2 => self.read_variables().await?,
            _ => {}
        }
        Ok(())
    }

    /// A procedure that sets variables and shows two results.
    pub(super) async fn call_sets(&mut self) -> Result<()> {
        let places = 1 + self.chance.below(9);
        self.expect(format!("CALL soak_a.sets({places})"), &format!("{places}//a{places:02}//")).await?;
        self.model.variables.insert("div_precision_increment", Some(places.to_string()));
        self.set_to("lc_time_names", To::Value("fr_FR"));
        Ok(())
    }

    /// A trigger that sets a variable, whether its statement succeeds or fails.
    pub(super) async fn trigger(&mut self) -> Result<()> {
        let number = self.number;
        self.fails(format!("INSERT INTO soak_a.watched VALUES ({number}, 1), ({number}, 1)"), 1062).await?;
        self.set_to("default_week_format", To::Value("5"));
        if self.chance.once_in(2) { self.read_variables().await } else { Ok(()) }
    }

    // Questions and mistakes.

    pub(super) async fn warnings(&mut self) -> Result<()> {
        let hint = "/* headgate: primary */ ";
        self.expect(format!("{hint}SELECT CAST('12x' AS SIGNED)"), "12").await?;
        match self.chance.below(4) {
            0 => self.expect("SHOW COUNT(*) WARNINGS", "1").await,
            1 => self.expect_or_gone("SELECT @@warning_count", "1").await.map(drop),
            _ => {
                let reply = self.ok("SHOW WARNINGS").await?;
                ensure!(told(&reply).starts_with("Warning|1292|"), "SHOW WARNINGS: {}", told(&reply));
                Ok(())
            }
        }
    }

    pub(super) async fn mistakes(&mut self) -> Result<()> {
        match self.chance.below(4) {
            0 => self.fails("SELEKT 1", 1064).await?,
            1 => self.fails("SELECT nothing FROM shared", 1054).await?,
            2 => self.fails("INSERT INTO missing VALUES (1)", 1146).await?,
            _ => self.fails("SET sql_mode = 'nonsense'", 1231).await?,
        }
        match self.chance.below(3) {
            0 => self.expect("SHOW COUNT(*) ERRORS", "1").await,
            1 => self.expect("SELECT ROW_COUNT()", "-1").await,
            _ => Ok(()),
        }
    }

    /// Several statements in one. What they ask about each other may be refused where a replica ran the one before.
    pub(super) async fn several(&mut self) -> Result<()> {
        let (own, schema, rows) = (self.own(), self.model.schema, self.model.table().len());
        let sql = format!("UPDATE {own} SET a = a + 1; SELECT ROW_COUNT(); SELECT COUNT(*) FROM {own}");
        if self.expect_or_gone(&sql, &format!("//{rows}//{rows}")).await? {
            for row in self.model.data.tables[schema].values_mut() {
                row.a += 1;
            }
        }
        Ok(())
    }

    pub(super) async fn large(&mut self) -> Result<()> {
        let length = 1_000 + self.chance.below(400_000);
        let hint = self.anywhere();
        let reply = self.ok(format!("{hint}SELECT REPEAT('s', {length})")).await?;
        let found = reply.results[0][0][0].as_deref().map_or(0, <[u8]>::len);
        ensure!(found == length, "{found} bytes, not {length}");
        // What is longer is not read, and its session keeps its connection.
        let sent = length.min(200_000);
        let text = "s".repeat(sent);
        self.expect(format!("{hint}SELECT LENGTH('{text}')"), &sent.to_string()).await
    }
}
