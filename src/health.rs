//! `/livez`, `/readyz` and `/metrics`, on a listener of their own.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::CONTENT_TYPE};

use akgate_net::{
    metrics::{GaugeReadings, Metrics},
    telemetry,
};
use akgate_state::{
    calls::recorder::Recorder,
    clock::Clock,
    database::{self, Pool},
    directory::{StateFault, with_timeout},
    live::{
        feed::Feed,
        membership::{ClockFault, Membership},
    },
};

/// How long ago the registry may have been read for a node to be ready.
const MAX_REGISTRY_AGE: Duration = Duration::from_secs(5);

/// What is looked at.
#[derive(Clone)]
pub struct HealthState {
    /// The database.
    pub pool: Pool,
    /// The registry; `None` where this process has no gateway.
    pub feed: Option<Arc<Feed>>,
    /// Its place among the nodes.
    pub membership: Arc<Membership>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The records of calls.
    pub recorder: Arc<Recorder>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// How long the database may take.
    pub timeout: Duration,
}

/// The routes.
pub fn health_router(health: HealthState) -> Router {
    Router::new()
        // A database that is away must not have every node restarted: a live process is live.
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(serve_readiness))
        .route("/metrics", get(serve_metrics))
        .with_state(health)
}

async fn serve_readiness(State(health): State<HealthState>, RawQuery(query): RawQuery) -> Response {
    let checks = [
        ("database", health.database().await),
        ("registry", health.registry()),
        ("lease", health.lease()),
        ("clock", health.clock()),
    ];
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
            Ok(()) if verbose => text.push_str(&format!("[+] {name} ok\n")),
            Ok(()) => {}
            Err(reason) => text.push_str(&format!("[-] {name} failed: {reason}\n")),
        }
    }
    text.push_str(if good { "ok\n" } else { "not ready\n" });
    (status, text).into_response()
}

async fn serve_metrics(State(health): State<HealthState>) -> Response {
    let (revision, age) = match &health.feed {
        Some(feed) => (feed.revision(), feed.age()),
        None => (-1, None),
    };
    health.metrics.set(&GaugeReadings {
        revision,
        registry_age: age,
        dropped_records: health.recorder.dropped(),
        dropped_log_lines: telemetry::dropped_lines(),
        is_leased: health.lease().is_ok(),
        clock_offset_ms: health.membership.clocks().offset(),
    });
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], health.metrics.text()).into_response()
}

impl HealthState {
    async fn database(&self) -> Result<(), String> {
        let asked = with_timeout(self.timeout, database::ping_database(&self.pool));
        match asked.await {
            Ok(()) => Ok(()),
            Err(StateFault::TimedOut) => Err("it does not respond in time".to_owned()),
            Err(fault) => Err(fault.to_string()),
        }
    }

    fn lease(&self) -> Result<(), String> {
        let is_held = self.membership.lease().holds(self.clock.since_boot());
        match is_held || !self.membership.card().enforces {
            true => Ok(()),
            false => {
                Err("this node has no lease: it cannot announce itself to the database".to_owned())
            }
        }
    }

    /// A node that is far from the others refuses correct callers.
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
