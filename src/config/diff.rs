//! What a reload would change.

use std::fmt;

use super::key::{Key, Reload};
use super::keys::{Config, KEYS};

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: &'static Key,
    /// Before and after, as one would write them; `None` where the key is left out.
    pub from: Option<String>,
    pub to: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
        write!(f, "{}: {} -> {}", self.key.name, written(&self.from), written(&self.to))
    }
}

/// What to do about a changed configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReloadPlan {
    /// Changes a running Headgate takes up.
    pub apply: Vec<Change>,
    /// Changes that wait for the next start.
    pub needs_restart: Vec<Change>,
}

impl ReloadPlan {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.apply.is_empty() && self.needs_restart.is_empty()
    }
}

/// Compares two configurations key by key.
///
/// Files that a key names (certificates, the password file) may have changed although the key did not;
/// a reload reads them again whatever the plan says.
pub fn diff(old: &Config, new: &Config) -> ReloadPlan {
    let mut plan = ReloadPlan::default();
    for key in KEYS.iter().filter(|key| !(key.same)(old, new)) {
        let change = Change { key, from: key.show(old), to: key.show(new) };
        match key.reload {
            Reload::Live => plan.apply.push(change),
            Reload::Restart => plan.needs_restart.push(change),
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn equal_configurations_need_nothing() {
        assert!(diff(&Config::default(), &Config::default()).is_empty());
    }

    #[test]
    fn changes_are_sorted_by_what_they_need() {
        let old = Config::default();
        let mut new = old.clone();
        new.routing.max_lag = Duration::from_millis(500);
        new.servers.ca = Some("/etc/headgate/ca.pem".into());
        new.runtime.workers = 3;

        let plan = diff(&old, &new);
        let told = |changes: &[Change]| -> Vec<String> { changes.iter().map(Change::to_string).collect() };
        assert_eq!(
            told(&plan.apply),
            ["servers.ca: not set -> \"/etc/headgate/ca.pem\"", "routing.max_lag: \"10s\" -> \"500ms\""]
        );
        assert_eq!(told(&plan.needs_restart), ["runtime.workers: 0 -> 3"]);
        assert_eq!(diff(&new, &old).apply.len(), 2, "the way back is as long");
    }
}
