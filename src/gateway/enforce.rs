//! Third station: the standing of the key and of its ancestors, the verdict, and the intent.
//!
//! 1. The verdict is made from memory, on the basis that was read when the call was received. A refusal ends here: it
//!    is counted and kept in batches.
//! 2. A read that news could refuse needs the node's lease: what was answered before the call came is in memory then.
//!    Without one it is waited for a little.
//! 3. Whatever is no plain read leaves a durable intent first; the statement that writes it also refuses
//!    a replay at any node, and says where the registry stood when it began.
//! 4. Where that is not what the permit was decided at, or before, the node catches up, looks the caller up and decides
//!    again, and joins that permit with the same intent: a mutation that comes after a restriction at another node is
//!    refused, however late the news ([`Permit::joined_with`]).
//! 5. With the database away a read by a cached key passes, from the last known state, unless it needs the lease;
//!    everything else is refused as unavailable.
//!
//! From the intent on a call runs to its end whether or not its caller waits for it.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::future::BoxFuture;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tower::{Service, ServiceExt};
use uuid::Uuid;

use super::{
    authenticate::{Authenticated, prove_again},
    call::{Answer, Call},
    gate::Gate,
    lookup::Credentials,
};
use akgate_rules::{
    fault::Fault,
    operation::Operation,
    position::Position,
    request::ApiRequest,
    verdict::{
        self, Clearance, Facts, Grounds, Permit, Policy, Profile, Refusal, Standing, Verdict,
    },
};
use akgate_state::{
    calls::{
        CallRecord, Outcome,
        batch::{CountKey, Refused, Settled},
        in_flight::EnteredIntent,
        intents::{self, Intent, Written},
    },
    directory::within,
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
    pub clearance: Clearance,
    /// The intent that was written; `None` for a plain read.
    pub intent: Option<Minted>,
    /// Counts it as under way; `None` for a plain read and a federated call.
    pub under_way: Option<Arc<EnteredIntent>>,
}

/// Names an intent that was written.
#[derive(Debug, Clone, Copy)]
pub struct Minted {
    /// Where the registry stood when it was written: what this call mints, it mints then.
    pub position: Position,
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
        Box::pin(enforce(gate, authenticated, next))
    }
}

/// For how long a read waits for the node's lease.
const LEASE_PATIENCE: Duration = Duration::from_millis(100);

/// How often a call is decided anew because the registry moves on meanwhile.
const DECISIONS: usize = 4;

async fn enforce<S>(
    gate: Arc<Gate>,
    mut authenticated: Authenticated,
    next: S,
) -> Result<Answer, Fault>
where
    S: Service<Permitted, Response = Answer, Error = Fault> + Send + 'static,
    S::Future: Send,
{
    let permit = decide_leased(&gate, &mut authenticated).await?;
    match permit.of_read() {
        Ok(clearance) => {
            let permitted = Permitted {
                authenticated,
                clearance,
                intent: None,
                under_way: None,
            };
            note(&gate, &permitted);
            next.oneshot(permitted).await
        }
        Err(permit) => {
            // On a task of its own: the caller may hang up, intent and outcome are written all the same.
            let executed = tokio::spawn(async move {
                let permitted = intend(&gate, authenticated, permit).await?;
                note(&gate, &permitted);
                next.oneshot(permitted).await
            });
            executed
                .await
                .unwrap_or(Err(Fault::Internal("a call ended in a panic")))
        }
    }
}

/// Writes the intent, and decides again where another node knows more.
async fn intend(
    gate: &Gate,
    mut authenticated: Authenticated,
    permit: Permit,
) -> Result<Permitted, Fault> {
    let intent = intent(gate, &authenticated, permit.grounds());
    let signed_at = intent.signed_at;
    let timeout = gate.settings.database_timeout;
    let caller = authenticated.caller.as_ref();
    let under_way = caller.map(|caller| {
        let position = permit.basis().position;
        Arc::new(gate.calls.intend(caller.root(), position))
    });
    let position = match within(timeout, intents::write(&gate.pool, &intent)).await {
        Ok(Written::At(position)) => position,
        Ok(Written::Replay) => return Err(Fault::NonceUsed),
        Err(fault) => {
            tracing::warn!(request_id = authenticated.call.request_id(), %fault, "an intent cannot be written");
            return Err(Fault::Unavailable);
        }
    };
    let cleared = match position {
        Some(position) => {
            let minted = Minted {
                position,
                signed_at,
            };
            let under_way = under_way.as_deref();
            let joined = join(gate, &mut authenticated, permit, position, under_way);
            joined.await.map(|clearance| (clearance, minted))
        }
        // The database has another server, and nobody has said yet which history that goes on with.
        None => Err(Fault::Unavailable),
    };
    match cleared {
        Ok((clearance, minted)) => Ok(Permitted {
            authenticated,
            clearance,
            intent: Some(minted),
            under_way,
        }),
        Err(fault) => {
            settle_unforwarded(gate, &authenticated.call, signed_at, &fault);
            Err(fault)
        }
    }
}

