//! Names that upstreams trust because only a gateway can have written them: a caller must not sign them.

use std::collections::HashSet;

use super::ApiRequest;
use crate::fault::Fault;

/// Headers that servers and frameworks trust about path, method and address of a call, and that the vendor's own gateway
/// writes about its caller.
pub const DEFAULT_RESERVED_HEADERS: [&str; 19] = [
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-host",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "x-remote-user",
    "x-acs-caller-uid",
    "x-acs-caller-type",
    "x-acs-caller-bid",
    "x-acs-parent-id",
    "x-acs-source-ip",
    "x-acs-security-transport",
];

/// Parameters of the same kind.
pub const DEFAULT_RESERVED_PARAMETERS: [&str; 10] = [
    "callerUid",
    "callerBid",
    "callerType",
    "callerParentId",
    "callerUidLoginEmail",
    "callerBidLoginEmail",
    "ak_mfa_present",
    "ak_proven",
    "security_transport",
    "_method",
];

/// The reserved names.
#[derive(Debug, Clone)]
pub struct ReservedNames {
    headers: HashSet<String>,
    parameters: HashSet<String>,
}

impl Default for ReservedNames {
    fn default() -> Self {
        Self::new(DEFAULT_RESERVED_HEADERS, DEFAULT_RESERVED_PARAMETERS)
    }
}

impl ReservedNames {
    /// Reserves names; case and marks make no difference.
    pub fn new<H: AsRef<str>, P: AsRef<str>>(
        headers: impl IntoIterator<Item = H>,
        parameters: impl IntoIterator<Item = P>,
    ) -> Self {
        let fold = |name: &str| fold_name(name).collect();
        Self {
            headers: headers
                .into_iter()
                .map(|name| fold(name.as_ref()))
                .collect(),
            parameters: parameters
                .into_iter()
                .map(|name| fold(name.as_ref()))
                .collect(),
        }
    }

    /// Checks that a call has none of them among what is forwarded.
    ///
    /// # Errors
    /// [`Fault::InvalidParameter`], which names it.
    pub fn check(&self, request: &ApiRequest) -> Result<(), Fault> {
        let mut folded = String::new();
        let mut is_in = |names: &HashSet<String>, name: &str| {
            folded.clear();
            folded.extend(fold_name(name));
            names.contains(folded.as_str())
        };
        let headers = request.forwarded_headers().iter();
        let mut headers = headers.map(|(name, _)| name.as_str());
        let header = headers.find(|name| is_in(&self.headers, name));
        let mut parameters = request.parameters().iter().map(|(name, _)| name);
        match header.or_else(|| parameters.find(|name| is_in(&self.parameters, name))) {
            Some(name) => Err(Fault::parameter(
                name,
                "this name is reserved: a server could take its value for the gateway's own",
            )),
            None => Ok(()),
        }
    }
}

/// The letters and digits of a name, in lower case.
fn fold_name(name: &str) -> impl Iterator<Item = char> + '_ {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
}
