//! The whole road as one service: whatever path is called, the gate answers.
//!
//! In front of the stations: more calls at a time than there may be are refused at once rather than kept waiting, and
//! a call that ends in a panic ends alone.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use futures_core::future::BoxFuture;
use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tower::{Layer, Service, ServiceExt};

use super::{
    authenticate::Authenticate,
    call::Answer,
    gate::{Gate, GateLayer, Stack},
    receive::{self, Receive},
    watch::{self, Judge},
};
use akgate_rules::fault::Fault;

/// The road.
#[derive(Clone)]
pub struct Road<S> {
    gate: Arc<Gate>,
    stations: S,
    turns: Arc<Semaphore>,
}

/// The road to an upstream, for as many calls at a time as there are turns.
pub fn road<S>(gate: Arc<Gate>, upstream: S, turns: Arc<Semaphore>) -> Road<Stack<S>>
where
    S: Service<http::Request<Body>, Response = Answer>,
{
    Road {
        stations: GateLayer::new(Arc::clone(&gate)).layer(upstream),
        turns,
        gate,
    }
}

/// The road of copies of calls. Whatever comes of one, the answer is the same: who finds the listener learns
/// nothing.
#[must_use]
pub fn mirror(gate: Arc<Gate>, turns: Arc<Semaphore>) -> Road<Receive<Authenticate<Judge>>> {
    Road {
        stations: watch::mirror(Arc::clone(&gate)),
        turns,
        gate,
    }
}

impl<S, B> Service<http::Request<B>> for Road<S>
where
    S: Service<http::Request<B>, Response = Answer, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let is_mirror = self.gate.settings.is_mirror;
        let answered = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => {
                let stations = self.stations.clone();
                // What a panic leaves half done is gone with its call: nothing shared is locked across it.
                let passed = AssertUnwindSafe(async move {
                    let _turn = turn;
                    stations.oneshot(request).await
                });
                Ok(passed.catch_unwind())
            }
            Err(_) => Err(receive::refuse_unread(
                &self.gate,
                request,
                Fault::Unavailable,
            )),
        };
        Box::pin(async move {
            let answer = match answered {
                Ok(passing) => match passing.await {
                    Ok(answered) => answered?,
                    Err(panic) => receive::answer_panic(panic),
                },
                Err(refused) => refused,
            };
            Ok(if is_mirror { watch::nothing() } else { answer })
        })
    }
}
