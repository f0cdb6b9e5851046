//! With one rule broken a call passes that should not, and the exploration finds it.

use akgate_model::{
    config::{Bounds, Comparison, FenceGuard, Protocol, Reload, RenewalOrder, WaitFrom},
    log::Compare,
    model::Action,
};

use crate::explore::{MUTATIONS, STRICT_READS, counterexample};

#[test]
fn late_comparison_lets_a_call_through() {
    let protocol = Protocol {
        comparison: Comparison::NodeAfterwards,
        ..Protocol::SOUND
    };
    let steps = counterexample("late comparison", MUTATIONS, protocol);
    assert!(steps.contains(&Action::ApplyNews));
}

#[test]
fn lease_without_announcement_lets_a_read_through() {
    let protocol = Protocol {
        renewal: RenewalOrder::ReadOnly,
        ..Protocol::SOUND
    };
    counterexample("lease without announcement", STRICT_READS, protocol);
}

#[test]
fn announcement_after_the_reading_lets_a_read_through() {
    let protocol = Protocol {
        renewal: RenewalOrder::ReadThenAnnounce,
        ..Protocol::SOUND
    };
    counterexample("announcement after the reading", STRICT_READS, protocol);
}

#[test]
fn waiting_measured_from_the_commit_lets_a_read_through() {
    let protocol = Protocol {
        wait: WaitFrom::Commit,
        ..Protocol::SOUND
    };
    counterexample("wait from the commit", STRICT_READS, protocol);
}

#[test]
fn waiting_measured_from_before_the_read_lets_a_read_through() {
    let protocol = Protocol {
        wait: WaitFrom::ReadStart,
        ..Protocol::SOUND
    };
    counterexample("wait from before the read", STRICT_READS, protocol);
}

#[test]
fn revision_without_history_lets_a_call_through() {
    let protocol = Protocol {
        compare: Compare::RevisionOnly,
        ..Protocol::SOUND
    };
    let bounds = Bounds {
        failovers: 1,
        ..MUTATIONS
    };
    let steps = counterexample("revision without history", bounds, protocol);
    assert!(steps.contains(&Action::FailOver));
}

#[test]
fn revision_without_history_lets_a_read_through() {
    let protocol = Protocol {
        compare: Compare::RevisionOnly,
        ..Protocol::SOUND
    };
    let bounds = Bounds {
        failovers: 1,
        ..STRICT_READS
    };
    counterexample("revision without history, reads", bounds, protocol);
}

#[test]
fn reload_since_the_latest_fork_lets_a_call_through() {
    let protocol = Protocol {
        reload: Reload::SinceLatestFork,
        ..Protocol::SOUND
    };
    let bounds = Bounds {
        restrictions: 3,
        failovers: 2,
        ..MUTATIONS
    };
    counterexample("reload since the latest fork", bounds, protocol);
}

#[test]
fn counter_taken_back_by_a_failover_lets_a_read_through() {
    let protocol = Protocol {
        fence: FenceGuard::Counter,
        ..Protocol::SOUND
    };
    let bounds = Bounds {
        restrictions: 3,
        failovers: 1,
        ..STRICT_READS
    };
    counterexample("counter taken back", bounds, protocol);
}

#[test]
fn short_wait_in_a_new_history_lets_a_read_through() {
    let protocol = Protocol {
        whole_wait: false,
        ..Protocol::SOUND
    };
    let bounds = Bounds {
        failovers: 1,
        ..STRICT_READS
    };
    counterexample("short wait in a new history", bounds, protocol);
}
