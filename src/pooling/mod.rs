//! Which idle connection serves a session, and what must be sent first. Pure.
