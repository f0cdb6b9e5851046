//! The log: one line per event on standard error, as text or as JSON.
//!
//! Logging never waits and never fails: a separate thread writes the lines, and drops and counts those that it cannot
//! write in time.

mod queue;
mod repeats;

use std::{
    backtrace::Backtrace,
    io::{self, IsTerminal},
    panic,
    time::Duration,
};

use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

use self::{
    queue::LineQueue,
    repeats::{RepeatFilter, RepeatedWarnings},
};

/// How long the lines of the end may take to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

static LINES: LineQueue = LineQueue::new();
static REPEATS: RepeatedWarnings = RepeatedWarnings::new();

/// The format of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    #[default]
    Json,
}

/// When dropped, writes the remaining lines, for at most 1 second.
#[must_use = "lines of the end are lost without it"]
pub struct LogGuard;

impl Drop for LogGuard {
    fn drop(&mut self) {
        REPEATS.log_sums(Duration::ZERO);
        LINES.flush(FLUSH_TIMEOUT);
    }
}

/// Starts the log, once per process. A filter that cannot be read means `info`.
///
/// # Errors
/// The operating system cannot start a thread.
pub fn start_logging(format: LogFormat, filter: &str) -> io::Result<LogGuard> {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let is_coloured = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = fmt::layer::<Registry>()
        .with_ansi(is_coloured)
        .with_writer(|| &LINES);
    let log = match format {
        LogFormat::Text => log.boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let log = tracing_subscriber::registry()
        .with(log)
        .with(RepeatFilter(&REPEATS))
        .with(filter);
    // A second start in one process keeps the first.
    if log.try_init().is_ok() {
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                let upkeep = || REPEATS.log_sums(repeats::WINDOW);
                LINES.keep_writing(io::stderr(), is_coloured, upkeep);
            })?;
        panic::set_hook(Box::new(log_panic));
    }
    Ok(LogGuard)
}

/// Lines that were dropped since the start.
#[must_use]
pub fn dropped_lines() -> u64 {
    LINES.dropped()
}

/// The standard hook would write to standard error itself, and wait for its reader.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let reason = panic.payload_as_str().unwrap_or("no text");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    tracing::error!(reason, place, %backtrace, "a thread panicked");
}
