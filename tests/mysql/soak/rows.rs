//! A client's own rows: it sees what it has written, and nothing else.

use anyhow::{Result, ensure};

use super::guest::{Guest, told};
use super::model::Row;

/// More rows than this are not put into a table.
const MOST: usize = 40;

/// Values of the unique column.
const KEYS: usize = 200;

/// ER_DUP_ENTRY.
const DUPLICATE: u16 = 1062;

impl Guest {
    /// The client's table.
    pub(super) fn own(&self) -> String {
        format!("t{}", self.number)
    }

    /// Sends a read to the primary, now and then.
    pub(super) fn anywhere(&mut self) -> &'static str {
        if self.chance.once_in(5) { "/* headgate: primary */ " } else { "" }
    }

    /// A row that the table does not have yet.
    pub(super) fn new_row(&mut self, besides: &[Row]) -> Row {
        loop {
            let k = u32::try_from(self.chance.below(KEYS)).unwrap();
            let taken = self.model.table().values().chain(besides).any(|row| row.k == k);
            if !taken {
                let a = i64::try_from(self.chance.below(2_000)).unwrap() - 1_000;
                let accent = if self.chance.once_in(3) { "é" } else { "" };
                return Row { k, a, b: format!("b{k}{accent}") };
            }
        }
    }

    fn has_room(&self) -> bool {
        self.model.table().len() < MOST
    }

    /// Inserts rows, whose ids the OK tells.
    pub(super) async fn insert(&mut self, count: usize) -> Result<()> {
        if !self.has_room() {
            return self.delete().await;
        }
        let mut rows = Vec::new();
        for _ in 0..count {
            rows.push(self.new_row(&rows));
        }
        let values: Vec<String> =
            rows.iter().map(|row| format!("({}, {}, '{}')", row.k, row.a, row.b)).collect();
        let sql = format!("INSERT INTO {} (k, a, b) VALUES {}", self.own(), values.join(", "));
        let reply = self.ok(self.model.sent(&sql)).await?;
        ensure!(reply.affected == count as u64, "{} rows inserted, not {count}", reply.affected);
        self.inserted(reply.insert_id, rows)?;
        self.ask_back(i64::try_from(count)?).await
    }

    /// The primary has given new rows ids from this one on.
    pub(super) fn inserted(&mut self, first: u64, rows: Vec<Row>) -> Result<()> {
        let schema = self.model.schema;
        self.inserted_into(schema, first, rows)
    }

    pub(super) fn inserted_into(&mut self, schema: usize, first: u64, rows: Vec<Row>) -> Result<()> {
        let highest = self.model.highest[schema];
        ensure!(first > highest, "id {first} was given before: {highest} was the highest");
        for (id, row) in (first..).zip(rows) {
            self.model.data.tables[schema].insert(id, row);
            self.model.highest[schema] = id;
        }
        self.model.insert_id = Some(first);
        Ok(())
    }

    pub(super) async fn insert_several(&mut self) -> Result<()> {
        let count = 2 + self.chance.below(3);
        self.insert(count).await
    }

    /// Asks about the statement before, which has changed so many rows without a warning.
    pub(super) async fn ask_back(&mut self, row_count: i64) -> Result<()> {
        match self.chance.below(8) {
            0 => self.expect("SELECT ROW_COUNT()", &row_count.to_string()).await,
            1 | 2 => self.read_insert_id().await,
            3 => self.expect("SHOW WARNINGS", "").await,
            4 => self.expect("SHOW COUNT(*) WARNINGS", "0").await,
            5 => {
                self.expect("SELECT ROW_COUNT()", &row_count.to_string()).await?;
                self.read_insert_id().await
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn read_insert_id(&mut self) -> Result<()> {
        let reply = self.ok("SELECT LAST_INSERT_ID()").await?;
        let found: u64 = told(&reply).parse()?;
        let wanted = *self.model.insert_id.get_or_insert(found);
        ensure!(found == wanted, "LAST_INSERT_ID() is {found}, not {wanted}");
        Ok(())
    }

    /// An INSERT that fails, perhaps after it has inserted something.
    pub(super) async fn insert_duplicate(&mut self) -> Result<()> {
        let Some(there) = self.model.table().values().next().cloned() else { return self.insert(1).await };
        let fresh = self.new_row(&[]);
        let second = self.chance.once_in(2);
        let first = if second { &fresh } else { &there };
        let sql = format!("INSERT INTO {} (k, a) VALUES ({}, 0), ({}, 0)", self.own(), first.k, there.k);
        self.fails(&sql, DUPLICATE).await?;
        if second {
            // The id of the first row, which was rolled back with the statement.
            self.model.insert_id = None;
        }
        match self.chance.below(4) {
            0 => {
                let reply = self.ok("SHOW WARNINGS").await?;
                let found = told(&reply);
                ensure!(found.starts_with("Error|1062|"), "SHOW WARNINGS after a duplicate: {found}");
            }
            1 => self.expect("SELECT ROW_COUNT()", "-1").await?,
            2 => self.read_insert_id().await?,
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn update(&mut self) -> Result<()> {
        let (below, by) = (u32::try_from(self.chance.below(KEYS))?, 1 + self.chance.below(9));
        let sql = format!("UPDATE {} SET a = a + {by} WHERE k < {below}", self.own());
        let schema = self.model.schema;
        let mut changed = 0;
        for row in self.model.data.tables[schema].values_mut().filter(|row| row.k < below) {
            row.a += i64::try_from(by)?;
            changed += 1;
        }
        self.changes(&sql, changed).await?;
        self.ask_back(i64::try_from(changed)?).await
    }

    pub(super) async fn delete(&mut self) -> Result<()> {
        let from = u32::try_from(self.chance.below(KEYS))?;
        let sql = format!("DELETE FROM {} WHERE k BETWEEN {from} AND {}", self.own(), from + 60);
        let schema = self.model.schema;
        let before = self.model.table().len();
        self.model.data.tables[schema].retain(|_, row| !(from..=from + 60).contains(&row.k));
        let changed = before - self.model.table().len();
        self.changes(&sql, changed).await?;
        self.ask_back(i64::try_from(changed)?).await
    }

    /// DDL, which commits.
    pub(super) async fn truncate(&mut self) -> Result<()> {
        self.ok(format!("TRUNCATE TABLE {}", self.own())).await?;
        let schema = self.model.schema;
        self.model.data.tables[schema].clear();
        self.model.highest[schema] = 0;
        self.model.commit();
        Ok(())
    }

    /// All rows of the current schema, as far as the session wants to be shown them.
    pub(super) async fn read_rows(&mut self, on_primary: bool) -> Result<()> {
        let hint = if on_primary { "/* headgate: primary */ " } else { self.anywhere() };
        let (limit, own) = (self.model.row_limit(), self.own());
        if self.chance.once_in(3) && !on_primary {
            let sum: i64 = self.model.table().values().map(|row| row.a).sum();
            let sql = format!("{hint}SELECT COUNT(*), COALESCE(SUM(a), 0) FROM {own}");
            let wanted = format!("{}|{sum}", self.model.table().len());
            return self.expect(sql, &wanted).await;
        }
        let rows: Vec<String> = self
            .model
            .table()
            .iter()
            .take(limit)
            .map(|(id, row)| {
                format!("{id}|{}|{}|{}", row.k, row.a, self.model.received(&row.b).escape_ascii())
            })
            .collect();
        self.expect(format!("{hint}SELECT id, k, a, b FROM {own} ORDER BY id"), &rows.join(";")).await?;
        match self.chance.below(6) {
            0 if hint.is_empty() => {
                self.expect_or_gone("SELECT FOUND_ROWS()", &rows.len().to_string()).await.map(drop)
            }
            0 => self.expect("SELECT FOUND_ROWS()", &rows.len().to_string()).await,
            1 => self.expect_or_gone("SELECT ROW_COUNT()", "-1").await.map(drop),
            2 => self.read_insert_id().await,
            _ => Ok(()),
        }
    }

    /// Counts up with LAST_INSERT_ID(), as people without sequences do.
    pub(super) async fn count_up(&mut self) -> Result<()> {
        let number = self.number;
        let sql = format!("UPDATE soak_a.counters SET n = LAST_INSERT_ID(n + 1) WHERE client = {number}");
        let reply = self.changes(&sql, 1).await?;
        self.model.data.counter += 1;
        let count = self.model.data.counter;
        ensure!(reply.insert_id == count, "the OK says {}, not {count}", reply.insert_id);
        self.model.insert_id = Some(count);
        self.ask_back(1).await
    }

    /// What is written down of the client in tables that it shares with others.
    pub(super) async fn read_books(&mut self) -> Result<()> {
        let (number, hint) = (self.number, self.anywhere());
        let sql = format!(
            "{hint}SELECT (SELECT n FROM soak_a.counters WHERE client = {number}), (SELECT COUNT(*) FROM soak_a.log \
             WHERE client = {number}), (SELECT COUNT(*) FROM soak_a.limbo WHERE client = {number})"
        );
        let wanted = format!("{}|{}|{}", self.model.data.counter, self.model.data.logged, self.vanished);
        self.expect(sql, &wanted).await
    }
}
