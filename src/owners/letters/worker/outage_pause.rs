//! Rest: while the mail server takes nothing, one batch asks after it now and then, and all other letters wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

/// The rest of a worker.
#[derive(Debug, Default)]
pub struct OutagePause(Mutex<PauseState>);

#[derive(Debug, Default)]
struct PauseState {
    /// Batches in a row that met a server that takes nothing.
    batches: i32,
    until: Option<OffsetDateTime>,
}

impl OutagePause {
    /// Whether the worker rests.
    pub(super) fn is_on(&self, now: OffsetDateTime) -> bool {
        self.state().until.is_some_and(|until| now < until)
    }

    /// The server takes nothing: rests, longer each time, and says until when. Letters of one batch are one time.
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

    /// The server takes letters.
    pub(super) fn end(&self) {
        *self.state() = PauseState::default();
    }

    fn state(&self) -> MutexGuard<'_, PauseState> {
        // Two numbers: a panic elsewhere leaves them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
