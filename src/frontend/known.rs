//! Passwords of users with sessions, so that further connections can be opened in their name.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::auth::Secret;

/// The secrets of users with sessions. Sessions own them; with the last session of a user its secret is
/// wiped, and only an empty entry is left until the next sweep.
#[derive(Debug, Default)]
pub struct KnownSecrets(Mutex<HashMap<Box<[u8]>, Weak<Secret>>>);

/// Entries at which empty ones are swept out.
const SWEEP_AT: usize = 1024;

impl KnownSecrets {
    /// The secret last proven for `user`, if a session still holds it.
    #[must_use]
    pub fn get(&self, user: &[u8]) -> Option<Arc<Secret>> {
        self.0.lock().get(user)?.upgrade()
    }

    /// Remembers a secret that a server has just accepted. Sessions of the same user with the same
    /// secret share one copy.
    #[must_use]
    pub fn remember(&self, user: &[u8], secret: Secret) -> Arc<Secret> {
        let mut known = self.0.lock();
        if let Some(same) = known.get(user).and_then(Weak::upgrade).filter(|held| held.same_as(&secret)) {
            return same;
        }
        if known.len() >= SWEEP_AT {
            known.retain(|_, held| held.strong_count() > 0);
        }
        let secret = Arc::new(secret);
        known.insert(user.into(), Arc::downgrade(&secret));
        secret
    }

    /// Forgets what is known of `user`: the primary has refused it.
    pub fn forget(&self, user: &[u8]) {
        self.0.lock().remove(user);
    }
}
