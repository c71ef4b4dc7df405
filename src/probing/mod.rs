//! What to ask a server and what its answers mean. Pure.
