//! Which operations are served, and how the upstream of each trusts akgate. `Version` tells the four catalogued products
//! apart; another product's operations are those that the configuration lists. Host never chooses.

use std::{collections::HashMap, sync::Arc};

use akgate_rules::{
    fault::Fault,
    mac_key::MacKey,
    operation::{Catalogue, Operation, Product},
    request::OperationName,
    signature::CredentialHandling,
};

/// How an upstream knows who calls.
#[derive(Clone)]
pub enum UpstreamAuth {
    /// By the identity header under this key; the caller's credentials end here.
    IdentityHeader(MacKey),
    /// It verifies the caller's signature itself.
    CallerSignature,
    /// It is a handler in this process, which gets the identity as a value.
    InProcess,
}

impl UpstreamAuth {
    /// What becomes of the caller's credentials.
    #[must_use]
    pub fn credentials(&self) -> CredentialHandling {
        match self {
            Self::IdentityHeader(_) | Self::InProcess => CredentialHandling::Drop,
            Self::CallerSignature => CredentialHandling::Keep,
        }
    }
}

/// An operation that is served.
#[derive(Clone)]
pub struct Route {
    /// The operation.
    pub operation: Arc<Operation>,
    /// How its upstream knows who calls.
    pub auth: Arc<UpstreamAuth>,
}

/// The operations that are served.
#[derive(Clone, Default)]
pub struct Routes {
    auth: HashMap<Product, Arc<UpstreamAuth>>,
    uncatalogued: HashMap<(String, String), String>,
}

impl Routes {
    /// Serves a product.
    pub fn serve_product(&mut self, product: Product, auth: UpstreamAuth) {
        self.auth.insert(product, Arc::new(auth));
    }

    /// Serves an operation of a product outside the catalogue.
    pub fn serve_operation(&mut self, product: &str, version: &str, action: &str) {
        self.uncatalogued
            .insert((version.to_owned(), action.to_owned()), product.to_owned());
    }

    /// The operation that a request names.
    ///
    /// # Errors
    /// [`Fault::ApiNotFound`] where it names no action; [`Fault::InvalidVersion`] where nothing serves it.
    pub fn resolve(&self, catalogue: &Catalogue, name: &OperationName) -> Result<Route, Fault> {
        let action = name.action.as_deref().ok_or(Fault::ApiNotFound)?;
        let operation = match catalogue.operation(&name.version, action) {
            Some(operation) => operation,
            None => {
                let key = (name.version.clone(), action.to_owned());
                let product = self.uncatalogued.get(&key).ok_or(Fault::InvalidVersion)?;
                catalogue
                    .foreign(product, &name.version, action)
                    .map_err(|_| Fault::InvalidVersion)?
            }
        };
        let auth = self.auth.get(operation.product());
        let auth = auth.ok_or(Fault::InvalidVersion)?;
        Ok(Route {
            auth: Arc::clone(auth),
            operation: Arc::new(operation),
        })
    }
}
