//! How long a server is waited for.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::start_error::StartError;

/// How long a server may take to be ready (crash recovery included) or to go away.
pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two looks at a server.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Sleeps until the next look, unless the deadline has passed; `log` is where the server writes.
pub(super) fn sleep_until_deadline(
    deadline: Instant,
    log: impl FnOnce() -> PathBuf,
) -> Result<(), StartError> {
    if Instant::now() >= deadline {
        return Err(StartError::Slow {
            seconds: READY_TIMEOUT.as_secs(),
            log: log(),
        });
    }
    sleep(POLL_INTERVAL);
    Ok(())
}
