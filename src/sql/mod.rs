//! What a statement is, from its bytes. Pure.
