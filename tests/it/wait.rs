//! Waiting for what other threads and processes do: the one place where a test sleeps.
//!
//! A condition is checked again and again until it holds; a test that waits in vain fails and names the condition.

use std::time::{Duration, Instant};

/// The longest that a test waits.
const PATIENCE: Duration = Duration::from_secs(40);

/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until the condition holds.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    eventually_some(what, async || holds().await.then_some(())).await;
}

/// Waits until there is something; gives it.
pub async fn eventually_some<T>(what: &str, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find().await {
            return found;
        }
        assert!(Instant::now() < until, "not in time: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// As [`eventually`], without a runtime.
pub fn eventually_blocking(what: &str, holds: impl FnMut() -> bool) {
    assert!(holds_in_time(holds), "not in time: {what}");
}

/// Whether the condition holds before patience ends: for a `drop`, which must not panic.
pub fn holds_in_time(mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}
