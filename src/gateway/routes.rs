//! Which operations are served, and how the upstream of each trusts akgate. The `Version` tells the four catalogued
//! products apart; the configuration lists the operations of other products. Where two products have the same `Version`
//! and `Action`, the `Host` that ACS3 signs tells them apart, if an upstream gives its hosts.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use akgate_rules::{
    fault::Fault,
    mac_key::MacKey,
    operation::{Catalogue, Operation, Product},
    request::{
        ApiRequest,
        style::{CallStyle, check_style},
    },
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
    /// The form that its calls have.
    pub style: CallStyle,
    /// Whether the catalogue or the configuration lists its action: any other is the caller's own text.
    pub is_listed: bool,
}

impl Route {
    /// Checks that a call has the form of its product.
    ///
    /// # Errors
    /// As [`check_style`].
    pub fn check_style(&self, request: &ApiRequest) -> Result<(), Fault> {
        check_style(request, self.style)
    }
}

/// What is served of a product outside the catalogue.
#[derive(Debug, Clone, Default)]
pub struct OtherProduct {
    /// Its product code.
    pub product: String,
    /// Its API version.
    pub version: String,
    /// The actions that are served.
    pub actions: HashSet<String>,
    /// Whether every action is served.
    pub serves_all: bool,
    /// The hosts that callers sign for this product, in lower case; with the port, where there is one.
    pub hosts: HashSet<String>,
    /// The form of its calls.
    pub style: CallStyle,
}

impl OtherProduct {
    fn serves(&self, action: &str) -> bool {
        self.serves_all || self.actions.contains(action)
    }
}

/// The operations that are served.
#[derive(Clone, Default)]
pub struct Routes {
    auth: HashMap<Product, Arc<UpstreamAuth>>,
    others: HashMap<String, Vec<OtherProduct>>,
}

/// Whose operation is meant.
#[derive(Clone, Copy)]
enum Candidate<'r> {
    Catalogued,
    Other(&'r OtherProduct),
}

impl Routes {
    /// Serves a product.
    pub fn serve_product(&mut self, product: Product, auth: UpstreamAuth) {
        self.auth.insert(product, Arc::new(auth));
    }

    /// Serves operations of a product outside the catalogue.
    pub fn serve_other(&mut self, other: OtherProduct) {
        let version = self.others.entry(other.version.clone()).or_default();
        let known = version
            .iter_mut()
            .find(|known| known.product == other.product);
        match known {
            None => version.push(other),
            Some(known) => {
                known.actions.extend(other.actions);
                known.hosts.extend(other.hosts);
                known.serves_all |= other.serves_all;
            }
        }
    }

    /// The products that are served.
    pub fn products(&self) -> impl Iterator<Item = &Product> {
        self.auth.keys()
    }

    /// The operation that a request names.
    ///
    /// # Errors
    /// [`Fault::ApiNotFound`] where it names no action; [`Fault::InvalidVersion`] where nothing serves its version;
    /// [`Fault::ActionNotFound`] where nothing serves its action; [`Fault::AmbiguousProduct`] where it does not say which
    /// of two products is meant.
    pub fn resolve(&self, catalogue: &Catalogue, request: &ApiRequest) -> Result<Route, Fault> {
        let name = &request.operation;
        let (version, action) = (name.version.as_str(), name.action.as_deref());
        let action = action.ok_or(Fault::ApiNotFound)?;
        let (operation, style, is_listed) =
            match self.find_candidate(catalogue, request, version, action)? {
                Candidate::Catalogued => {
                    let operation = catalogue.operation(version, action);
                    let is_listed = catalogue.lists(version, action);
                    (
                        operation.ok_or(Fault::InvalidVersion)?,
                        CallStyle::Rpc,
                        is_listed,
                    )
                }
                Candidate::Other(other) => {
                    let named = catalogue.foreign_of_upstream(&other.product, version, action);
                    let is_listed = other.actions.contains(action);
                    (
                        named.map_err(|_| Fault::InvalidVersion)?,
                        other.style,
                        is_listed,
                    )
                }
            };
        let auth = self.auth.get(operation.product());
        let auth = auth.ok_or(Fault::InvalidVersion)?;
        Ok(Route {
            auth: Arc::clone(auth),
            operation: Arc::new(operation),
            style,
            is_listed,
        })
    }

