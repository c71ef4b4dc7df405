//! What a session has changed, and how far it has read and written. Pure.
