//! GTID sets of MySQL and GTID positions of MariaDB. Pure.