    fn find_candidate(
        &self,
        catalogue: &Catalogue,
        request: &ApiRequest,
        version: &str,
        action: &str,
    ) -> Result<Candidate<'_>, Fault> {
        let owner = catalogue.product_of(version);
        let Some(of_version) = self.others.get(version) else {
            let known = owner.map(|_| Candidate::Catalogued);
            return known.ok_or(Fault::InvalidVersion);
        };
        let serving = || of_version.iter().filter(|other| other.serves(action));
        let host = request.signed_host().map(str::to_ascii_lowercase);
        let has_this_host = |other: &OtherProduct| {
            let host = host.as_deref();
            host.is_some_and(|host| other.hosts.contains(host))
        };
        let mut by_host = serving().filter(|other| has_this_host(other));
        match (by_host.next(), by_host.next()) {
            (Some(one), None) => return Ok(Candidate::Other(one)),
            (Some(_), Some(_)) => return Err(Fault::AmbiguousProduct),
            (None, _) => {}
        }
        // A product whose hosts are known is not meant by a call that signs another one, if there is another product.
        let may_be_meant = |other: &&OtherProduct| host.is_none() || other.hosts.is_empty();
        let is_catalogued = owner.is_some() && catalogue.lists(version, action);
        let catalogued = is_catalogued.then_some(Candidate::Catalogued);
        let count = serving().count() + usize::from(is_catalogued);
        let mut meant = serving()
            .filter(|other| count == 1 || may_be_meant(other))
            .map(Candidate::Other)
            .chain(catalogued);
        match (meant.next(), meant.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => Err(Fault::AmbiguousProduct),
            (None, _) if count > 0 => Err(Fault::AmbiguousProduct),
            // An action that the catalogue does not list is unknown, and refused to restricted keys.
            (None, _) if owner.is_some() => Ok(Candidate::Catalogued),
            (None, _) => Err(Fault::ActionNotFound),
        }
    }
}

#[cfg(test)]
mod tests {
    use akgate_rules::request::RawRequest;
    use bytes::Bytes;

    use super::*;

    const DAY: &str = "2021-01-15";

    fn other(product: &str, version: &str, actions: &[&str], hosts: &[&str]) -> OtherProduct {
        OtherProduct {
            product: product.into(),
            version: version.into(),
            actions: actions.iter().map(|action| (*action).into()).collect(),
            serves_all: actions == ["*"],
            hosts: hosts.iter().map(|host| (*host).into()).collect(),
            style: CallStyle::Rpc,
        }
    }

    fn routes(others: &[OtherProduct]) -> Routes {
        let mut routes = Routes::default();
        routes.serve_product(Product::Ims, UpstreamAuth::CallerSignature);
        for other in others {
            let product = Product::from_code(&other.product);
            routes.serve_product(product, UpstreamAuth::CallerSignature);
            routes.serve_other(other.clone());
        }
        routes
    }

