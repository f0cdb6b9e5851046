//! Which upstream serves an operation. `Version` tells the four catalogued products apart; another product's
//! operations are those that the configuration lists. Host never chooses.

use std::collections::HashMap;

use akgate_rules::{
    fault::Fault,
    mac_key::MacKey,
    operation::{Catalogue, Operation, Product},
    request::OperationName,
    signature::Credentials,
};

/// How an upstream trusts akgate.
#[derive(Clone)]
pub enum Trust {
    /// By an identity under this key; the caller's credentials end here.
    Identity(MacKey),
    /// It verifies the caller's signature itself.
    Signature,
}

impl Trust {
    /// What becomes of the caller's credentials.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        match self {
            Self::Identity(_) => Credentials::Drop,
            Self::Signature => Credentials::Keep,
        }
    }
}

/// The upstreams by product.
#[derive(Default)]
pub struct Routes {
    trust: HashMap<Product, Trust>,
    foreign: HashMap<(String, String), String>,
}

impl Routes {
    /// A product is served.
    pub fn serve(&mut self, product: Product, trust: Trust) {
        self.trust.insert(product, trust);
    }

    /// An operation of a product outside the catalogue is served.
    pub fn list(&mut self, product: &str, version: &str, action: &str) {
        self.foreign
            .insert((version.to_owned(), action.to_owned()), product.to_owned());
    }

    /// The operation that a request names, and how its upstream trusts us.
    ///
    /// # Errors
    /// [`Fault::ApiNotFound`] where it names no action; [`Fault::InvalidVersion`] where nothing serves it.
    pub fn find(
        &self,
        catalogue: &Catalogue,
        name: &OperationName,
    ) -> Result<(Operation, &Trust), Fault> {
        let action = name.action.as_deref().ok_or(Fault::ApiNotFound)?;
        let operation = match catalogue.operation(&name.version, action) {
            Some(operation) => operation,
            None => {
                let key = (name.version.clone(), action.to_owned());
                let product = self.foreign.get(&key).ok_or(Fault::InvalidVersion)?;
                catalogue
                    .foreign(product, &name.version, action)
                    .map_err(|_| Fault::InvalidVersion)?
            }
        };
        let trust = self
            .trust
            .get(operation.product())
            .ok_or(Fault::InvalidVersion)?;
        Ok((operation, trust))
    }
}
