//! What is new: with every rule in place nothing is missed and nothing slips through; with one broken something is.

use akgate_model::additions::{Additions, KNOWN, RESTRICTED, Rules};
use stateright::{Checker, Model};

fn explore(rules: Rules, failovers: u8) -> impl Checker<Additions> {
    Additions { rules, failovers }.checker().spawn_bfs().join()
}

#[test]
fn no_new_key_is_missed_or_escapes_a_report() {
    for failovers in [0, 1] {
        let checker = explore(Rules::SOUND, failovers);
        checker.assert_properties();
        println!("{} states", checker.unique_state_count());
    }
}

#[track_caller]
fn finds(broken: &'static str, rules: Rules, failovers: u8) {
    let checker = explore(rules, failovers);
    assert!(checker.discovery(broken).is_some(), "{rules:?}");
}

#[test]
fn number_of_a_sequence_hides_a_late_commit() {
    let rules = Rules {
        number_is_locked: false,
        ..Rules::SOUND
    };
    finds(KNOWN, rules, 0);
}

#[test]
fn report_beside_an_addition_leaves_the_key_free() {
    let rules = Rules {
        turn_is_shared: false,
        ..Rules::SOUND
    };
    finds(RESTRICTED, rules, 0);
}

#[test]
fn addition_before_the_stamp_is_missed_after_a_failover() {
    let rules = Rules {
        adder_stamps: false,
        ..Rules::SOUND
    };
    finds(KNOWN, rules, 1);
}

#[test]
fn refusal_without_reading_again_refuses_a_new_key() {
    let rules = Rules {
        reads_again: false,
        ..Rules::SOUND
    };
    finds(KNOWN, rules, 0);
}