    /// An ACS3 call that signs this host, or an RPC call.
    fn call(version: &str, action: &str, host: Option<&str>) -> ApiRequest {
        let mut head = http::Request::new(());
        let set = |head: &mut http::Request<()>, name: &'static str, value: &str| {
            head.headers_mut().insert(name, value.parse().unwrap());
        };
        match host {
            Some(host) => {
                set(&mut head, "host", host);
                set(&mut head, "x-acs-action", action);
                set(&mut head, "x-acs-version", version);
                set(&mut head, "x-acs-date", "2026-11-24T12:00:00Z");
                set(&mut head, "x-acs-signature-nonce", "1");
                set(&mut head, "x-acs-content-sha256", "00");
                let signed = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version";
                let authorization = format!(
                    "ACS3-HMAC-SHA256 Credential=LTAI5tFake,SignedHeaders={signed},Signature=00"
                );
                set(&mut head, "authorization", &authorization);
            }
            None => {
                *head.uri_mut() = format!(
                    "/?Action={action}&Version={version}&AccessKeyId=LTAI5tFake&SignatureMethod=HMAC-SHA1\
                     &SignatureVersion=1.0&SignatureNonce=1&Timestamp=2026-11-24T12:00:00Z&Signature=AAAA"
                )
                .parse()
                .unwrap();
            }
        }
        let head = head.into_parts().0;
        ApiRequest::parse(&RawRequest {
            head,
            body: Bytes::new(),
        })
        .unwrap()
    }

    fn resolve(routes: &Routes, version: &str, action: &str, host: Option<&str>) -> String {
        let catalogue = Catalogue::built_in().unwrap();
        match routes.resolve(&catalogue, &call(version, action, host)) {
            Ok(route) => route.operation.product().code().to_owned(),
            Err(fault) => fault.code().into_owned(),
        }
    }

    #[test]
    fn pair_of_products_is_told_apart_by_the_signed_host_or_not_at_all() {
        let both = [
            other(
                "PAIPlugin",
                DAY,
                &["DeleteApplication", "OnlyHere"],
                &["plugin.example"],
            ),
            other("PaiStudio", DAY, &["DeleteApplication"], &[]),
        ];
        let routes = routes(&both);
        let resolve = |action, host| resolve(&routes, DAY, action, host);
        assert_eq!(
            resolve("DeleteApplication", Some("Plugin.example")),
            "PAIPlugin"
        );
        assert_eq!(
            resolve("DeleteApplication", Some("other.example")),
            "PaiStudio"
        );
        assert_eq!(
            resolve("DeleteApplication", None),
            "InvalidProduct.Ambiguous"
        );
        assert_eq!(resolve("OnlyHere", Some("other.example")), "PAIPlugin");
        assert_eq!(resolve("OnlyHere", None), "PAIPlugin");
        assert_eq!(resolve("Nowhere", None), "InvalidAction.NotFound");
    }

    #[test]
    fn pair_without_hosts_is_ambiguous_and_two_hosts_are_told_apart() {
        let pair = |hosts: [&[&str]; 2]| {
            let [one, two] = hosts;
            routes(&[
                other("oos", DAY, &["*"], one),
                other("smc", DAY, &["A"], two),
            ])
        };
        let blind = pair([&[], &[]]);
        assert_eq!(
            resolve(&blind, DAY, "A", Some("a")),
            "InvalidProduct.Ambiguous"
        );
        assert_eq!(resolve(&blind, DAY, "B", None), "oos");
        let seeing = pair([&["a"], &["b"]]);
        assert_eq!(resolve(&seeing, DAY, "A", Some("a")), "oos");
        assert_eq!(resolve(&seeing, DAY, "A", Some("b")), "smc");
        assert_eq!(
            resolve(&seeing, DAY, "A", Some("c")),
            "InvalidProduct.Ambiguous"
        );
    }

    #[test]
    fn product_of_a_catalogued_version_gets_its_own_calls_and_no_other() {
        let ims = "2019-08-15";
        let routes = routes(&[other(
            "SOFA",
            ims,
            &["CreateUser", "QueryMsg"],
            &["sofa.example"],
        )]);
        assert_eq!(
            resolve(&routes, ims, "CreateUser", Some("sofa.example")),
            "SOFA"
        );
        assert_eq!(
            resolve(&routes, ims, "CreateUser", Some("ims.example")),
            "IMS"
        );
        assert_eq!(
            resolve(&routes, ims, "CreateUser", None),
            "InvalidProduct.Ambiguous"
        );
        assert_eq!(resolve(&routes, ims, "QueryMsg", None), "SOFA");
        assert_eq!(
            resolve(&routes, ims, "NoSuchAction", Some("sofa.example")),
            "IMS"
        );
        assert_eq!(
            resolve(&routes, "2099-01-01", "CreateUser", None),
            "InvalidVersion"
        );
    }

    #[test]
    fn no_operation_of_public_metadata_is_misrouted() {
        let rows: Vec<[&str; 4]> = include_str!("../../tests/vectors/public_actions.csv")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(1)
            .map(|line| line.split(',').collect::<Vec<_>>().try_into().unwrap())
            .collect();
        let mut routes = Routes::default();
        for [product, version, _, action] in &rows {
            let known = Product::from_code(product);
            if !known.is_catalogued() {
                let host = format!("{product}.example").to_lowercase();
                routes.serve_other(other(product, version, &[action], &[&host]));
            }
            routes.serve_product(known, UpstreamAuth::CallerSignature);
        }
        let catalogue = Catalogue::built_in().unwrap();
        let mut ambiguous = 0;
        for [product, version, _, action] in &rows {
            let product = Product::from_code(product);
            let host = format!("{product}.example");
            let signed = routes.resolve(&catalogue, &call(version, action, Some(&host)));
            let signed = signed.unwrap_or_else(|fault| panic!("{product} {action}: {fault:?}"));
            assert_eq!(*signed.operation.product(), product, "{action}");
            match routes.resolve(&catalogue, &call(version, action, None)) {
                Ok(route) => assert_eq!(*route.operation.product(), product, "{action}"),
                Err(Fault::AmbiguousProduct) => ambiguous += 1,
                Err(fault) => panic!("{product} {action}: {fault:?}"),
            }
        }
        // Of 21 operations that two or three products have.
        assert_eq!((rows.len(), ambiguous), (16_242, 43));
    }
}
