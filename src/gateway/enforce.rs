//! Third station: the standing of the key and of its ancestors, the verdict, and the intent.
//!
//! 1. The verdict is made from memory. A refusal ends here: it is counted and kept in batches.
//! 2. Whatever is no plain read leaves a durable intent first; the statement that writes it also refuses
//!    a replay at any node, and says at which revision it was written.
//! 3. Where that revision is ahead of this node, the node catches up and decides again: a mutation that
//!    comes after a restriction at another node is refused, however late the news.
//! 4. With the database away a read by a cached key passes, from the last known state; everything else is
//!    refused as unavailable.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_core::future::BoxFuture;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tower::{Service, ServiceExt};
use uuid::Uuid;

use super::{authenticate::Authenticated, call::Answer, gate::Gate, lookup::Credentials};
use crate::{
    calls::{
        CallRecord, Outcome,
        batch::{CountKey, Refused, Settled},
        intents::{self, Intent, Written},
    },
    directory::within,
    fault::Fault,
    operation::{Effect, Operation},
    request::ApiRequest,
    verdict::{self, Facts, Grounds, Permit, Policy, Profile, Refusal, Standing, Verdict},
};

/// The verdict on a call that is refused.
pub const REFUSED: &str = "refused";

/// The verdict on a call that would have been refused.
pub const WITHHELD: &str = "withheld";

/// The verdict that cannot be made.
pub const UNKNOWN: &str = "unknown";

/// A request that may go upstream, once.
pub struct Permitted {
    /// The proven request.
    pub authenticated: Authenticated,
    /// Leave to forward it.
    pub permit: Permit,
    /// The intent that was written; `None` for a plain read.
    pub intent: Option<Minted>,
}

/// Names an intent that was written.
#[derive(Debug, Clone, Copy)]
pub struct Minted {
    /// The revision of the registry at that moment: what this call mints, it mints then.
    pub revision: i64,
    /// When the call was signed.
    pub signed_at: OffsetDateTime,
}

/// The station.
#[derive(Clone)]
pub struct Enforce<S> {
    gate: Arc<Gate>,
    next: S,
}

impl<S> Enforce<S> {
    /// A station in front of the next.
    pub fn new(gate: Arc<Gate>, next: S) -> Self {
        Self { gate, next }
    }
}

impl<S> Service<Authenticated> for Enforce<S>
where
    S: Service<Permitted, Response = Answer, Error = Fault> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Answer, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, authenticated: Authenticated) -> Self::Future {
        let (gate, next) = (Arc::clone(&self.gate), self.next.clone());
        Box::pin(async move { next.oneshot(enforce(&gate, authenticated).await?).await })
    }
}

async fn enforce(gate: &Gate, authenticated: Authenticated) -> Result<Permitted, Fault> {
    let permit = decide(gate, &authenticated)?;
    let permitted = match authenticated.operation.effect() {
        Effect::Read => Permitted {
            authenticated,
            permit,
            intent: None,
        },
        Effect::Disclose
        | Effect::Mutate(_)
        | Effect::MintSession
        | Effect::Unknown
        | Effect::Uncatalogued => intend(gate, authenticated, permit).await?,
    };
    note(gate, &permitted);
    Ok(permitted)
}

/// Writes the intent, and decides again where another node knows more.
async fn intend(
    gate: &Gate,
    authenticated: Authenticated,
    permit: Permit,
) -> Result<Permitted, Fault> {
    let intent = intent(gate, &authenticated, permit.grounds());
    let signed_at = intent.signed_at;
    let timeout = gate.settings.database_timeout;
    let revision = match within(timeout, intents::write(&gate.pool, &intent)).await {
        Ok(Written::At(revision)) => revision,
        Ok(Written::Replay) => return Err(Fault::NonceUsed),
        Err(fault) => {
            tracing::warn!(request_id = authenticated.call.request_id(), %fault, "an intent cannot be written");
            return Err(Fault::Unavailable);
        }
    };
    let minted = Minted {
        revision,
        signed_at,
    };
    let permit = if gate.feed.revision() >= revision {
        Ok(permit)
    } else {
        again(gate, &authenticated, revision).await
    };
    match permit {
        Ok(permit) => Ok(Permitted {
            authenticated,
            permit,
            intent: Some(minted),
        }),
        Err(fault) => {
            gate.recorder.settled(Settled {
                request_id: authenticated.call.request_id,
                signed_at,
                outcome: Outcome::NotForwarded,
                status: None,
                code: Some(fault.code().into_owned()),
                at: gate.clock.now(),
            });
            Err(fault)
        }
    }
}

