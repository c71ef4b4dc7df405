//! Passwords of users with sessions, so that further connections can be opened in their name.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::auth::Secret;
use crate::runtime::locked::{LockedBytes, LockedMemory, StoreError};

/// The secrets of users with sessions, in locked memory. Sessions own them; with the last session of a
/// user its secret is wiped, and only an empty entry is left until the next sweep.
#[derive(Debug)]
pub struct KnownSecrets {
    memory: LockedMemory,
    users: Mutex<HashMap<Box<[u8]>, Weak<LockedBytes>>>,
}

/// Entries at which empty ones are swept out.
const SWEEP_AT: usize = 1024;

impl KnownSecrets {
    /// Knows nobody yet.
    #[must_use]
    pub fn new(memory: LockedMemory) -> Self {
        Self { memory, users: Mutex::default() }
    }

    /// The secret last proven for `user`, if a session still holds it.
    #[must_use]
    pub fn get(&self, user: &[u8]) -> Option<Secret> {
        let held = self.users.lock().get(user)?.upgrade()?;
        held.read(Secret::decode)
    }

    /// Remembers a secret that a server has just accepted. Sessions of the same user with the same
    /// secret share one copy.
    ///
    /// # Errors
    /// Where there is no room in locked memory.
    pub fn remember(&self, user: &[u8], secret: &Secret) -> Result<Arc<LockedBytes>, StoreError> {
        let encoded = secret.encode();
        let mut users = self.users.lock();
        let same = |held: &Arc<LockedBytes>| held.read(|bytes| bytes == encoded.as_slice());
        if let Some(held) = users.get(user).and_then(Weak::upgrade).filter(same) {
            return Ok(held);
        }
        if users.len() >= SWEEP_AT {
            users.retain(|_, held| held.strong_count() > 0);
        }
        let held = Arc::new(self.memory.store(&encoded)?);
        users.insert(user.into(), Arc::downgrade(&held));
        Ok(held)
    }

    /// Forgets what is known of `user`: the primary has refused it.
    pub fn forget(&self, user: &[u8]) {
        self.users.lock().remove(user);
    }
}
