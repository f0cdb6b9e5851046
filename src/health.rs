//! `/livez`, `/readyz` and `/metrics`, on a listener of their own.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};
use tokio::sync::watch;

use akgate_net::{
    metrics::{GaugeReadings, Metrics},
    telemetry,
};
use akgate_state::{
    calls::recorder::Recorder,
    clock::Clock,
    database::{self, Pool, SchemaDifference},
    directory::{
        StateFault,
        key_ring_check::{self, KeyRingMismatch},
        sealing::KeyRing,
        with_timeout,
    },
    live::{
        feed::{Feed, VerificationStatus},
        membership::{ClockFault, Membership},
    },
};

/// A node is not ready if it last read the registry longer ago than this.
const MAX_REGISTRY_AGE: Duration = Duration::from_secs(5);

/// A node is not ready if its last announcement (one every 500 ms) was committed longer ago than this.
const MAX_ANNOUNCEMENT_AGE: Duration = Duration::from_secs(3);

/// What the checks look at.
#[derive(Clone)]
pub struct HealthState {
    /// The database.
    pub pool: Pool,
    /// Seals secrets.
    pub ring: Arc<KeyRing>,
    /// Whether this process is about to stop.
    pub leaving: watch::Receiver<bool>,
    /// The registry; `None` where this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// The node's membership: its announcements and its lease.
    pub membership: Arc<Membership>,
    /// The source of the current time.
    pub clock: Arc<dyn Clock>,
    /// The records of calls.
    pub recorder: Arc<Recorder>,
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// How long the database may take.
    pub timeout: Duration,
}

/// The routes.
pub fn health_router(health: HealthState) -> Router {
    Router::new()
        // An unavailable database must not make an orchestrator restart every node: a running process is live.
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(serve_readiness))
        .route("/metrics", get(serve_metrics))
        .with_state(health)
}

async fn serve_readiness(State(health): State<HealthState>, RawQuery(query): RawQuery) -> Response {
    let database = health.database().await;
    let answers = database.is_ok();
    let mut checks = vec![
        ("shutdown", health.shutdown().map(nothing_to_add)),
        ("database", database.map(nothing_to_add)),
        ("registry", health.registry().map(nothing_to_add)),
        ("lease", health.lease().map(nothing_to_add)),
        ("clock", health.clock().map(nothing_to_add)),
    ];
    if answers {
        // If the database does not answer, each further check would only time out too.
        checks.push(("schema", health.schema().await));
        checks.push(("key ring", health.key_ring().await.map(nothing_to_add)));
    }
    let good = checks.iter().all(|(_, check)| check.is_ok());
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let verbose = query.is_some_and(|query| query.split('&').any(|one| one.starts_with("verbose")));
    let mut text = String::new();
    for (name, check) in &checks {
        match check {
            Ok(note) if verbose => text.push_str(&format!("[+] {name} ok{note}\n")),
            Ok(_) => {}
            Err(reason) => text.push_str(&format!("[-] {name} failed: {reason}\n")),
        }
    }
    text.push_str(if good { "ok\n" } else { "not ready\n" });
    (status, text).into_response()
}

fn nothing_to_add((): ()) -> String {
    String::new()
}

async fn serve_metrics(State(health): State<HealthState>) -> Response {
    let (revision, age, verification) = match &health.feed {
        Some(feed) => (feed.revision(), feed.age(), feed.verification()),
        None => (-1, None, VerificationStatus::default()),
    };
    health.metrics.set(&GaugeReadings {
        revision,
        registry_age: age,
        registry_mismatches: verification.mismatches,
        verification_age: verification.verified_at.map(|at| at.elapsed()),
        dropped_records: health.recorder.dropped(),
        dropped_log_lines: telemetry::dropped_lines(),
        is_leased: health.lease().is_ok(),
        clock_offset_ms: health.membership.clocks().offset(),
    });
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], health.metrics.text()).into_response()
}

impl HealthState {
    fn shutdown(&self) -> Result<(), String> {
        match *self.leaving.borrow() {
            true => Err("this process is stopping".to_owned()),
            false => Ok(()),
        }
    }

    /// Checks that the database answers and accepts this node's writes.
    async fn database(&self) -> Result<(), String> {
        let announced = self.membership.announced();
        let age = announced.at.map(|at| self.clock.since_boot().since(at));
        let is_late = age.is_none_or(|age| age > MAX_ANNOUNCEMENT_AGE);
        let pinged = with_timeout(self.timeout, database::ping_database(&self.pool)).await;
        let fault = match pinged {
            Ok(()) if !is_late => return Ok(()),
            Ok(()) => "this node could not write to it".to_owned(),
            Err(StateFault::TimedOut) => "it does not respond in time".to_owned(),
            Err(fault) => fault.to_string(),
        };
        if let Some(refused) = announced.refused.filter(|_| is_late) {
            return Err(refused);
        }
        database::probe_database(&self.pool).await?;
        Err(fault)
    }

    /// Checks that the database has the migrations of this build. Newer ones are reported, but are no fault: during a
    /// rolling upgrade, old nodes keep serving.
    async fn schema(&self) -> Result<String, String> {
        let compared = with_timeout(self.timeout, database::compare_schema(&self.pool)).await;
        match compared {
            Ok(SchemaDifference { missing, .. }) if missing > 0 => {
                Err(format!("{missing} migrations are missing"))
            }
            Ok(SchemaDifference { newer, .. }) if newer > 0 => Ok(format!(
                ": a newer akgate has applied {newer} migrations; upgrade this node"
            )),
            // The database check already reports that.
            Ok(_) | Err(_) => Ok(String::new()),
        }
    }

    async fn key_ring(&self) -> Result<(), String> {
        let checking = key_ring_check::check_key_ring(&self.pool, &self.ring);
        match with_timeout(self.timeout, checking).await {
            Ok(()) | Err(KeyRingMismatch::State(_)) => Ok(()),
            Err(mismatch) => Err(mismatch.to_string()),
        }
    }

    fn lease(&self) -> Result<(), String> {
        let is_held = self.membership.lease().holds(self.clock.since_boot());
        match is_held || !self.membership.node_info().enforces {
            true => Ok(()),
            false => {
                Err("this node has no lease: it cannot announce itself to the database".to_owned())
            }
        }
    }

    /// A node whose clock is far off refuses correct callers.
    fn clock(&self) -> Result<(), String> {
        match self.membership.clocks().fault() {
            Some(fault @ ClockFault::FarFromOthers(_)) => Err(fault.to_string()),
            Some(ClockFault::Node(_) | ClockFault::Database(_)) | None => Ok(()),
        }
    }

    fn registry(&self) -> Result<(), String> {
        let Some(feed) = &self.feed else {
            return Ok(());
        };
        match feed.age() {
            None => Err("it has not been loaded".to_owned()),
            Some(age) if age > MAX_REGISTRY_AGE => Err(format!(
                "it was last read {:.0} seconds ago",
                age.as_secs_f64()
            )),
            Some(_) => Ok(()),
        }
    }
}
