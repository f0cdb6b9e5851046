//! The process's file descriptors: as many as it may have, and some kept for the database, the log and telemetry.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no caller's: pools, upstreams, files, telemetry.
const KEPT: u64 = 512;

/// Raises the soft limit of descriptors to the hard one; gives the number of connections that listeners may share.
pub(super) fn raise_descriptor_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    limit.map_or(u64::MAX, |limit| limit.saturating_sub(KEPT).max(limit / 2))
}

/// How many connections a listener may have: its share of what the process may open, at most as many as are configured.
/// Callers of the gateway get three fifths.
pub(super) fn connection_limit(configured: usize, available: u64, section: &str) -> usize {
    let fifths = if section == "gateway" { 3 } else { 1 };
    let share = usize::try_from(available / 5 * fifths).unwrap_or(usize::MAX);
    if share < configured {
        tracing::warn!(
            listener = section,
            connections = share,
            "the process may open too few files for limits.connections: raise its limit (ulimit -n, LimitNOFILE)"
        );
    }
    configured.min(share)
}
