//! The configuration file: read, checked as a whole, compared. Pure.
