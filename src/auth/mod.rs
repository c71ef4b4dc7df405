//! Login methods, both sides, without IO. Pure.
