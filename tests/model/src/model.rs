//! The steps, and who can take which.

use stateright::{Model, Property};

use crate::{
    call::{Call, Stage},
    config::{Bounds, Calls, Protocol},
    log::Key,
    properties::properties,
    state::State,
    writer::Step,
};

/// A protocol within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Akgate {
    /// What is explored.
    pub bounds: Bounds,
    /// Which rules hold.
    pub protocol: Protocol,
}

/// One step of one party. A writer and a node are named by number; the node without a number is the called one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A writer commits a restriction of the key.
    Commit(Key),
    /// The writer reads its clock, before it sends the statement that reads `nodes`.
    StartRead(usize),
    /// The writer reads `nodes`.
    ReadNodes(usize),
    /// The writer reads that the node, which is not the called one, has applied the restriction.
    HearFrom(usize, usize),
    /// Lease + drift have run since the writer's wait began.
    WaitEnds(usize),
    /// The writer fences who is silent, and returns the receipt.
    GiveReceipt(usize),
    /// Lease + drift have run since the new history began.
    HistorySettles,
    /// A standby receives nothing from here on.
    StandbyStalls,
    /// That standby is promoted, and the primary is gone for ever.
    FailOver,
    /// The node commits an announcement to its row.
    Announce(usize),
    /// The node reads its clock: the next lease is counted from here.
    BeginRenewal,
    /// The node reads the position up to which it must apply everything.
    ReadPosition,
    /// The node holds the lease.
    TakeLease,
    /// The feed brings the node the next news.
    ApplyNews,
    /// The node writes to its row what it has applied.
    ReportApplied,
    /// The node's process ends, and another starts without memory or lease.
    Crash,
    /// A call with the key arrives; its node reads its lease (strict read) or its position (mutation).
    BeginCall(Key),
    /// The call's key is looked up in the memory of the node.
    LookUp,
    /// The call's intent is written, and returns the database's position.
    WriteIntent,
    /// Permit and intent are compared.
    Compare,
    /// The node has caught up with the intent; the decision is repeated.
    Repeat,
}

impl Model for Akgate {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::initial()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if matches!(state.call, Call::Ended(_)) {
            return;
        }
        actions.extend(Key::ALL.map(Action::Commit));
        actions.extend([Action::StandbyStalls, Action::FailOver, Action::ApplyNews]);
        if let Some(step) = state.call.next_step() {
            actions.push(step);
        }
        // What leases and waits do later does not reach a strict read that found its lease valid.
        if state.call.stage() != Some(Stage::Leased) {
            self.writer_actions(state, actions);
            self.node_actions(actions);
            actions.extend(Key::ALL.map(Action::BeginCall));
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = *state;
        match action {
            Action::Commit(key) => self.commit(&mut next, key),
            Action::StartRead(writer) => self.start_read(&mut next, writer),
            Action::ReadNodes(writer) => self.read_nodes(&mut next, writer),
            Action::HearFrom(writer, node) => next.hear_from(writer, node),
            Action::WaitEnds(writer) => self.end_wait(&mut next, writer),
            Action::GiveReceipt(writer) => self.give_receipt(&mut next, writer),
            Action::HistorySettles => next.settle(),
            Action::StandbyStalls => self.stall_standby(&mut next),
            Action::FailOver => next.fail_over(),
            Action::Announce(node) => self.announce(&mut next, node),
            Action::BeginRenewal => next.called.begin_renewal(),
            Action::ReadPosition => self.read_position(&mut next),
            Action::TakeLease => self.take_lease(&mut next.called),
            Action::ApplyNews => self.apply_news(&mut next),
            Action::ReportApplied => next.report_applied(),
            Action::Crash => self.crash(&mut next),
            Action::BeginCall(key) => self.begin_call(&mut next, key),
            Action::LookUp => next.look_up(),
            Action::WriteIntent => next.write_intent(),
            Action::Compare => self.compare(&mut next),
            Action::Repeat => self.repeat(&mut next),
        }?;
        next.renumber(self.protocol.fence);
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties(&self.bounds)
    }
}

impl Akgate {
    fn writer_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, writer) in state.committed() {
            match writer.step {
                Step::Committed => actions.extend([
                    Action::StartRead(index),
                    Action::ReadNodes(index),
                    Action::WaitEnds(index),
                    Action::GiveReceipt(index),
                ]),
                Step::ReadStarted => {
                    actions.extend([Action::ReadNodes(index), Action::WaitEnds(index)]);
                }
                Step::Waiting { .. } => {
                    actions.extend([Action::WaitEnds(index), Action::GiveReceipt(index)]);
                    let others = 1..self.bounds.nodes;
                    actions.extend(others.map(|node| Action::HearFrom(index, node)));
                }
                Step::Receipted { .. } => {}
            }
        }
    }

    fn node_actions(&self, actions: &mut Vec<Action>) {
        actions.push(Action::Crash);
        if self.bounds.calls == Calls::StrictReads {
            actions.extend([
                Action::HistorySettles,
                Action::BeginRenewal,
                Action::ReadPosition,
                Action::TakeLease,
                Action::ReportApplied,
            ]);
            actions.extend((0..self.bounds.nodes).map(Action::Announce));
        }
    }
}
