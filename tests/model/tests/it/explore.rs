//! How an exploration is run, and how it reports.

use std::{fmt, io::Write as _, time::Instant};

use akgate_model::{
    SAFETY,
    config::{Bounds, Calls, Protocol},
    model::{Action, Akgate},
};
use stateright::{Checker, HasDiscoveries, Model};

/// Mutations at one node, without faults.
pub const MUTATIONS: Bounds = Bounds {
    nodes: 1,
    restrictions: 2,
    calls: Calls::Mutations,
    failovers: 0,
    crashes: 0,
    faults: 2,
    applied_lags: false,
};

/// Strict reads at one node, without faults.
pub const STRICT_READS: Bounds = Bounds {
    calls: Calls::StrictReads,
    ..MUTATIONS
};

/// Explores every state; panics if the promise is broken, or if something that should be reached is not.
pub fn explore_all(name: &str, bounds: Bounds) {
    let protocol = Protocol::SOUND;
    let start = Instant::now();
    let checker = Akgate { bounds, protocol }.checker().spawn_bfs().join();
    report(
        name,
        &format_args!(
            "{} states, {} steps between them, depth {}, {:.1} s",
            checker.unique_state_count(),
            checker.state_count(),
            checker.max_depth(),
            start.elapsed().as_secs_f64(),
        ),
    );
    checker.assert_properties();
}

/// So many states are looked at once only.
const MANY: usize = 1_000_000;

/// Breaks the promise, in as few steps as can be or (where there are many states) in one more.
pub fn counterexample(name: &str, bounds: Bounds, protocol: Protocol) -> Vec<Action> {
    let start = Instant::now();
    let (mut shortest, mut states) = search(bounds, protocol, None).unwrap();
    // The checker reports the last counterexample in a block of states, which need not be the shortest.
    while states < MANY
        && let Some((shorter, more)) = search(bounds, protocol, Some(shortest.len()))
    {
        shortest = shorter;
        states += more;
    }
    report(
        name,
        &format_args!(
            "{} steps, found in {states} states, {:.1} s: {shortest:?}",
            shortest.len(),
            start.elapsed().as_secs_f64(),
        ),
    );
    shortest
}

/// A counterexample of fewer than `below` steps, and how many states were looked at.
fn search(
    bounds: Bounds,
    protocol: Protocol,
    below: Option<usize>,
) -> Option<(Vec<Action>, usize)> {
    let mut builder = Akgate { bounds, protocol }
        .checker()
        .finish_when(HasDiscoveries::AnyFailures);
    if let Some(steps) = below {
        builder = builder.target_max_depth(steps + 1);
    }
    let checker = builder.spawn_bfs().join();
    let path = checker.discovery(SAFETY)?;
    Some((path.into_actions(), checker.unique_state_count()))
}

/// Past the capture of the test harness: the figures are part of every run's output.
fn report(name: &str, figures: &dyn fmt::Display) {
    let mut output = std::io::stderr().lock();
    writeln!(output, "{name}: {figures}").unwrap();
}
