//! The metrics. Labels are typed, so that a key id cannot become one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::fair_budget::BudgetFault;
use akgate_rules::{
    leak::Proof,
    operation::{Operation, Product},
};

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    product: &'static str,
    effect: &'static str,
    verdict: &'static str,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProductLabel {
    product: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    source: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    source: String,
    proof: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    budget: &'static str,
    reason: &'static str,
}

/// The counters of a process.
pub struct Metrics {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    duration: Histogram,
    upstream: Family<ProductLabel, Histogram, fn() -> Histogram>,
    letters: Family<OutcomeLabel, Counter>,
    events: Family<OutcomeLabel, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    reports: Family<ReportLabels, Counter>,
    key_fetches: Family<DeliveryLabels, Counter>,
    old_signing_keys: Family<SourceLabel, Counter>,
    turned_away: Family<BudgetLabels, Counter>,
    revision: Gauge,
    registry_age: Gauge<f64, AtomicU64>,
    registry_mismatches: Counter,
    verification_age: Gauge<f64, AtomicU64>,
    unknown_outcomes: Counter,
    dropped_records: Gauge,
    dropped_log_lines: Counter,
    lease: Gauge,
    clock_offset: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("akgate");
        let calls = Family::<CallLabels, Counter>::default();
        let duration = latency_histogram();
        let upstream = Family::<ProductLabel, Histogram, fn() -> Histogram>::new_with_constructor(
            latency_histogram,
        );
        let letters = Family::<OutcomeLabel, Counter>::default();
        let events = Family::<OutcomeLabel, Counter>::default();
        let deliveries = Family::<DeliveryLabels, Counter>::default();
        let reports = Family::<ReportLabels, Counter>::default();
        let key_fetches = Family::<DeliveryLabels, Counter>::default();
        let old_signing_keys = Family::<SourceLabel, Counter>::default();
        let turned_away = Family::<BudgetLabels, Counter>::default();
        let revision = Gauge::default();
        let registry_age = Gauge::<f64, AtomicU64>::default();
        let registry_mismatches = Counter::default();
        let verification_age = Gauge::<f64, AtomicU64>::default();
        let unknown_outcomes = Counter::default();
        let dropped_records = Gauge::default();
        let dropped_log_lines = Counter::default();
        let lease = Gauge::default();
        let clock_offset = Gauge::<f64, AtomicU64>::default();
        registry.register("calls", "Calls through the gateway", calls.clone());
        registry.register(
            "turned_away",
            "Connections and calls refused because a limit was reached: all of it was in use, or the caller's part of it",
            turned_away.clone(),
        );
        registry.register(
            "call_duration_seconds",
            "Time from the head of a call to its response",
            duration.clone(),
        );
        registry.register(
            "upstream_duration_seconds",
            "Time until upstreams begin to respond",
            upstream.clone(),
        );
        registry.register("letters", "Attempts to send a letter", letters.clone());
        registry.register("events", "Attempts to send an event", events.clone());
        registry.register(
            "deliveries",
            "Deliveries from sources of leak reports",
            deliveries.clone(),
        );
        registry.register(
            "leak_reports",
            "New leak reports from sources",
            reports.clone(),
        );
        registry.register(
            "signing_key_fetches",
            "Requests for the signing keys of a source",
            key_fetches.clone(),
        );
        registry.register(
            "old_signing_keys",
            "Deliveries signed with a key that is listed but no longer current",
            old_signing_keys.clone(),
        );
        registry.register(
            "registry_revision",
            "Revision of the registry that this node enforces; -1 before the first load",
            revision.clone(),
        );
        registry.register(
            "registry_age_seconds",
            "Time since this node last read the registry's revision",
            registry_age.clone(),
        );
        registry.register(
            "registry_mismatches",
            "Entries of the registry in memory that differed from the database and were read again",
            registry_mismatches.clone(),
        );
        registry.register(
            "registry_verification_age_seconds",
            "Time since this node last compared the registry in memory with the database",
            verification_age.clone(),
        );
        registry.register(
            "unknown_outcomes",
            "Changes sent upstream whose outcome is unknown: no answer came, or their node ended",
            unknown_outcomes.clone(),
        );
        registry.register(
            "records_dropped",
            "Records of calls lost since startup",
            dropped_records.clone(),
        );
        registry.register(
            "log_lines_dropped",
            "Lines of the log that standard error did not take",
            dropped_log_lines.clone(),
        );
        registry.register(
            "lease_held",
            "1 while this node holds a lease, so that it enforces every confirmed change",
            lease.clone(),
        );
        registry.register(
            "clock_offset_seconds",
            "How far this node's clock is ahead of the database's",
            clock_offset.clone(),
        );
        Self {
            registry,
            lease,
            clock_offset,
            calls,
            duration,
            upstream,
            letters,
            events,
            deliveries,
            reports,
            key_fetches,
            old_signing_keys,
            turned_away,
            revision,
            registry_age,
            registry_mismatches,
            verification_age,
            unknown_outcomes,
            dropped_records,
            dropped_log_lines,
        }
    }
}

