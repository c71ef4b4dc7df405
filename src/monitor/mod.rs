//! Watches the servers and publishes what it sees as snapshots.
