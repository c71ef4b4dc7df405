//! Which server a statement runs on, and why. Pure.
