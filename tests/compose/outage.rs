//! The primary's container is killed and started again, as the README has it.

use super::demo::{Demo, LIMIT, PATIENCE, QUESTION, SERVERS};
use super::{becomes, now, succeed};

impl Demo {
    /// `docker compose kill primary`: another server takes over, the shop goes on and has lost nothing.
    /// `docker compose start primary`: it comes back as a replica.
    pub(crate) fn survives_its_primary(&self) {
        self.may_fail_over();
        let before = self.orders();
        let since = now();
        succeed(self.compose(LIMIT).args(["kill", "primary"]));
        assert_eq!(self.inspect("primary", "{{.State.Status}}").unwrap(), "exited");
        // This waits for the next primary, as everybody who writes does.
        self.through("INSERT INTO orders (item, pieces) VALUES ('in between', 1)");
        println!("kill primary: an order is taken after {:?}", since.elapsed());
        let new = self.console("SELECT address FROM servers WHERE role = 'primary'");
        assert!(["replica1:3306", "replica2:3306"].contains(&new.as_str()), "the primary is {new}");
        let sells = becomes(PATIENCE, || self.orders() > before + 5);
        assert!(sells, "the shop does not go on: {} orders, {before} before", self.orders());
        self.has_all_orders();
        assert_eq!(self.inspect("primary", "{{.State.Status}}").unwrap(), "exited", "it was left alone");

        succeed(self.compose(LIMIT).args(["start", "primary"]));
        let back = "SELECT role FROM servers WHERE address = 'primary:3306'";
        let mut role = String::new();
        let follows = becomes(PATIENCE, || {
            role = self.console(back);
            role == "replica"
        });
        let kept_out = self.console("SELECT address, why FROM quarantine");
        assert!(follows, "what was the primary is {role}; {kept_out}");
        self.becomes_healthy("primary");
        assert_eq!(format!("{}:3306", self.primary()), new);
        self.has_all_orders();
        let roles = self.console("SELECT address, role FROM servers");
        for server in SERVERS.map(|server| format!("{server}:3306")) {
            let role = if server == new { "primary" } else { "replica" };
            assert!(roles.contains(&format!("{server}\t{role}")), "{roles}");
        }
        println!("{roles}");
        println!("{}", self.console("SELECT at, phase, what FROM failovers ORDER BY number"));
        println!("{}", self.shop_says());
    }

    /// Headgate has the grants and hears of every replica often enough.
    fn may_fail_over(&self) {
        let mut state = String::new();
        let ready = becomes(PATIENCE, || {
            state = self.console("SELECT phase, mode, silence_ms, why FROM failover");
            state.starts_with("Healthy\tavailable\t3000")
        });
        assert!(ready, "failover is not ready: {state}");
    }

    /// Every order of which the shop was told is on every server that runs.
    fn has_all_orders(&self) {
        let told = self.shop_says();
        let orders: Vec<&str> = told
            .lines()
            .filter_map(|line| line.split_once("order ")?.1.split_once(':'))
            .map(|(number, _)| number)
            .collect();
        assert!(!orders.is_empty(), "the shop has not sold anything:\n{told}");
        let there = format!("SELECT COUNT(*) FROM shop.orders WHERE id IN ({})", orders.join(","));
        for server in SERVERS {
            if self.inspect(server, "{{.State.Status}}").unwrap() != "running" {
                continue;
            }
            let all = becomes(PATIENCE, || self.ask(server, &there) == orders.len().to_string());
            assert!(all, "orders are missing on {server}; the shop was told:\n{told}");
        }
    }

    fn shop_says(&self) -> String {
        succeed(self.compose(QUESTION).args(["logs", "--no-color", "shop"]))
    }
}