async fn again(gate: &Gate, authenticated: &Authenticated, revision: i64) -> Result<Permit, Fault> {
    gate.feed
        .reach(revision)
        .await
        .map_err(|_| Fault::Unavailable)?;
    if let Some(caller) = &authenticated.caller {
        let now = gate.clock.now();
        gate.lookup.find(&caller.access_key_id, now).await?;
    }
    decide(gate, authenticated)
}

fn decide(gate: &Gate, authenticated: &Authenticated) -> Result<Permit, Fault> {
    let Authenticated {
        caller,
        operation,
        call,
        ..
    } = authenticated;
    let Some(caller) = caller else {
        call.verdict.get_or_init(|| "anonymous");
        return verdict::permit_anonymous(operation).ok_or(Fault::Missing("AccessKeyId"));
    };
    match weigh(gate, authenticated, caller) {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Refuse(refusal) => {
            call.verdict.get_or_init(|| outcome(refusal));
            if let Refusal::RestrictedKey(_) = refusal {
                record_refusal(gate, authenticated, caller, refusal, false);
            }
            Err(refusal.into())
        }
    }
}

/// The verdict of a call that goes no further. At a mirror refusals are withheld, so that nothing is recorded but
/// what was seen.
///
/// # Errors
/// What the caller would be told.
pub fn judge(gate: &Gate, authenticated: &Authenticated) -> Result<(), Fault> {
    let permit = decide(gate, authenticated)?;
    let call = &authenticated.call;
    call.verdict.get_or_init(|| grounds(permit.grounds()));
    if let Some(Refusal::RestrictedKey(id)) = permit.withheld() {
        call.restriction.get_or_init(|| id);
    }
    Ok(())
}

fn weigh(gate: &Gate, authenticated: &Authenticated, caller: &Credentials) -> Verdict {
    let operation = &authenticated.operation;
    let lineage = gate.live.lineage(&caller.access_key_id, caller.ancestors());
    let parameters = authenticated.verified.request().parameters();
    let now = gate.clock.now();
    // A clear key does not pay for what only a restricted one is asked.
    let is_clear = lineage.iter().all(|one| *one == Standing::Clear);
    let id = &caller.access_key_id;
    let source = authenticated.call.peer.ip;
    let facts = Facts {
        operation,
        lineage: &lineage,
        profile: profile(gate, caller),
        policy: match is_clear {
            true => gate.policy(),
            false => policy(gate, caller),
        },
        is_excepted: !is_clear && gate.live.is_excepted(id, operation, source, now),
        remedies_itself: verdict::remedies_itself(operation, &caller.access_key_id, |name| {
            parameters.get(name)
        }),
        now,
    };
    verdict::decide(&gate.strict, &facts)
}

/// The policy in force, with the lane of the caller's account.
fn policy(gate: &Gate, caller: &Credentials) -> Policy {
    let policy = gate.policy();
    let own = gate.live.account(&caller.account_id).self_remedy;
    Policy {
        self_remedy: own.unwrap_or(policy.self_remedy),
        ..policy
    }
}

/// The strictest profile of the accounts that the lineage runs through.
fn profile(gate: &Gate, caller: &Credentials) -> Profile {
    let of = |account_id: &String| {
        gate.live
            .account(account_id)
            .profile
            .unwrap_or(gate.settings.profile)
    };
    caller
        .account_ids()
        .iter()
        .map(of)
        .reduce(Profile::stricter)
        .unwrap_or(gate.settings.profile)
}

