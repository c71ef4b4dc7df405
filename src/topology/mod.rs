//! The servers as last seen: roles, replication, freshness. Pure.
