//! The intent of a change: written before the change is forwarded, and joined with its permit.
//!
//! 1. The statement that writes the intent also refuses a replay at any node, and says where the registry stood when it
//!    began.
//! 2. If the permit was decided at an older position, the node catches up, looks the caller up again, decides again and
//!    joins the new permit with the same intent. So a change that comes after a restriction is refused, however late the
//!    news reaches this node ([`Permit::bind_to_intent`]).
//! 3. A clearance that is too old is replaced by a new one in the same way ([`clear_again`]).

use super::{
    authenticate::{Authenticated, reverify_caller},
    enforce::{PendingChange, Permitted, decide_again, permit_with_lease},
    gate::Gate,
    judge::{call_record, record_permit},
    trace::{OpenIntent, Trace, VerdictLabel},
};
use akgate_rules::{
    fault::Fault,
    lineage,
    position::Position,
    verdict::{Clearance, Grounds, Permit},
};
use akgate_state::{
    calls::intents::{Creation, Intent, IntentOutcome},
    directory::with_timeout,
};

/// How many times a call is decided again because the registry has changed.
const DECISIONS: usize = 4;

/// Writes the intent of a change and joins it with the permit.
///
/// # Errors
/// [`Fault::NonceUsed`] for a replay, [`Fault::Unavailable`] if the intent cannot be written, or the fault of a
/// refusal. An intent that was written stays open in the trace.
pub async fn record_intent(
    gate: &Gate,
    trace: &mut Trace,
    change: PendingChange,
) -> Result<Permitted, Fault> {
    let PendingChange {
        mut authenticated,
        permit,
    } = change;
    let intent = intent_of(gate, trace, &authenticated, permit.grounds());
    if let Some(caller) = &authenticated.caller {
        let position = permit.basis().position;
        trace.in_flight_intent = Some(gate.calls.enter_with_intent(caller.root(), position));
    }
    let open = OpenIntent {
        signed_at: intent.signed_at,
        made: intent.made.as_ref().map(|creation| creation.made.clone()),
    };
    let timeout = gate.settings.database_timeout;
    let position = match with_timeout(timeout, gate.intents.submit(intent)).await {
        Ok(IntentOutcome::At(position)) => position,
        Ok(IntentOutcome::Replay) => return Err(Fault::NonceUsed),
        Err(fault) => {
            tracing::warn!(request_id = trace.request_id(), %fault, "an intent cannot be written");
            return Err(Fault::Unavailable);
        }
    };
    trace.open_intent = Some(open);
    // `None`: the database runs on another server, whose history is not known yet.
    let position = position.ok_or(Fault::Unavailable)?;
    authenticated.intent = Some(position);
    let clearance = join(gate, trace, &mut authenticated, permit, position).await?;
    record_permit(gate, trace, &authenticated, clearance.permit());
    Ok(Permitted {
        authenticated,
        clearance,
    })
}

/// Clears a call again whose clearance has expired: it is decided as if it had just arrived, but keeps its intent.
///
/// # Errors
/// The fault that the caller gets.
pub async fn clear_again(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &mut Authenticated,
) -> Result<Clearance, Fault> {
    match authenticated.intent {
        None => {
            reverify_caller(gate, authenticated, gate.basis()).await?;
            let permit = permit_with_lease(gate, trace, authenticated).await?;
            permit.clear_read().map_err(|_| Fault::Unavailable)
        }
        Some(position) => {
            // A node that was stopped has missed all changes since.
            gate.feed.catch_up().await.map_err(|_| Fault::Unavailable)?;
            let permit = decide_again(gate, trace, authenticated).await?;
            join(gate, trace, authenticated, permit, position).await
        }
    }
}

/// Joins a permit with its intent; if the registry has changed since the decision, decides again first.
async fn join(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &mut Authenticated,
    mut permit: Permit,
    intent: Position,
) -> Result<Clearance, Fault> {
    for _ in 0..DECISIONS {
        let required = match permit.bind_to_intent(intent) {
            Ok(clearance) => return Ok(clearance),
            Err(outdated) => outdated.required,
        };
        gate.feed
            .reach(required)
            .await
            .map_err(|_| Fault::Unavailable)?;
        permit = decide_again(gate, trace, authenticated).await?;
        if let Some(entered) = &trace.in_flight_intent {
            entered.decided_at(permit.basis().position);
        }
    }
    Err(Fault::Unavailable)
}

fn intent_of(
    gate: &Gate,
    trace: &Trace,
    authenticated: &Authenticated,
    grounds: Grounds,
) -> Intent {
    let (nonce, signed_at) = match &authenticated.verified.request().claim {
        Some(claim) => (claim.nonce.clone(), claim.signed_at),
        // A call without a signature cannot be replayed: each is a new call.
        None => (trace.request_id.to_string(), trace.received_at),
    };
    let parameters = authenticated.verified.request().parameters();
    let parameter = |name: &str| parameters.get(name);
    let caller = authenticated.caller.as_deref();
    let root = match caller {
        Some(caller) => caller.session_root().map(str::to_owned),
        None => lineage::provider_origin(parameter),
    };
    let made = caller.and_then(|caller| {
        let account_id = &caller.account_id;
        let made = lineage::object_made_by(&authenticated.operation, account_id, parameter)?;
        let origins = caller.origins();
        Some(Creation { made, origins })
    });
    Intent {
        call: call_record(gate, trace, authenticated),
        nonce,
        signed_at,
        grounds: VerdictLabel::from(grounds).as_str(),
        root,
        made,
    }
}