/// The gauges, read at each scrape.
#[derive(Debug, Clone, Copy)]
pub struct GaugeReadings {
    /// The revision that this node enforces; -1 before the first load.
    pub revision: i64,
    /// Time since the registry was last read; `None` where it never was.
    pub registry_age: Option<Duration>,
    /// Entries of the registry that differed from the database's.
    pub registry_mismatches: u64,
    /// Time since the registry was last compared with the database's; `None` where it never was.
    pub verification_age: Option<Duration>,
    /// Records that could not be kept.
    pub dropped_records: u64,
    /// Lines of the log that could not be written.
    pub dropped_log_lines: u64,
    /// Whether this node holds a lease.
    pub is_leased: bool,
    /// How far its clock is ahead of the database's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
}

/// 10 µs to 10 s: from the time of the gate alone to the longest that a caller waits.
fn latency_histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_01, 1.5, 36))
}

/// Codes of other products are many, and not ours.
fn product_label(product: &Product) -> &'static str {
    match product {
        Product::Ram => "RAM",
        Product::Ims => "IMS",
        Product::Sts => "STS",
        Product::ResourceManager => "ResourceManager",
        Product::Other(_) => "other",
    }
}

impl Metrics {
    /// Counts a call that is answered. `code` is that of a fault of ours.
    pub fn call(
        &self,
        operation: Option<&Operation>,
        verdict: Option<&'static str>,
        code: Option<&str>,
        took: Duration,
    ) {
        let labels = CallLabels {
            product: operation.map_or("none", |operation| product_label(operation.product())),
            effect: operation.map_or("none", |operation| operation.effect().as_str()),
            verdict: verdict.unwrap_or("none"),
            code: code.unwrap_or_default().to_owned(),
        };
        self.calls.get_or_create(&labels).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts what a budget refuses.
    pub fn turned_away(&self, budget: &'static str, fault: BudgetFault) {
        let reason = match fault {
            BudgetFault::Greedy => "greedy",
            BudgetFault::Exhausted => "exhausted",
        };
        let labels = BudgetLabels { budget, reason };
        self.turned_away.get_or_create(&labels).inc();
    }

    /// Counts an answer of an upstream.
    pub fn upstream(&self, called: &Product, took: Duration) {
        let labels = ProductLabel {
            product: product_label(called),
        };
        self.upstream
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// Counts an attempt to send a letter.
    pub fn letter(&self, outcome: &'static str) {
        self.letters.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts an attempt to send an event to a hook.
    pub fn event(&self, outcome: &'static str) {
        self.events.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts a delivery of a source that is configured.
    pub fn delivery(&self, source: &str, outcome: &'static str) {
        let source = source.to_owned();
        let labels = DeliveryLabels { source, outcome };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// Counts a report that is new.
    pub fn report(&self, source: &str, proof: Proof) {
        let source = source.to_owned();
        let proof = proof.as_str();
        let labels = ReportLabels { source, proof };
        self.reports.get_or_create(&labels).inc();
    }

    /// Counts changes whose outcome is unknown.
    pub fn unknown_outcomes(&self, count: u64) {
        self.unknown_outcomes.inc_by(count);
    }

    /// Counts a request for a source's keys.
    pub fn key_fetch(&self, source: &str, outcome: &'static str) {
        let source = source.to_owned();
        let labels = DeliveryLabels { source, outcome };
        self.key_fetches.get_or_create(&labels).inc();
    }

    /// Counts a delivery by a key that is no longer current.
    pub fn old_signing_key(&self, source: &str) {
        let source = source.to_owned();
        let label = SourceLabel { source };
        self.old_signing_keys.get_or_create(&label).inc();
    }

    /// Sets the gauges.
    pub fn set(&self, readings: &GaugeReadings) {
        self.revision.set(readings.revision);
        let seconds = |age: Option<Duration>| age.map_or(f64::INFINITY, |age| age.as_secs_f64());
        self.registry_age.set(seconds(readings.registry_age));
        self.verification_age
            .set(seconds(readings.verification_age));
        self.registry_mismatches
            .inner()
            .store(readings.registry_mismatches, Ordering::Relaxed);
        self.dropped_records
            .set(i64::try_from(readings.dropped_records).unwrap_or(i64::MAX));
        self.dropped_log_lines
            .inner()
            .store(readings.dropped_log_lines, Ordering::Relaxed);
        self.lease.set(i64::from(readings.is_leased));
        let offset = readings.clock_offset_ms.unwrap_or_default();
        self.clock_offset.set(offset as f64 / 1000.0);
    }

    /// The counters in the OpenMetrics text format.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        encode(&mut text, &self.registry).ok();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered_as_text() {
        let metrics = Metrics::default();
        metrics.call(None, None, Some("MissingAction"), Duration::from_millis(1));
        metrics.letter("sent");
        metrics.unknown_outcomes(2);
        metrics.set(&GaugeReadings {
            revision: 7,
            registry_age: Some(Duration::from_millis(250)),
            registry_mismatches: 1,
            verification_age: None,
            dropped_records: 0,
            dropped_log_lines: 3,
            is_leased: true,
            clock_offset_ms: Some(-1_500),
        });
        let text = metrics.text();
        for line in [
            "akgate_calls_total{product=\"none\",effect=\"none\",verdict=\"none\",code=\"MissingAction\"} 1",
            "akgate_letters_total{outcome=\"sent\"} 1",
            "akgate_registry_revision 7",
            "akgate_registry_age_seconds 0.25",
            "akgate_registry_mismatches_total 1",
            "akgate_registry_verification_age_seconds inf",
            "akgate_unknown_outcomes_total 2",
            "akgate_log_lines_dropped_total 3",
            "akgate_lease_held 1",
            "akgate_clock_offset_seconds -1.5",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