fn note(gate: &Gate, permitted: &Permitted) {
    let authenticated = &permitted.authenticated;
    let Some(caller) = &authenticated.caller else {
        return;
    };
    let verdict = grounds(permitted.permit.grounds());
    authenticated.call.verdict.get_or_init(|| verdict);
    match permitted.permit.withheld() {
        Some(refusal) => record_refusal(gate, authenticated, caller, refusal, true),
        None => gate.recorder.forwarded(count_key(authenticated, caller)),
    }
}

fn record_refusal(
    gate: &Gate,
    authenticated: &Authenticated,
    caller: &Credentials,
    refusal: Refusal,
    withheld: bool,
) {
    let restriction_id: Option<Uuid> = match refusal {
        Refusal::RestrictedKey(id) => Some(id),
        Refusal::StandingUnknown => None,
    };
    if let Some(id) = restriction_id {
        authenticated.call.restriction.get_or_init(|| id);
    }
    let refused = Refused {
        call: record(gate, authenticated),
        restriction_id,
        withheld,
        profile: profile(gate, caller),
        revision: gate.feed.revision(),
    };
    gate.recorder
        .refused(count_key(authenticated, caller), refused);
}

fn count_key(authenticated: &Authenticated, caller: &Credentials) -> CountKey {
    let operation = &authenticated.operation;
    let at = authenticated.call.received_at;
    CountKey {
        access_key_id: caller.access_key_id.clone(),
        hour: at.truncate_to_hour(),
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
    }
}

fn intent(gate: &Gate, authenticated: &Authenticated, why: Grounds) -> Intent {
    let call = record(gate, authenticated);
    let (nonce, signed_at) = match &authenticated.verified.request().claim {
        Some(claim) => (claim.nonce.clone(), claim.signed_at),
        // Nothing is signed, so nothing can be replayed: every such call is one of its own.
        None => (call.request_id.to_string(), call.received_at),
    };
    Intent {
        call,
        nonce,
        signed_at,
        grounds: grounds(why),
    }
}

fn record(gate: &Gate, authenticated: &Authenticated) -> CallRecord {
    let Authenticated {
        verified,
        caller,
        operation,
        call,
    } = authenticated;
    let caller = caller.as_deref();
    CallRecord {
        request_id: call.request_id,
        access_key_id: caller.map(|caller| caller.access_key_id.clone()),
        account_id: caller.map_or_else(String::new, |caller| caller.account_id.clone()),
        principal: caller.map_or_else(String::new, |caller| caller.principal.clone()),
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
        effect: operation.effect().as_str(),
        names: names(gate, verified.request(), operation),
        source_ip: call.peer.ip.to_string(),
        user_agent: call.user_agent.clone(),
        received_at: call.received_at,
    }
}

/// The parameters that the catalogue lists for keeping. A text is cut: it is a name, not a document.
fn names(gate: &Gate, request: &ApiRequest, operation: &Operation) -> Map<String, Value> {
    const LONGEST: usize = 256;
    gate.catalogue
        .kept_names(operation)
        .filter_map(|name| {
            let value: String = request
                .parameters()
                .get(name)?
                .chars()
                .take(LONGEST)
                .collect();
            Some((name.to_owned(), Value::String(value)))
        })
        .collect()
}

fn outcome(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::RestrictedKey(_) => REFUSED,
        Refusal::StandingUnknown => UNKNOWN,
    }
}

fn grounds(why: Grounds) -> &'static str {
    match why {
        Grounds::Clear => "clear",
        Grounds::Harmless(_) => "harmless",
        Grounds::SelfRemedy(_) => "self-remedy",
        Grounds::Excepted(_) => "excepted",
        Grounds::Withheld(_) => WITHHELD,
        Grounds::Off => "off",
        Grounds::Anonymous => "anonymous",
    }
}
