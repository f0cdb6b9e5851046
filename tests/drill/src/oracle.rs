//! Answers the cases of `tests/oracle` with akgate's own code: the memory of a node, the resolution of operations, and
//! the verdict. `tests/oracle/README.md` describes cases and answers.

use std::{
    collections::HashMap,
    io::{BufRead, BufWriter, Write},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    process::Command,
};

use akgate_gateway::{
    GateSettings,
    decide::{CallFacts, Decider, policy_in_force},
    routes::{OtherProduct, Routes, UpstreamAuth},
    trace::VerdictLabel,
};
use akgate_rules::{
    access_key::AccessKeyId,
    exception::{Exception, ExceptionScope},
    fault::Fault,
    operation::{Blocklist, Catalogue, Operation, Product},
    position::{BootInstant, History, Position},
    request::{ApiRequest, RawRequest},
    restriction::RestrictionState,
    verdict::{DecisionBasis, Mode, Policy, Profile, Refusal, Standing, Verdict, permit_anonymous},
};
use akgate_state::{
    calls::why::RefusalReason,
    directory::sessions::Ancestor,
    live::{
        feed::facts::{ExceptionFact, RegistryFacts, RestrictionFact},
        memory::{AccountOverrides, LiveRegistry},
    },
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Result;

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: u64,
    now: i64,
    lease: bool,
    policy: CasePolicy,
    accounts: HashMap<String, CaseAccount>,
    call: CaseCall,
    chain: Vec<CaseCredential>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CasePolicy {
    mode: Mode,
    switched: Option<Mode>,
    enforce_from: Option<i64>,
    profile: Profile,
    self_remedy: bool,
    refuse_unleased_reads: bool,
    anonymous: Vec<String>,
    others: Vec<CaseOther>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseOther {
    product: String,
    version: String,
    actions: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseAccount {
    profile: Option<Profile>,
    self_remedy: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseCall {
    version: String,
    action: String,
    parameters: HashMap<String, String>,
    source: Option<IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseCredential {
    id: String,
    #[serde(rename = "kind")]
    _kind: String,
    account: String,
    asked_at: Option<CasePosition>,
    restrictions: Option<Vec<CaseRestriction>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CasePosition {
    history: u128,
    revision: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseRestriction {
    state: RestrictionState,
    widened: bool,
    lifted_at: Option<CasePosition>,
    undone: bool,
    #[serde(rename = "tombstone")]
    _tombstone: bool,
    exceptions: Vec<CaseException>,
}

#[derive(Debug, Deserialize)]
struct CaseException {
    #[serde(flatten)]
    scope: ExceptionScope,
    expires: i64,
}

/// An answer.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    id: u64,
    decision: &'static str,
    grounds: String,
    restricted: Vec<&'a str>,
}

/// What does not change from case to case.
struct Rules {
    catalogue: Catalogue,
    strict: Blocklist,
}

/// Compares the answers of a drill program with the oracle's; returns whether all are the same.
///
/// # Errors
/// Python cannot be started.
pub fn compare(program: &Path, cases: usize, seed: u64) -> Result<bool> {
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../oracle/oracle.py");
    let mut python = Command::new("python3");
    python.arg(oracle).arg("compare");
    python.args(["--cases", &cases.to_string(), "--seed", &seed.to_string()]);
    python.args(["--", &program.to_string_lossy(), "answer"]);
    Ok(python.status()?.success())
}

/// Answers each line of `cases` by a line of `answers`.
///
/// # Errors
/// A line that is no case.
pub fn answer_cases(cases: impl BufRead, answers: impl Write) -> Result<()> {
    let mut answers = BufWriter::new(answers);
    let rules = Rules {
        catalogue: Catalogue::built_in()?,
        strict: Blocklist::strict()?,
    };
    for line in cases.lines() {
        let case: Case = serde_json::from_str(&line?)?;
        serde_json::to_writer(&mut answers, &rules.answer(&case)?)?;
        answers.write_all(b"\n")?;
    }
    Ok(answers.flush()?)
}

impl Rules {
    fn answer<'a>(&self, case: &'a Case) -> Result<Answer<'a>> {
        let say = |decision, grounds: &str| Answer {
            id: case.id,
            decision,
            grounds: grounds.to_owned(),
            restricted: Vec::new(),
        };
        let fault = |fault: &Fault| say("fault", &fault.code());
        let basis = DecisionBasis {
            position: Position {
                history: History(Uuid::nil()),
                revision: 0,
            },
            since: BootInstant::default(),
            is_leased: case.lease,
        };
        let settings = case.settings()?;
        let no_key = Fault::Missing("AccessKeyId");
        let action = case.call.action.as_str();
        if case.chain.is_empty() && !settings.allows_anonymous(Some(action)) {
            return Ok(fault(&no_key));
        }
        let operation = match self.operation(case) {
            Ok(operation) => operation,
            Err(found) => return Ok(fault(&found)),
        };
        let Some(signer) = case.chain.first() else {
            let permit = permit_anonymous(&operation, basis);
            return Ok(permit.map_or_else(
                || fault(&no_key),
                |permit| say("allow", VerdictLabel::from(permit.grounds()).as_str()),
            ));
        };
        let registry = case.registry()?;
        let decider = Decider {
            live: &registry,
            strict: &self.strict,
            default_profile: settings.profile,
        };
        let account_ids: Vec<String> = case.chain.iter().map(|one| one.account.clone()).collect();
        let (id, ancestors) = (AccessKeyId::parse(&signer.id)?, case.ancestors()?);
        let call = CallFacts {
            operation: &operation,
            access_key_id: &id,
            ancestors: &ancestors,
            account_id: &signer.account,
            account_ids: &account_ids,
            source: case.call.source.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            now: OffsetDateTime::from_unix_timestamp(case.now)?,
            basis,
        };
        let policy = policy_in_force(settings.policy, &registry);
        let parameter = |name: &str| case.call.parameters.get(name).map(String::as_str);
        let is_known = case.chain.iter().all(|one| one.restrictions.is_some());
        let verdict = if is_known {
            decider.decide(policy, &call, parameter)
        } else {
            // A node knows everything or nothing; the verdict also takes what lies between.
            let mut lineage = registry.lineage(&id, &ancestors);
            lineage.extend(case.chain.iter().filter_map(|one| match one.restrictions {
                Some(_) => None,
                None => Some(Standing::Unknown),
            }));
            decider.decide_lineage(policy, &call, &lineage, parameter)
        };
        Ok(match verdict {
            Verdict::Allow(permit) => say("allow", VerdictLabel::from(permit.grounds()).as_str()),
            Verdict::Refuse(Refusal::StandingUnknown) => say("unavailable", "standing"),
            Verdict::Refuse(Refusal::RestrictedKey(id)) => {
                let credential = case.restricted(id)?;
                let profile = decider.profile_of(&account_ids).as_str();
                let (product, effect) = (operation.product().code(), operation.effect().as_str());
                let reason = RefusalReason::of(product, effect, Some(profile));
                let reason = serde_json::to_value(reason)?;
                let reason = reason.as_str().ok_or("a reason is a text")?;
                Answer {
                    restricted: vec![&credential.id],
                    ..say("refuse", reason)
                }
            }
        })
    }

    fn operation(&self, case: &Case) -> std::result::Result<Operation, Fault> {
        let mut routes = Routes::default();
        for product in Product::CATALOGUED {
            routes.serve_product(product, UpstreamAuth::InProcess);
        }
        for other in &case.policy.others {
            routes.serve_product(Product::from_code(&other.product), UpstreamAuth::InProcess);
            routes.serve_other(OtherProduct {
                product: other.product.clone(),
                version: other.version.clone(),
                actions: other.actions.iter().cloned().collect(),
                ..OtherProduct::default()
            });
        }
        let route = routes.resolve(&self.catalogue, &rpc_call(&case.call)?)?;
        Ok(Operation::clone(&route.operation))
    }
}

/// The call as RPC writes it, with a signature that nobody looks at.
fn rpc_call(call: &CaseCall) -> std::result::Result<ApiRequest, Fault> {
    let target = format!(
        "/?Action={}&Version={}&AccessKeyId=LTAI5tFake&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0&SignatureNonce=1\
         &Timestamp=2026-11-24T12:00:00Z&Signature=AAAA",
        call.action, call.version
    );
    let uri = target.parse().map_err(|_| Fault::ApiNotFound)?;
    let mut head = http::Request::new(());
    *head.uri_mut() = uri;
    ApiRequest::parse(&RawRequest {
        head: head.into_parts().0,
        body: Bytes::new(),
    })
}

impl Case {
    fn settings(&self) -> Result<GateSettings> {
        let policy = &self.policy;
        let enforce_from = policy.enforce_from.map(OffsetDateTime::from_unix_timestamp);
        Ok(GateSettings {
            policy: Policy {
                mode: policy.mode,
                enforce_from: enforce_from.transpose()?,
                self_remedy: policy.self_remedy,
                refuses_unleased_reads: policy.refuse_unleased_reads,
            },
            profile: policy.profile,
            anonymous: policy.anonymous.clone(),
            ..GateSettings::default()
        })
    }

    /// The root first, as a session is read from the directory.
    fn ancestors(&self) -> Result<Vec<Ancestor>> {
        let pairs = self.chain.iter().zip(self.chain.iter().skip(1));
        let ancestors = pairs.rev().map(|(descendant, ancestor)| {
            let minted_at = descendant.asked_at.as_ref();
            Ok(Ancestor {
                access_key_id: AccessKeyId::parse(&ancestor.id)?,
                minted_at: minted_at.ok_or("a session was asked for")?.position(),
            })
        });
        ancestors.collect()
    }

    /// Every restriction with its id, which is its place, and the credential that it is on.
    fn restrictions(&self) -> impl Iterator<Item = (Uuid, &CaseCredential, &CaseRestriction)> {
        let all = self.chain.iter().flat_map(|on| {
            let made = on.restrictions.iter().flatten();
            made.map(move |made| (on, made))
        });
        all.zip(1..)
            .map(|((on, made), place)| (Uuid::from_u128(place), on, made))
    }

    fn restricted(&self, id: Uuid) -> Result<&CaseCredential> {
        let mut all = self.restrictions();
        let found = all.find_map(|(of, on, _)| (of == id).then_some(on));
        Ok(found.ok_or("the restriction is one of the case")?)
    }

    fn registry(&self) -> Result<LiveRegistry> {
        let mut facts = RegistryFacts {
            mode: self.policy.switched,
            ..RegistryFacts::default()
        };
        for (account_id, own) in &self.accounts {
            let own = AccountOverrides {
                profile: own.profile,
                self_remedy: own.self_remedy,
            };
            facts.accounts.push((account_id.clone(), own));
        }
        for (restriction_id, on, made) in self.restrictions() {
            let access_key_id = AccessKeyId::parse(&on.id)?;
            let lifted_at = made.lifted_at.as_ref().map(CasePosition::position);
            facts.restrictions.push(RestrictionFact {
                access_key_id: access_key_id.clone(),
                restriction_id,
                state: made.state,
                is_widened: made.widened,
                lifted_at: lifted_at.map(|at| if made.undone { at.at(0) } else { at }),
            });
            for exception in &made.exceptions {
                facts.exceptions.push(ExceptionFact {
                    access_key_id: access_key_id.clone(),
                    restriction_id,
                    exception: Exception {
                        scope: exception.scope.clone(),
                        expires_at: OffsetDateTime::from_unix_timestamp(exception.expires)?,
                    },
                });
            }
        }
        Ok(LiveRegistry::of_facts(facts)?)
    }
}

impl CasePosition {
    fn position(&self) -> Position {
        Position {
            history: History(Uuid::from_u128(self.history)),
            revision: self.revision,
        }
    }
}
