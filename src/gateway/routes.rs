//! Which operations are served, and how the upstream of each trusts akgate. The `Version` tells the four catalogued
//! products apart; the configuration lists the operations of other products. The `Host` header has no influence.

use std::{collections::HashMap, sync::Arc};

use akgate_rules::{
    fault::Fault,
    mac_key::MacKey,
    operation::{Catalogue, Operation, Product},
    request::OperationName,
    signature::CredentialHandling,
};

/// How an upstream learns who calls.
#[derive(Clone)]
pub enum UpstreamAuth {
    /// From the identity header, with a MAC under this key; the caller's credentials are removed.
    IdentityHeader(MacKey),
    /// It verifies the caller's signature itself.
    CallerSignature,
    /// From a value in the request's extensions: it is a handler in this process.
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
    /// How its upstream learns who calls.
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

    /// The products that are served.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.auth.keys()
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
