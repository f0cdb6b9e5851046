//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// The wish that this process stops.
pub struct ShutdownSignal;

impl ShutdownSignal {
    /// Waits for SIGTERM or SIGINT.
    pub async fn requested() {
        let wait = |kind| async move {
            match signal(kind) {
                Ok(mut signals) => drop(signals.recv().await),
                // Without handlers the default stands: the signal ends the process.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait(SignalKind::terminate()) => {}
            () = wait(SignalKind::interrupt()) => {}
        }
    }
}
