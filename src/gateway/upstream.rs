//! The upstreams: the handlers of RAM, IMS, STS and others, in this process or behind HTTP/1.1.

mod connections;
mod remote;

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use futures_core::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use tower::Service;

pub use self::remote::HttpUpstream;
use super::{
    call::Answer,
    forward::{Called, NoAnswer},
};
use akgate_rules::{fault::Fault, operation::Product};
use akgate_sandbox::Sandbox;

/// The longest printed body that the sandbox takes, in bytes: the receiving station's limit is below it.
const SANDBOX_BODY: usize = 64 << 20;

/// One upstream.
#[derive(Clone)]
pub enum Upstream {
    /// The sandbox in this process.
    Sandbox(Sandbox),
    /// Another server.
    Http(Box<HttpUpstream>),
}

/// All upstreams, as the service that the gate stands in front of.
#[derive(Clone, Default)]
pub struct Upstreams(Arc<HashMap<Product, Upstream>>);

impl Upstreams {
    /// The upstreams by product.
    #[must_use]
    pub fn new(by_product: HashMap<Product, Upstream>) -> Self {
        Self(Arc::new(by_product))
    }

    /// The same upstreams by connections of their own.
    #[must_use]
    pub fn apart(&self) -> Self {
        let apart = self.0.iter().map(|(product, upstream)| {
            let upstream = match upstream {
                Upstream::Sandbox(sandbox) => Upstream::Sandbox(sandbox.clone()),
                Upstream::Http(remote) => Upstream::Http(Box::new(remote.apart())),
            };
            (product.clone(), upstream)
        });
        Self(Arc::new(apart.collect()))
    }

    async fn answer(&self, request: http::Request<Body>) -> Answer {
        let product = request.extensions().get::<Called>().map(|called| &called.0);
        let answered = match product.and_then(|product| self.0.get(product)) {
            Some(Upstream::Sandbox(sandbox)) => {
                let answered = in_process(sandbox, request).await;
                answered.map_err(NoAnswer::Fault)
            }
            Some(Upstream::Http(upstream)) => upstream.call(request).await,
            None => Err(NoAnswer::Fault(Fault::InvalidVersion)),
        };
        answered.unwrap_or_else(|none| {
            let mut answer = Answer::default();
            answer.extensions_mut().insert(none);
            answer
        })
    }
}

async fn in_process(sandbox: &Sandbox, request: http::Request<Body>) -> Result<Answer, Fault> {
    let (head, body) = request.into_parts();
    let body: Bytes = Limited::new(body, SANDBOX_BODY)
        .collect()
        .await
        .map_err(|_| Fault::Internal("a printed body cannot be read"))?
        .to_bytes();
    let request = http::Request::from_parts(head, body);
    Ok(sandbox.call(request).await.map(Body::from))
}

impl Service<http::Request<Body>> for Upstreams {
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let upstreams = self.clone();
        Box::pin(async move { Ok(upstreams.answer(request).await) })
    }
}
