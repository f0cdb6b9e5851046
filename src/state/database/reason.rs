//! Why the database is not available, in words for an operator.

use crate::directory::StateFault;

/// What the server said, where it refused something; `None` where it gave no answer.
#[must_use]
pub fn describe_refusal(fault: &StateFault) -> Option<String> {
    match fault {
        StateFault::Database(error @ sqlx::Error::Database(_)) => Some(describe_error(error)),
        _ => None,
    }
}

/// What happened, as an operator can act on it.
pub(super) fn describe_error(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(said) => match said.code().as_deref().and_then(describe_state) {
            Some(reason) => format!("{reason} ({})", said.message()),
            None => said.message().to_owned(),
        },
        // What the check of a session found.
        sqlx::Error::Configuration(reason) => reason.to_string(),
        sqlx::Error::PoolTimedOut => "it does not respond in time".to_owned(),
        sqlx::Error::Io(fault) => format!("it cannot be reached: {fault}"),
        other => format!("it cannot be used: {other}"),
    }
}

/// The states of PostgreSQL's manual, "Error Codes", that an operator can act on.
fn describe_state(state: &str) -> Option<&'static str> {
    Some(match state {
        "25006" => "it takes no writes: it is a standby, or read-only",
        "28000" | "28P01" => "it refuses this user or password",
        "3D000" => "there is no such database",
        "42501" => "this user lacks a privilege",
        "53100" => "its disk is full",
        "53200" => "it is out of memory",
        "53300" => "it has no connection to spare",
        "57P03" => "it is starting or stopping",
        _ => return None,
    })
}
