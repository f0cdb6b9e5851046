//! Limits repeated warnings: similar ones are written a few times and then summed up, because a failing database causes
//! hundreds a second.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

/// For how long warnings are summed up.
pub(super) const WINDOW: Duration = Duration::from_secs(10);

/// How often warnings that are alike are written in a window.
const WRITTEN: u64 = 5;

/// Kinds of warnings that are remembered; warnings of further kinds are all written.
const MAX_KINDS: usize = 1_000;

/// Fields that tell warnings of one kind apart.
const IDENTIFIERS: [&str; 2] = ["request_id", "access_key_id"];

/// Warnings of the present window, by kind.
pub(super) struct RepeatedWarnings(Mutex<Option<HashMap<u64, Kind>>>);

/// Warnings that are alike.
struct Kind {
    since: Instant,
    seen: u64,
    level: Level,
    text: EventText,
}

impl RepeatedWarnings {
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Logs how often each kind of warning was left out whose first is so old.
    pub fn log_sums(&self, age: Duration) {
        // A warning of the sum's own must find the lock free.
        let ended: Vec<Kind> = self
            .kinds()
            .get_or_insert_default()
            .extract_if(|_, kind| kind.since.elapsed() >= age)
            .map(|(_, kind)| kind)
            .collect();
        for Kind {
            since,
            seen,
            level,
            text: EventText { message, fields },
        } in ended
        {
            let Some(repeated) = seen.checked_sub(WRITTEN).filter(|left| *left > 0) else {
                continue;
            };
            let seconds = since.elapsed().as_secs_f64().ceil();
            match level {
                Level::ERROR => tracing::error!(
                    repeated,
                    fields,
                    "{message}: repeated {repeated} times in the last {seconds} s"
                ),
                _ => tracing::warn!(
                    repeated,
                    fields,
                    "{message}: repeated {repeated} times in the last {seconds} s"
                ),
            }
        }
    }

    /// Whether an event is written; it is counted otherwise.
    fn admit(&self, event: &Event<'_>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN {
            return true;
        }
        let mut text = EventText::default();
        event.record(&mut text);
        let mut hasher = DefaultHasher::new();
        (metadata.callsite(), &text).hash(&mut hasher);
        let mut kinds = self.kinds();
        let kinds = kinds.get_or_insert_default();
        let key = hasher.finish();
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&key) {
            return true;
        }
        let kind = kinds.entry(key).or_insert_with(|| Kind {
            since: Instant::now(),
            seen: 0,
            level: *metadata.level(),
            text,
        });
        kind.seen += 1;
        kind.seen <= WRITTEN
    }

    fn kinds(&self) -> MutexGuard<'_, Option<HashMap<u64, Kind>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an event says, without what tells it apart from others of its kind.
#[derive(Default, Hash)]
struct EventText {
    message: String,
    fields: String,
}

impl Visit for EventText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        match field.name() {
            "message" => write!(self.message, "{value:?}").ok(),
            name if IDENTIFIERS.contains(&name) => None,
            name => write!(self.fields, "{name}={value:?} ").ok(),
        };
    }
}

/// Lets an event pass, or counts it.
pub(super) struct RepeatFilter(pub &'static RepeatedWarnings);

impl<S: Subscriber> Layer<S> for RepeatFilter {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.0.admit(event)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let mut text = EventText::default();
            event.record(&mut text);
            self.0.lock().unwrap().push(text.message);
        }
    }

    #[test]
    fn warnings_that_are_alike_are_summed_up_and_others_are_not() {
        let repeats: &'static RepeatedWarnings = Box::leak(Box::new(RepeatedWarnings::new()));
        let lines = Lines::default();
        let log = tracing_subscriber::registry()
            .with(lines.clone())
            .with(RepeatFilter(repeats));
        let taken = || std::mem::take(&mut *lines.0.lock().unwrap());
        tracing::subscriber::with_default(log, || {
            for request_id in 0..100 {
                tracing::warn!(request_id, fault = "gone", "no intent");
                tracing::info!("a call");
            }
            tracing::warn!(request_id = 1, fault = "full", "no intent");
            let written = taken();
            let count = |line: &str| written.iter().filter(|one| *one == line).count();
            assert_eq!(count("a call"), 100);
            assert_eq!(count("no intent"), 6);

            repeats.log_sums(WINDOW);
            assert!(taken().is_empty());
            repeats.log_sums(Duration::ZERO);
            assert_eq!(taken(), ["no intent: repeated 95 times in the last 1 s"]);
            tracing::warn!(request_id = 7, fault = "gone", "no intent");
            assert_eq!(taken(), ["no intent"]);
        });
    }
}
