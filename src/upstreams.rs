//! The upstreams of this binary: the sandbox in this process, or another server.

use axum::body::Body;

use akgate_gateway::{
    routes::{Routes, UpstreamAuth},
    upstream::{
        Answer, PrintedRequest, SendError, Upstream, by_product::ProductUpstreams,
        remote::HttpUpstream,
    },
};
use akgate_rules::operation::Product;
use akgate_sandbox::Sandbox;

/// One upstream.
#[derive(Clone)]
pub enum NodeUpstream {
    /// The sandbox in this process.
    Sandbox(Sandbox),
    /// Another server.
    Http(HttpUpstream),
}

impl Upstream for NodeUpstream {
    async fn send(&self, product: &Product, request: PrintedRequest) -> Result<Answer, SendError> {
        match self {
            Self::Http(server) => server.send(product, request).await,
            // Boxed: inline, it would make the future of every call large.
            Self::Sandbox(sandbox) => {
                Ok(Box::pin(sandbox.call(request.http)).await.map(Body::from))
            }
        }
    }

    fn with_own_connections(&self) -> Self {
        match self {
            Self::Http(server) => Self::Http(server.with_own_connections()),
            Self::Sandbox(sandbox) => Self::Sandbox(sandbox.clone()),
        }
    }
}

/// The routes to these upstreams, and the upstreams by product.
#[must_use]
pub fn connect_products(
    products: impl IntoIterator<Item = (Product, NodeUpstream, UpstreamAuth)>,
) -> (Routes, ProductUpstreams<NodeUpstream>) {
    let mut routes = Routes::default();
    let upstreams = products.into_iter().map(|(product, upstream, auth)| {
        routes.serve_product(product.clone(), auth);
        (product, upstream)
    });
    let upstreams = upstreams.collect();
    (routes, upstreams)
}
