//! What the intake endpoints depend on.

use std::{collections::HashMap, sync::Arc, time::Duration};

use akgate_rules::lineage::DescendantPolicy;
use akgate_state::database::Pool;
use tokio::sync::Semaphore;

use super::{
    delivery_contract::DeliveryContract, public_reporting::PublicReporting,
    refusal::DeliveryRefusal, signing_keys::SigningKeys,
};
use akgate_api::receipts::Wait;
use akgate_net::metrics::Metrics;
use akgate_scan::SecretLengths;
use akgate_state::{
    audit::Actor,
    clock::Clock,
    directory::{sealing::KeyRing, with_timeout},
    leaks::{
        deliveries::DeliveryOrigin,
        record::{
            Delivery, LeakReport, RecordedReport, ReportGrounds, SuspicionPolicy, record_reports,
        },
    },
    live::{
        barrier::{AffectedKeys, Barrier},
        feed::Feed,
    },
};

/// What the intake endpoints depend on.
#[derive(Clone)]
pub struct Intake {
    /// The database.
    pub pool: Pool,
    /// Turns a leaked secret into a keyed digest as soon as it arrives.
    pub ring: Arc<KeyRing>,
    /// Applies a change on this node before the answer; `None` if this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// Where changes that restrict wait for the nodes.
    pub barrier: Arc<Barrier>,
    /// How long a delivery may take in the database.
    pub timeout: Duration,
    /// The longest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// The memory budget of all deliveries in progress, one permit per KiB; further deliveries get 503.
    pub body_budget: Arc<Semaphore>,
    /// How suspicions are handled.
    pub suspicions: SuspicionPolicy,
    /// What becomes of what a leaked key made.
    pub descendants: DescendantPolicy,
    /// The lengths that secrets have.
    pub secret_lengths: SecretLengths,
    /// Sources that sign, by name.
    pub signing_sources: Arc<HashMap<String, SigningSource>>,
    /// Sources that have a token.
    pub token_sources: Arc<[TokenSource]>,
    /// Reports of the public; `None` while nobody may report.
    pub public_reporting: Option<Arc<PublicReporting>>,
}

/// A source that signs.
#[derive(Clone)]
pub struct SigningSource {
    /// How it delivers.
    pub contract: Arc<DeliveryContract>,
    /// What it signs with.
    pub keys: Arc<SigningKeys>,
}

/// A source that has a token.
#[derive(Debug, Clone)]
pub struct TokenSource {
    /// The source's name, as recorded with every report.
    pub name: String,
    /// SHA-256 of its token.
    pub token_sha256: [u8; 32],
}

impl Intake {
    /// Records what a source delivered, and waits until every node enforces it.
    pub(crate) async fn record(
        &self,
        source: &str,
        ledger: DeliveryOrigin<'_>,
        reports: &[LeakReport],
    ) -> Result<Vec<Option<RecordedReport>>, DeliveryRefusal> {
        let delivery = Delivery {
            source,
            actor: &Actor::Source(source.to_owned()),
            grounds: ReportGrounds::Proof,
            suspicions: self.suspicions,
            descendants: self.descendants,
            ledger: Some(ledger),
        };
        let recording =
            record_reports(&self.pool, &self.ring, &delivery, reports, self.clock.now());
        let recorded = with_timeout(self.timeout, recording).await.map_err(|fault| {
            tracing::error!(source, %fault, "cannot record a delivery; its source must send it again");
            DeliveryRefusal::Unavailable
        })?;
        let new: Vec<RecordedReport> = recorded.iter().copied().flatten().collect();
        self.enforce(&new).await?;
        for one in new.iter().filter(|one| one.is_new) {
            self.metrics.report(source, one.proof);
        }
        Ok(recorded)
    }

    /// Waits until every node enforces the restrictions that reports have led to.
    pub(crate) async fn enforce(&self, recorded: &[RecordedReport]) -> Result<(), DeliveryRefusal> {
        let in_force = recorded.iter().filter_map(|one| one.restriction);
        let positions = in_force.map(|one| one.position);
        let Some(committed) = positions.max_by_key(|position| position.revision) else {
            return Ok(());
        };
        if let Some(feed) = &self.feed {
            feed.enforce(committed).await;
        }
        let waited = self
            .barrier
            .wait(committed, &AffectedKeys::All, Wait::Enforced);
        match waited.await {
            Ok(_) => Ok(()),
            Err(lost) => {
                tracing::error!(%lost, "a failover lost a delivery; its source must send it again");
                Err(DeliveryRefusal::Unavailable)
            }
        }
    }
}
