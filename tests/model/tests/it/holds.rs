//! With every rule in place no order of steps breaks the promise.

use akgate_model::config::Bounds;

use crate::explore::{MUTATIONS, STRICT_READS, explore_all};

#[test]
fn no_mutation_passes_across_two_faults() {
    explore_all(
        "mutations, 3 restrictions, 2 faults",
        Bounds {
            restrictions: 3,
            failovers: 2,
            crashes: 2,
            ..MUTATIONS
        },
    );
}

#[test]
fn no_strict_read_passes_at_three_nodes_across_two_crashes() {
    explore_all(
        "strict reads, 3 nodes, 2 restrictions, 2 crashes",
        Bounds {
            nodes: 3,
            crashes: 2,
            applied_lags: true,
            ..STRICT_READS
        },
    );
}

#[test]
fn no_strict_read_passes_at_three_nodes_across_a_failover() {
    explore_all(
        "strict reads, 3 nodes, 2 restrictions, 1 failover",
        Bounds {
            nodes: 3,
            failovers: 1,
            ..STRICT_READS
        },
    );
}

#[test]
fn no_strict_read_passes_across_two_faults() {
    explore_all(
        "strict reads, 1 node, 2 restrictions, 2 faults",
        Bounds {
            failovers: 2,
            crashes: 2,
            applied_lags: true,
            ..STRICT_READS
        },
    );
}

#[test]
fn no_strict_read_passes_under_three_restrictions_across_a_failover() {
    explore_all(
        "strict reads, 1 node, 3 restrictions, 1 failover",
        Bounds {
            restrictions: 3,
            failovers: 1,
            ..STRICT_READS
        },
    );
}
