//! The MySQL client/server protocol: packets, heads, reply tracking. Pure.
