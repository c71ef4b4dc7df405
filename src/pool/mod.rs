//! Backend connections that wait for their next session.
