//! What the drill has shown, for people and as JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{
    Settings,
    ledger::{Entries, Receipt},
    verdict::{Pass, milliseconds, passed},
};
use crate::{histories::Histories, signer::Answer, stats::Spread, upstream::Upstream};

/// Passes that are told one by one.
const TOLD: usize = 20;

/// How long after a fault the cluster may still feel it.
const AFTERMATH: Duration = Duration::from_secs(1);

/// A sample, apart by what the cluster was like meanwhile.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ByHealth {
    /// No fault, and none a moment before.
    pub healthy: Spread,
    /// A node stopped.
    pub node_stopped: Spread,
    /// Another fault.
    pub other_fault: Spread,
}

/// What the drill has shown.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Nodes.
    pub nodes: usize,
    /// Where the random choices began.
    pub seed: u64,
    /// How long it took, without the start.
    pub seconds: f64,
    /// Reports that were acknowledged.
    pub receipts: usize,
    /// Those that a failover has cost: they bind until then.
    pub receipts_lost: usize,
    /// Those with a node stopped between report and acknowledgement.
    pub receipts_with_a_node_stopped: usize,
    /// Those that name a node as fenced.
    pub receipts_with_a_node_fenced: usize,
    /// Those that say from where on the restriction holds.
    pub receipts_with_a_position: usize,
    /// Reports that were never acknowledged.
    pub unacknowledged: usize,
    /// Idempotency-Keys that were given up, as the node that had begun under them was killed.
    pub idempotency_keys_abandoned: usize,
    /// Faults by kind.
    pub faults: BTreeMap<String, usize>,
    /// Calls before a receipt.
    pub calls_before: usize,
    /// Calls whose first byte left after a receipt.
    pub calls_after: usize,
    /// The answers of the former.
    pub answers_before: BTreeMap<String, usize>,
    /// The answers of the latter.
    pub answers_after: BTreeMap<String, usize>,
    /// Calls that passed against a receipt: 0, or the product is broken.
    pub passed: usize,
    /// Reads that passed after a receipt that says itself that it does not know of the nodes: it claims nothing of them.
    pub passed_reads_with_nodes_unknown: usize,
    /// The same by action.
    pub passed_by_action: BTreeMap<&'static str, usize>,
    /// The first of them.
    pub passes: Vec<Pass>,
    /// Acknowledged restrictions that are not in force in the end.
    pub not_in_force: Vec<String>,
    /// From the report to its acknowledgement, in milliseconds.
    pub answered_ms: ByHealth,
    /// What the receipts say they waited for nodes.
    pub waited_ms: ByHealth,
}

impl Summary {
    pub(super) fn new(
        settings: &Settings,
        time: Duration,
        entries: &Entries,
        upstream: &Upstream,
        histories: &Histories,
        not_in_force: Vec<String>,
    ) -> Self {
        let receipts = &entries.receipts;
        let count = |holds: &dyn Fn(&Receipt) -> bool| receipts.iter().filter(|r| holds(r)).count();
        let passes: Vec<Pass> = entries
            .after
            .iter()
            .filter_map(|after| passed(after, entries, histories, upstream))
            .collect();
        Self {
            nodes: settings.nodes,
            seed: settings.seed,
            seconds: time.as_secs_f64(),
            receipts: receipts.len(),
            receipts_lost: count(&|receipt| !histories.keep(&receipt.acknowledgement)),
            receipts_with_a_node_stopped: count(&|receipt| has_stopped(receipt, entries)),
            receipts_with_a_node_fenced: count(&|receipt| {
                let position = receipt.acknowledgement.position.as_ref();
                position.is_some_and(|position| !position.fenced.is_empty())
            }),
            receipts_with_a_position: count(&|receipt| receipt.acknowledgement.position.is_some()),
            unacknowledged: entries.unacknowledged,
            idempotency_keys_abandoned: entries.abandoned,
            faults: tally(
                entries
                    .faults
                    .iter()
                    .map(|fault| format!("{:?}", fault.kind)),
            ),
            calls_before: entries.before.len(),
            calls_after: entries.after.len(),
            answers_before: tally(entries.before.iter().map(|call| label(&call.answer))),
            answers_after: tally(entries.after.iter().map(|after| label(&after.call.answer))),
            passed: passes.iter().filter(|pass| !pass.is_unsure).count(),
            passed_reads_with_nodes_unknown: passes.iter().filter(|pass| pass.is_unsure).count(),
            passed_by_action: tally(
                passes
                    .iter()
                    .filter(|pass| !pass.is_unsure)
                    .map(|pass| pass.action),
            ),
            passes: passes.into_iter().take(TOLD).collect(),
            not_in_force,
            answered_ms: by_health(entries, |receipt| {
                Some(milliseconds(receipt.at - receipt.began))
            }),
            waited_ms: by_health(entries, |receipt| {
                let position = receipt.acknowledgement.position.as_ref()?;
                Some(position.waited_ms? as f64)
            }),
        }
    }

