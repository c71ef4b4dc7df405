//! A small shop.

use anyhow::Result;
use headgate::lab::Cluster;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

pub(crate) const SCHEMA: &str = "shop";
pub(crate) const PRODUCTS: u32 = 100;
pub(crate) const CUSTOMERS: u32 = 200;

/// What an administrator does once, on the primary: the schema and the rights to use it.
pub(crate) async fn prepare(cluster: &Cluster) -> Result<()> {
    let (app, control) = (cluster.accounts().app.user, cluster.accounts().control.user);
    for statement in [
        format!("CREATE DATABASE {SCHEMA}"),
        format!("GRANT ALL ON {SCHEMA}.* TO {app}@'%'"),
        // So that Headgate can see that the shop's view only reads.
        format!("GRANT SELECT, SHOW VIEW ON {SCHEMA}.* TO {control}@'%'"),
    ] {
        cluster.primary().sql(statement).await?;
    }
    // Rights reach the replicas as rows do; the first reads are to find them there.
    cluster.wait_caught_up(std::time::Duration::from_secs(30)).await?;
    Ok(())
}

/// Tables and rows, through Headgate.
pub(crate) async fn fill(opts: &Opts) -> Result<()> {
    let mut conn = Conn::new(opts.clone()).await?;
    for definition in DEFINITIONS {
        conn.query_drop(definition).await?;
    }
    let products: Vec<String> =
        (1..=PRODUCTS).map(|id| format!("({id}, 'product {id}', {}, 1000, 0)", 100 + id * 7 % 900)).collect();
    conn.query_drop(format!("INSERT INTO products VALUES {}", products.join(","))).await?;
    let customers: Vec<String> = (1..=CUSTOMERS).map(|id| format!("({id}, 'customer {id}', 0)")).collect();
    conn.query_drop(format!("INSERT INTO customers VALUES {}", customers.join(","))).await?;
    conn.query_drop("INSERT INTO orders (customer, product, quantity) VALUES (1, 1, 1)").await?;
    conn.query_drop("UPDATE products SET sold = 1 WHERE id = 1").await?;
    conn.disconnect().await?;
    Ok(())
}

const DEFINITIONS: [&str; 4] = [
    "CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(80) NOT NULL, price INT NOT NULL, stock INT NOT NULL, \
     sold INT NOT NULL)",
    "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(80) NOT NULL, visits INT NOT NULL)",
    "CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, product INT NOT NULL, \
     quantity INT NOT NULL, KEY (customer))",
    "CREATE VIEW bestsellers AS SELECT name, sold FROM products ORDER BY sold DESC LIMIT 10",
];