/// The intent of a call that is not forwarded.
pub(super) fn settle_unforwarded(
    gate: &Gate,
    call: &Call,
    signed_at: OffsetDateTime,
    fault: &Fault,
) {
    gate.recorder.settled(Settled {
        request_id: call.request_id,
        signed_at,
        outcome: Outcome::NotForwarded,
        status: None,
        code: Some(fault.code().into_owned()),
        at: gate.clock.now(),
    });
}

/// Joins a permit with its intent; where the registry has changed since the decision, a new one.
async fn join(
    gate: &Gate,
    authenticated: &mut Authenticated,
    mut permit: Permit,
    intent: Position,
    under_way: Option<&EnteredIntent>,
) -> Result<Clearance, Fault> {
    for _ in 0..DECISIONS {
        let wanted = match permit.joined_with(intent) {
            Ok(clearance) => return Ok(clearance),
            Err(outdated) => outdated.wanted,
        };
        gate.feed
            .reach(wanted)
            .await
            .map_err(|_| Fault::Unavailable)?;
        permit = decide_anew(gate, authenticated).await?;
        if let Some(under_way) = under_way {
            under_way.decided_at(permit.basis().position);
        }
    }
    Err(Fault::Unavailable)
}

/// Clears a call anew whose clearance is too old: as if it had come now, but for its intent, which it has.
///
/// # Errors
/// What the caller is told.
pub(super) async fn clear_anew(
    gate: &Gate,
    authenticated: &mut Authenticated,
    intent: Option<Minted>,
    under_way: Option<&EnteredIntent>,
) -> Result<Clearance, Fault> {
    match intent {
        None => {
            prove_again(gate, authenticated, gate.basis()).await?;
            let permit = decide_leased(gate, authenticated).await?;
            permit.of_read().map_err(|_| Fault::Unavailable)
        }
        Some(minted) => {
            // A node that was stopped knows of nothing since.
            gate.feed.catch_up().await.map_err(|_| Fault::Unavailable)?;
            let permit = decide_anew(gate, authenticated).await?;
            join(gate, authenticated, permit, minted.position, under_way).await
        }
    }
}

/// Looks the caller up and decides, from what is known now.
async fn decide_anew(gate: &Gate, authenticated: &mut Authenticated) -> Result<Permit, Fault> {
    prove_again(gate, authenticated, gate.basis()).await?;
    decide(gate, authenticated).map_err(|denied| denied.tell(gate, authenticated))
}

/// Decides; a read that needs the node's lease waits for it a little.
async fn decide_leased(gate: &Gate, authenticated: &mut Authenticated) -> Result<Permit, Fault> {
    match decide(gate, authenticated) {
        Ok(permit) => Ok(permit),
        Err(Denied::Refused(Refusal::StandingUnknown)) if !authenticated.basis.is_leased => {
            let mut takings = gate.lease.takings();
            if !gate.basis().is_leased {
                let taken = tokio::time::timeout(LEASE_PATIENCE, takings.changed());
                drop(taken.await);
            }
            decide_anew(gate, authenticated).await
        }
        Err(denied) => Err(denied.tell(gate, authenticated)),
    }
}

/// Why there is no permit.
enum Denied {
    /// By the verdict.
    Refused(Refusal),
    /// It carries no AccessKey, and is none of the calls that may.
    Anonymous,
}

impl Denied {
    /// Keeps it for the record; gives what the caller is told.
    fn tell(&self, gate: &Gate, authenticated: &Authenticated) -> Fault {
        match *self {
            Self::Anonymous => Fault::Missing("AccessKeyId"),
            Self::Refused(refusal) => {
                authenticated.call.verdict.get_or_init(|| outcome(refusal));
                if let (Refusal::RestrictedKey(_), Some(caller)) = (refusal, &authenticated.caller)
                {
                    record_refusal(gate, authenticated, caller, refusal, false);
                }
                refusal.into()
            }
        }
    }
}

fn decide(gate: &Gate, authenticated: &Authenticated) -> Result<Permit, Denied> {
    let Authenticated {
        caller,
        operation,
        basis,
        ..
    } = authenticated;
    let Some(caller) = caller else {
        authenticated.call.verdict.get_or_init(|| "anonymous");
        return verdict::permit_anonymous(operation, *basis).ok_or(Denied::Anonymous);
    };
    match weigh(gate, authenticated, caller) {
        Verdict::Allow(permit) => Ok(permit),
        Verdict::Refuse(refusal) => Err(Denied::Refused(refusal)),
    }
}

/// The verdict of a call that goes no further. At a mirror refusals are withheld, so that nothing is recorded but
/// what was seen.
///
/// # Errors
/// What the caller would be told.
pub fn judge(gate: &Gate, authenticated: &Authenticated) -> Result<(), Fault> {
    let permit = decide(gate, authenticated).map_err(|denied| denied.tell(gate, authenticated))?;
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
    let now = gate.latest.see(gate.clock.now());
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
        basis: authenticated.basis,
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
    let verdict = grounds(permitted.clearance.permit().grounds());
    authenticated.call.verdict.get_or_init(|| verdict);
    match permitted.clearance.permit().withheld() {
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
        revision: authenticated.basis.position.revision,
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
        basis: _,
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
