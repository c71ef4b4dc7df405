//! Thousands of clients that come and go.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::stage::{MOST_IDLE, Stage, becomes};

const CLIENTS: usize = 5000;
const AT_ONCE: usize = 32;

/// Half of them log in and say nothing more; the others do not even log in.
fn come_and_go(stage: &Stage, clients: usize) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= clients {
                        return;
                    }
                    let mut client = stage.greeted();
                    match number % 4 {
                        0 => client.log_in().unwrap(),
                        1 => {
                            client.log_in().unwrap();
                            assert_eq!(client.query("SELECT 3"), Ok(Some("3".to_owned())));
                        }
                        2 => client.send_raw(&[7, 0, 0, 1, 0x85]),
                        _ => {}
                    }
                }
            });
        }
    });
}

#[test]
fn thousands_of_dropped_connections_leave_nothing() {
    let stage = Stage::new();
    // What is allocated once and kept is there after the first few hundred.
    come_and_go(&stage, 400);
    becomes("the first have gone", || stage.sessions() == 0.0);
    let before = (stage.descriptors(), stage.memory());
    come_and_go(&stage, CLIENTS);
    stage.is_unharmed();
    becomes("descriptors are closed", || stage.descriptors() <= before.0 + MOST_IDLE);
    println!("descriptors and KiB: {before:?}, then {:?}", (stage.descriptors(), stage.memory()));
    let grown = stage.memory().saturating_sub(before.1);
    assert!(grown < 16 * 1024, "memory has grown by {grown} KiB since the first {:?}", before);
}
