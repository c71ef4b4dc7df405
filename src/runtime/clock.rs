//! The one place where time is read. Decisions get it as an argument.

use std::time::{Duration, Instant};

/// Now, on the monotonic clock. Follows tokio's paused clock in tests.
#[must_use]
#[inline]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits for `duration`.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
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
    let at_once = std::future::poll_fn(|cx| std::task::Poll::Ready(work.as_mut().poll(cx))).await;
    match at_once {
        std::task::Poll::Ready(output) => Ok(output),
        std::task::Poll::Pending => within(limit, work).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slow_work_is_cut_and_quick_work_is_not() {
        let limit = Duration::from_secs(1);
        assert_eq!(within_if_slow(limit, async { 7 }).await, Ok(7));
        assert_eq!(within_if_slow(limit, sleep(limit / 2)).await, Ok(()));
        assert_eq!(within_if_slow(limit, sleep(limit * 2)).await, Err(Late { limit }));
    }
}
