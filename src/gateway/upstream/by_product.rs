//! One upstream per product.

use std::{collections::HashMap, sync::Arc};

use super::{Answer, PrintedRequest, SendError, Upstream};
use akgate_rules::{fault::Fault, operation::Product};

/// The upstreams by product. A clone shares them.
#[derive(Clone)]
pub struct ProductUpstreams<U>(Arc<HashMap<Product, U>>);

impl<U> FromIterator<(Product, U)> for ProductUpstreams<U> {
    fn from_iter<I: IntoIterator<Item = (Product, U)>>(by_product: I) -> Self {
        Self(Arc::new(by_product.into_iter().collect()))
    }
}

impl<U: Upstream> Upstream for ProductUpstreams<U> {
    async fn send(&self, product: &Product, request: PrintedRequest) -> Result<Answer, SendError> {
        match self.0.get(product) {
            Some(upstream) => upstream.send(product, request).await,
            None => Err(SendError::Unanswered(Fault::InvalidVersion)),
        }
    }

    fn with_own_connections(&self) -> Self {
        let upstreams = self.0.iter();
        upstreams
            .map(|(product, upstream)| (product.clone(), upstream.with_own_connections()))
            .collect()
    }
}
