//! A pause while the mail server is down: one batch probes it now and then, and all other letters wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

/// The pause of a worker.
#[derive(Debug, Default)]
pub struct OutagePause(Mutex<PauseState>);

#[derive(Debug, Default)]
struct PauseState {
    /// Batches in a row that met a server that is down.
    batches: i32,
    until: Option<OffsetDateTime>,
}

impl OutagePause {
    /// Whether the worker pauses.
    pub(super) fn is_on(&self, now: OffsetDateTime) -> bool {
        self.state().until.is_some_and(|until| now < until)
    }

    /// The server is down: pauses, longer each time, and returns until when. The letters of one batch count once.
    pub(super) fn begin(
        &self,
        now: OffsetDateTime,
        pause: impl FnOnce(i32) -> Duration,
    ) -> OffsetDateTime {
        let mut state = self.state();
        match state.until {
            Some(until) if now < until => until,
            Some(_) | None => {
                state.batches = state.batches.saturating_add(1);
                let until = now + pause(state.batches);
                state.until = Some(until);
                until
            }
        }
    }

    /// The server is up again.
    pub(super) fn end(&self) {
        *self.state() = PauseState::default();
    }

    fn state(&self) -> MutexGuard<'_, PauseState> {
        // Two numbers: a panic elsewhere leaves them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
