//! Starts tasks. A task that panics is a bug: it is logged with its name, and takes nothing else down.

use tokio::task::JoinHandle;

/// Starts a task on the current runtime.
#[allow(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
pub fn spawn<F>(name: &'static str, work: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(async move {
        let mut guard = Unfinished { name: Some(name) };
        work.await;
        guard.name = None;
    })
}

/// Says so when a task unwinds.
struct Unfinished {
    name: Option<&'static str>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(name) = self.name
            && std::thread::panicking()
        {
            tracing::error!(task = name, "a task panicked; this is a bug in Headgate");
        }
    }
}

/// A task that ends with its owner.
#[derive(Debug)]
pub struct Owned(JoinHandle<()>);

impl Owned {
    /// Starts a task that is aborted when the returned value is dropped.
    pub fn spawn<F>(name: &'static str, work: F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self(spawn(name, work))
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}
