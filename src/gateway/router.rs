//! The road as a router: whatever path is called, the gate answers.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    middleware::{self, Next},
};
use tokio::sync::Semaphore;
use tower::{Layer, Service};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    call::Answer,
    gate::{Gate, GateLayer},
    receive, watch,
};
use crate::fault::Fault;

/// The gateway's router. More than `concurrent` calls at a time are refused at once rather than kept waiting.
pub fn gateway_router<S>(gate: Arc<Gate>, upstream: S, concurrent: usize) -> Router
where
    S: Service<http::Request<Body>, Response = Answer, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let road = GateLayer::new(Arc::clone(&gate)).layer(upstream);
    bounded(gate, road, concurrent)
}

/// The router of a gate that watches beside the path. Whatever comes of a call, the answer is the same: who
/// finds the listener learns nothing.
pub fn mirror_router(gate: Arc<Gate>, concurrent: usize) -> Router {
    let road = watch::mirror(Arc::clone(&gate));
    bounded(gate, road, concurrent).layer(middleware::map_response(|_: Answer| async {
        watch::nothing()
    }))
}

fn bounded<S>(gate: Arc<Gate>, road: S, concurrent: usize) -> Router
where
    S: Service<axum::extract::Request, Response = Answer, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    let turns = Arc::new(Semaphore::new(concurrent));
    let full = middleware::from_fn(move |request: axum::extract::Request, next: Next| {
        let (turns, gate) = (Arc::clone(&turns), Arc::clone(&gate));
        async move {
            match turns.try_acquire() {
                Ok(_turn) => next.run(request).await,
                Err(_) => receive::refuse_unread(&gate, request, Fault::Unavailable),
            }
        }
    });
    Router::new()
        .fallback_service(road)
        .layer(full)
        .layer(CatchPanicLayer::custom(receive::answer_panic))
}