    /// Whether everything held that must hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.passed == 0 && self.not_in_force.is_empty()
    }
}

fn label(answer: &Answer) -> String {
    match answer {
        Answer::Answered(status, code) if code.is_empty() => status.to_string(),
        Answer::Answered(status, code) => format!("{status} {code}"),
        Answer::Unanswered => "unanswered".to_owned(),
    }
}

fn tally<T: Ord>(items: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

fn has_stopped(receipt: &Receipt, entries: &Entries) -> bool {
    let mut faults = entries.faults.iter();
    faults.any(|fault| fault.kind.stops_a_node() && fault.touches(receipt.began, receipt.at))
}

fn by_health(entries: &Entries, value: impl Fn(&Receipt) -> Option<f64>) -> ByHealth {
    let (mut healthy, mut stopped, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for receipt in &entries.receipts {
        let from = receipt.began.saturating_sub(AFTERMATH);
        let sample = if has_stopped(receipt, entries) {
            &mut stopped
        } else if entries
            .faults
            .iter()
            .any(|fault| fault.touches(from, receipt.at))
        {
            &mut other
        } else {
            &mut healthy
        };
        sample.extend(value(receipt));
    }
    ByHealth {
        healthy: healthy.into_iter().collect(),
        node_stopped: stopped.into_iter().collect(),
        other_fault: other.into_iter().collect(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "nemesis: {} nodes, {:.0} s, seed {}",
            self.nodes, self.seconds, self.seed
        )?;
        writeln!(
            f,
            "receipts       {} (a node stopped: {}, fenced: {}; with a position: {}; lost by a failover: {}; \
             never acknowledged: {}; Idempotency-Keys abandoned: {})",
            self.receipts,
            self.receipts_with_a_node_stopped,
            self.receipts_with_a_node_fenced,
            self.receipts_with_a_position,
            self.receipts_lost,
            self.unacknowledged,
            self.idempotency_keys_abandoned
        )?;
        writeln!(f, "faults         {}", list(&self.faults))?;
        writeln!(
            f,
            "calls before   {}: {}",
            self.calls_before,
            list(&self.answers_before)
        )?;
        writeln!(
            f,
            "calls after    {}: {}",
            self.calls_after,
            list(&self.answers_after)
        )?;
        for (what, times) in [
            ("answered", &self.answered_ms),
            ("waited_ms", &self.waited_ms),
        ] {
            writeln!(f, "{what:<14} healthy       {}", times.healthy)?;
            writeln!(f, "{:<14} node stopped  {}", "", times.node_stopped)?;
            writeln!(f, "{:<14} other fault   {}", "", times.other_fault)?;
        }
        for pass in &self.passes {
            writeln!(
                f,
                "passed: {} {} at node {} (reported at {}), sent {:.1} ms after the receipt, reached after {:.1} ms; {}",
                pass.access_key_id,
                pass.action,
                pass.node,
                pass.reported_at,
                pass.sent_after_ms,
                pass.reached_after_ms,
                pass.faults.join(", ")
            )?;
        }
        for open in self.not_in_force.iter().take(TOLD) {
            writeln!(f, "not in force: {open}")?;
        }
        writeln!(f, "NOT IN FORCE   {}", self.not_in_force.len())?;
        write!(
            f,
            "PASSED         {} {}",
            self.passed,
            list(&self.passed_by_action)
        )?;
        match self.passed_reads_with_nodes_unknown {
            0 => Ok(()),
            reads => write!(f, " (reads after receipts that know of no nodes: {reads})"),
        }
    }
}

fn list<T: fmt::Display>(counts: &BTreeMap<T, usize>) -> String {
    let each = counts.iter().map(|(what, count)| format!("{what} {count}"));
    each.collect::<Vec<_>>().join(", ")
}
