//! The one place where time is read. Decisions get it as an argument.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use tokio::time::Sleep;

/// Now, on the monotonic clock. Follows tokio's paused clock in tests.
#[must_use]
#[inline]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What the clock on the wall says. For people: nothing is decided by it.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// A timer for what nearly always comes first. It goes on through many waits and is set anew only when it has run
/// out: setting a timer costs more than most of what is waited for.
#[derive(Debug, Default)]
pub struct LazyTimer(Option<Pin<Box<Sleep>>>);

impl LazyTimer {
    /// Ready when `due` has come.
    pub fn poll_due(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let due = tokio::time::Instant::from_std(due);
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() > due {
            // An earlier wait was to be longer.
            timer.as_mut().reset(due);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if tokio::time::Instant::now() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
    }
}

/// A wait that went past its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {limit:?}")]
pub struct Late {
    /// How long was waited.
    pub limit: Duration,
}

/// Runs `work` for at most `limit`.
pub async fn within<F: Future>(limit: Duration, work: F) -> Result<F::Output, Late> {
    tokio::time::timeout(limit, work).await.map_err(|_| Late { limit })
}

/// Like [`within`], but takes no timer where `work` is done at once, as a write to a socket with room
/// is. For the relay path.
pub async fn within_if_slow<F: Future>(limit: Duration, work: F) -> Result<F::Output, Late> {
    let mut work = std::pin::pin!(work);
    let at_once = std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
    match at_once {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => within(limit, work).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_timer_serves_many_waits() {
        let mut timer = LazyTimer::default();
        let begun = now();
        for due in [5, 7, 6, 30, 20] {
            let due = begun + Duration::from_secs(due);
            std::future::poll_fn(|cx| timer.poll_due(due, cx)).await;
            assert!(
                now() >= due && now() <= due.max(begun + Duration::from_secs(30)) + Duration::from_millis(2)
            );
        }
        // A long wait that was left alone does not hold up a shorter one.
        let start = now();
        let long = std::future::poll_fn(|cx| timer.poll_due(start + Duration::from_secs(60), cx));
        assert!(within(Duration::from_secs(1), long).await.is_err());
        std::future::poll_fn(|cx| timer.poll_due(start + Duration::from_secs(2), cx)).await;
        assert!(now() - start < Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn slow_work_is_cut_and_quick_work_is_not() {
        let limit = Duration::from_secs(1);
        assert_eq!(within_if_slow(limit, async { 7 }).await, Ok(7));
        assert_eq!(within_if_slow(limit, sleep(limit / 2)).await, Ok(()));
        assert_eq!(within_if_slow(limit, sleep(limit * 2)).await, Err(Late { limit }));
    }
}
