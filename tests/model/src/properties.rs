//! What must hold in every state, and what must be reached for that to mean something.

use stateright::Property;

use crate::{
    call::{Call, Outcome},
    config::{Bounds, Calls},
    model::Akgate,
    state::State,
    writer::Step,
};

/// The promise.
pub const SAFETY: &str = "no call that began after its key's receipt passes";

/// The promise, and what a model that could not break it would never reach.
pub fn properties(bounds: &Bounds) -> Vec<Property<Akgate>> {
    let mut properties = vec![
        Property::always(SAFETY, |_, state| !breaks_promise(state)),
        Property::sometimes(
            "a call passes between commit and receipt",
            |_, state: &State| passes_before_receipt(state),
        ),
        Property::sometimes("a call is refused after a receipt", |_, state: &State| {
            matches!(state.call, Call::Ended(Outcome::Refused { .. }))
                && state.committed().any(|(_, writer)| writer.receipted())
        }),
    ];
    properties.push(match bounds.calls {
        Calls::Mutations => Property::sometimes(
            "a call is refused after its node caught up",
            |_, state: &State| state.call == Call::Ended(Outcome::Refused { caught_up: true }),
        ),
        Calls::StrictReads => Property::sometimes(
            "a receipt is given with a node fenced",
            |_, state: &State| {
                let fenced = Step::Receipted { fenced: true };
                state.committed().any(|(_, writer)| writer.step == fenced)
            },
        ),
    });
    if bounds.failovers > 0 {
        properties.push(Property::sometimes(
            "a failover loses a commit, and a receipt is given in the new history",
            |_, state| receipt_after_loss(state),
        ));
    }
    properties
}

fn breaks_promise(state: &State) -> bool {
    matches!(state.call, Call::Ended(Outcome::Passed { receipts }) if receipts != 0)
}

fn passes_before_receipt(state: &State) -> bool {
    matches!(state.call, Call::Ended(Outcome::Passed { .. }))
        && state.committed().any(|(_, writer)| !writer.receipted())
}

fn receipt_after_loss(state: &State) -> bool {
    let in_new_history = |writer: &crate::writer::Writer| {
        writer.receipted() && !writer.lost && writer.position.history > 0
    };
    state.committed().any(|(_, writer)| writer.lost)
        && state.committed().any(|(_, writer)| in_new_history(writer))
}
