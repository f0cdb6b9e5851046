//! The time of the last failure of a session: every session that has been idle since then is checked before it is used.
//!
//! After a failover, or if a network drops packets, all older connections are as broken as the one that failed first. A
//! process uses one database, so this is global to the process.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Errors after which a session can no longer serve (PostgreSQL's manual, "Error Codes"): it takes no writes any more,
/// or its server is going away.
const FATAL_STATES: [&str; 5] = ["25006", "57P01", "57P02", "57P03", "57P05"];

/// How long after a failure the sessions in use are looked at as they are given back.
const RECENT: Duration = Duration::from_secs(60);

/// The last failure in milliseconds since [`START`], plus one; 0 while there was none.
static LAST_FAILURE: AtomicU64 = AtomicU64::new(0);
static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
static FAILED: Notify = Notify::const_new();

/// Notes that a session failed, or gave no answer in time.
pub fn note_failure() {
    let now = u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX);
    LAST_FAILURE.fetch_max(now.saturating_add(1), Ordering::Relaxed);
    FAILED.notify_waiters();
}

/// Notes a failure where an error means that others of the session's age are in doubt too.
pub fn note_error(error: &sqlx::Error) {
    if is_fatal(error) {
        note_failure();
    }
}

/// Whether a session was last used, or opened, before a failure.
pub(crate) fn is_suspect(unused_for: Duration) -> bool {
    since_failure().is_some_and(|since| unused_for >= since)
}

/// Whether a session that is in use was opened before a failure of the last minute.
pub(super) fn is_suspect_in_use(age: Duration) -> bool {
    since_failure().is_some_and(|since| age >= since && since < RECENT)
}

fn since_failure() -> Option<Duration> {
    let last = LAST_FAILURE.load(Ordering::Relaxed).checked_sub(1)?;
    Some(START.elapsed().saturating_sub(Duration::from_millis(last)))
}

/// Ready as soon as the last failure is another one than `seen`; gives that one. 0 where none was seen.
pub(super) async fn failure_after(seen: u64) -> u64 {
    loop {
        let noted = FAILED.notified();
        match LAST_FAILURE.load(Ordering::Relaxed) {
            last if last != seen => return last,
            _ => noted.await,
        }
    }
}

/// Whether a session that met this cannot serve any more.
fn is_fatal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(fault) => fault
            .code()
            .is_some_and(|code| FATAL_STATES.contains(&&*code) || code.starts_with("08")),
        _ => false,
    }
}
