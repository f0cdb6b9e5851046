//! A request to the sandbox: the caller, as the gateway has authenticated it, and the parameters.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    caller::Caller,
    domains::AccountDomains,
    record_kind::{RecordKind, RecordSet},
    refused::SandboxFault,
};
use akgate_rules::{
    identity::{IDENTITY_HEADER, Identity},
    mac_key::MacKey,
    operation::Product,
    request::{
        format::ErrorFormat,
        parameters::{Parameters, decode_pairs},
    },
};

/// A request that came through the gateway.
pub struct SandboxRequest {
    /// As the gateway wrote it.
    pub identity: Identity,
    /// Who calls.
    pub caller: Caller,
    /// What the account's users are called after their `@`.
    pub domains: AccountDomains,
    /// Query and body as one map.
    pub parameters: Parameters,
    /// The form of the answer.
    pub format: ErrorFormat,
}

impl SandboxRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// [`SandboxFault`] where it did not come through the gateway, or is not as the gateway prints one.
    pub fn read(
        request: &http::Request<Bytes>,
        key: &MacKey,
        now: OffsetDateTime,
    ) -> Result<Self, SandboxFault> {
        let header = request
            .headers()
            .get(IDENTITY_HEADER)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| {
                SandboxFault::stranger("The request did not come through the gateway.")
            })?;
        let target = request
            .uri()
            .path_and_query()
            .map_or("", http::uri::PathAndQuery::as_str);
        let printed = (request.method().as_str(), target, &request.body()[..]);
        let identity = Identity::open(header, key, printed, now)
            .map_err(|fault| SandboxFault::stranger(fault.to_string()))?;
        let caller = Caller::of(&identity)
            .ok_or_else(|| SandboxFault::stranger("The sandbox does not know such a principal."))?;
        let query = request.uri().query().unwrap_or_default();
        let mut pairs =
            decode_pairs(query.as_bytes()).map_err(|fault| malformed_request(&fault))?;
        pairs.extend(parse_body_pairs(request)?);
        let parameters = Parameters::collect(pairs).map_err(|fault| malformed_request(&fault))?;
        let format = match parameters.get("Format") {
            Some(format) if format.eq_ignore_ascii_case("xml") => ErrorFormat::Xml,
            Some(_) => ErrorFormat::Json,
            None => ErrorFormat::asked_for(b"", b"", request.headers()),
        };
        Ok(Self {
            identity,
            caller,
            domains: AccountDomains::default(),
            parameters,
            format,
        })
    }

    /// Whether it is asked in the form of IMS.
    pub fn is_ims(&self) -> bool {
        Product::from_code(&self.identity.product) == Product::Ims
    }

    /// The caller's account's records of a kind.
    pub fn records(&self, kind: RecordKind) -> RecordSet<'_> {
        RecordSet {
            account_id: &self.caller.account_id,
            kind,
        }
    }

    /// `UserPrincipalName` of a user of the caller's account.
    pub fn principal_name(&self, user_name: &str) -> String {
        let domain = self.domains.default_of(&self.caller.account_id);
        format!("{user_name}@{domain}")
    }

    /// A parameter, where it is given and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).filter(|text| !text.is_empty())
    }

    /// A parameter that must be given.
    ///
    /// # Errors
    /// [`SandboxFault::missing`].
    pub fn must(&self, name: &str) -> Result<&str, SandboxFault> {
        self.get(name).ok_or_else(|| SandboxFault::missing(name))
    }

    /// A list: one parameter with a JSON document, as the SDKs of RAM send it, or flattened to
    /// `NAME.1`, `NAME.2` and `NAME.1.Member`, as generic clients do. Empty where it is not given.
    ///
    /// # Errors
    /// [`SandboxFault::incorrect`] where it is neither, or both.
    pub fn list(&self, name: &str) -> Result<Vec<Value>, SandboxFault> {
        let flattened = self.flattened(name);
        match self.get(name) {
            None => Ok(flattened),
            Some(_) if !flattened.is_empty() => Err(SandboxFault::incorrect(name)),
            Some(text) => serde_json::from_str(text).map_err(|_| SandboxFault::incorrect(name)),
        }
    }

    /// A list of texts.
    ///
    /// # Errors
    /// As [`SandboxRequest::list`]; or where something in it is no text.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, SandboxFault> {
        self.list(name)?
            .into_iter()
            .map(|one| match one {
                Value::String(text) => Ok(text),
                _ => Err(SandboxFault::incorrect(name)),
            })
            .collect()
    }

    fn flattened(&self, name: &str) -> Vec<Value> {
        let mut items: BTreeMap<u32, Value> = BTreeMap::new();
        for (given, text) in self.parameters.iter() {
            let Some(rest) = given
                .strip_prefix(name)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            let (position, member) = match rest.split_once('.') {
                Some((position, member)) => (position, Some(member)),
                None => (rest, None),
            };
            let Ok(position) = position.parse() else {
                continue;
            };
            match member {
                None => {
                    items.insert(position, text.into());
                }
                Some(member) => {
                    let item = items
                        .entry(position)
                        .or_insert_with(|| Value::Object(Map::new()));
                    if let Value::Object(members) = item {
                        members.insert(member.to_owned(), text.into());
                    }
                }
            }
        }
        items.into_values().collect()
    }
}

fn malformed_request(fault: &akgate_rules::fault::Fault) -> SandboxFault {
    SandboxFault::stranger(fault.message().into_owned())
}

fn parse_body_pairs(request: &http::Request<Bytes>) -> Result<Vec<(String, String)>, SandboxFault> {
    let content_type = request
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if request.body().is_empty() {
        return Ok(Vec::new());
    }
    if content_type.starts_with("application/json") {
        let members: Map<String, Value> = serde_json::from_slice(request.body())
            .map_err(|_| SandboxFault::stranger("The body is not a JSON object."))?;
        let text = |value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        return Ok(members
            .into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect());
    }
    decode_pairs(request.body()).map_err(|fault| malformed_request(&fault))
}
