//! Fourth station: what upstream did is learnt and its outcome recorded, before the answer leaves.
//!
//! A commit that fails
//! is tried again for 5 seconds; then the caller is told of an error though the call was executed, since a
//! key that akgate does not know of is one that it cannot restrict.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use futures_core::future::BoxFuture;
use http_body_util::{BodyExt, Limited};
use sqlx::PgTransaction;
use tower::{Service, ServiceExt};

use super::{
    answer,
    authenticate::Authenticated,
    call::Answer,
    enforce::{Minted, Permitted, settle_unforwarded},
    gate::Gate,
    lesson::{Answered, Lesson, UserRef, is_taught_by},
};
use akgate_api::{keys::KeyStatus, receipts::Wait};
use akgate_rules::{access_key::AccessKeyId, fault::Fault, position::Position};
use akgate_state::{
    calls::{Outcome, batch::Settled},
    directory::{StateFault, principals, revision, sessions, within},
    live::barrier::Concern,
    restrictions::keys,
};

/// The longest answer to a call that left an intent, in bytes.
const LONGEST_ANSWER: usize = 8 << 20;

/// How long an answer may take to arrive.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long a lesson is tried to be committed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The station.
#[derive(Clone)]
pub struct Learn<S> {
    gate: Arc<Gate>,
    next: S,
}

impl<S> Learn<S> {
    /// A station in front of the next.
    pub fn new(gate: Arc<Gate>, next: S) -> Self {
        Self { gate, next }
    }
}

impl<S> Service<Permitted> for Learn<S>
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

    fn call(&mut self, permitted: Permitted) -> Self::Future {
        let (gate, next) = (Arc::clone(&self.gate), self.next.clone());
        Box::pin(async move {
            match permitted.intent {
                None => next.oneshot(permitted).await,
                Some(minted) => execute(gate, next, permitted, minted).await,
            }
        })
    }
}

async fn execute<S>(
    gate: Arc<Gate>,
    next: S,
    permitted: Permitted,
    minted: Minted,
) -> Result<Answer, Fault>
where
    S: Service<Permitted, Response = Answer, Error = Fault>,
{
    let call = Arc::clone(&permitted.authenticated.call);
    let taught = is_taught_by(&permitted.authenticated.operation);
    let teacher = Teacher::of(&permitted.authenticated, minted);
    // It is under way until its outcome is known.
    let _under_way = permitted.under_way.clone();
    let answered = match next.oneshot(permitted).await {
        Ok(answer) => whole(answer).await,
        Err(fault) => Err(fault),
    };
    let (outcome, status, code) = match &answered {
        Err(fault) if !call.was_sent.load(Ordering::Relaxed) => {
            settle_unforwarded(&gate, &call, minted.signed_at, fault);
            return Err(fault.clone());
        }
        Err(_) => (Outcome::Unknown, None, None),
        Ok((head, body)) if head.status.is_success() => {
            let learnt = if taught {
                learn(&gate, &teacher, head, body).await
            } else {
                Ok(())
            };
            match learnt {
                Ok(()) => (Outcome::Succeeded, Some(head.status), None),
                Err(reason) => {
                    tracing::error!(
                        request_id = call.request_id(),
                        reason,
                        "executed, not recorded: what upstream did could not be learnt"
                    );
                    (Outcome::NotRecorded, Some(head.status), None)
                }
            }
        }
        Ok((head, body)) => {
            let code = answer::read(&head.headers, body)
                .ok()
                .and_then(|tree| answer::text(&tree, &["Code"]).map(str::to_owned));
            (Outcome::Failed, Some(head.status), code)
        }
    };
    gate.recorder.settled(Settled {
        request_id: call.request_id,
        signed_at: minted.signed_at,
        outcome,
        status: status.map(|status| status.as_u16()),
        code,
        at: gate.clock.now(),
    });
    if outcome == Outcome::NotRecorded {
        return Err(Fault::Internal("executed, not recorded"));
    }
    answered.map(|(head, body)| Answer::from_parts(head, Body::from(body)))
}

/// The whole answer in memory, bounded.
async fn whole(answer: Answer) -> Result<(http::response::Parts, Bytes), Fault> {
    let (head, body) = answer.into_parts();
    let read = Limited::new(body, LONGEST_ANSWER).collect();
    match tokio::time::timeout(ANSWER_TIMEOUT, read).await {
        Ok(Ok(read)) => Ok((head, read.to_bytes())),
        Ok(Err(_)) | Err(_) => Err(Fault::Unavailable),
    }
}

/// What a lesson is read with, kept beyond the request itself.
struct Teacher {
    operation: akgate_rules::operation::Operation,
    parameters: akgate_rules::request::parameters::Parameters,
    caller: Option<Arc<super::lookup::Credentials>>,
    minted: Minted,
    call: Arc<super::call::Call>,
}

impl Teacher {
    fn of(authenticated: &Authenticated, minted: Minted) -> Self {
        Self {
            operation: authenticated.operation.clone(),
            parameters: authenticated.verified.request().parameters().clone(),
            caller: authenticated.caller.clone(),
            minted,
            call: Arc::clone(&authenticated.call),
        }
    }

    fn answered(&self) -> Answered<'_> {
        Answered {
            operation: &self.operation,
            parameters: &self.parameters,
            caller: self.caller.as_deref(),
            minted: self.minted,
            request_id: self.call.request_id,
            received_at: self.call.received_at,
        }
    }
}

async fn learn(
    gate: &Gate,
    teacher: &Teacher,
    head: &http::response::Parts,
    body: &Bytes,
) -> Result<(), String> {
    let tree = answer::read(&head.headers, body).map_err(|fault| fault.to_string())?;
    let lesson = teacher
        .answered()
        .lesson(&tree)
        .map_err(|fault| fault.to_string())?;
    let Some(lesson) = lesson else {
        return Ok(());
    };
    let account_id = teacher
        .caller
        .as_ref()
        .map_or("", |caller| caller.account_id.as_str());
    let timeout = gate.settings.database_timeout;
    let commit = || within(timeout, commit(gate, account_id, &lesson));
    let retries = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times();
    let committed =
        tokio::time::timeout(PATIENCE, commit.retry(retries).when(StateFault::may_pass)).await;
    let committed = match committed {
        Ok(Ok(position)) => position,
        Ok(Err(fault)) => return Err(fault.to_string()),
        Err(_) => return Err("the database does not take it".to_owned()),
    };
    let restricted = match gate.feed.reach(committed).await {
        Ok(()) => restricted_by(gate, &lesson),
        Err(fault) => {
            tracing::warn!(%fault, "what was learnt is committed, but not enforced here yet");
            Some(Concern::All)
        }
    };
    match restricted {
        // Every node enforces it before the answer leaves.
        Some(concern) => {
            let waited = gate.barrier.wait(committed, &concern, Wait::Enforced);
            waited.await.map(drop).map_err(|lost| lost.to_string())
        }
        None => Ok(()),
    }
}

/// What a lesson takes away: a pair that works no more, or one that came back to a restriction.
fn restricted_by(gate: &Gate, lesson: &Lesson) -> Option<Concern> {
    match lesson {
        Lesson::Status(_, KeyStatus::Inactive | KeyStatus::Deleted) | Lesson::DeletedUser(_) => {
            Some(Concern::All)
        }
        Lesson::Status(id, KeyStatus::Active) => restriction_of(gate, id),
        Lesson::NewKey(key) => restriction_of(gate, &key.record.access_key_id),
        Lesson::NewSession(_) | Lesson::NewUser(..) | Lesson::Renamed(..) => None,
    }
}

fn restriction_of(gate: &Gate, id: &AccessKeyId) -> Option<Concern> {
    let is_restricted = gate.live.is_restricted(id);
    is_restricted.then(|| Concern::Keys(vec![id.clone()]))
}

async fn commit(gate: &Gate, account_id: &str, lesson: &Lesson) -> Result<Position, StateFault> {
    let mut rng = gate.randomness.rng();
    let mut tx = gate.pool.begin().await?;
    let at = revision::advance(&mut tx, gate.clock.now()).await?;
    match lesson {
        Lesson::NewKey(key) => {
            keys::keep(&mut tx, &gate.ring, key, at, &mut rng).await?;
        }
        Lesson::Status(id, status) => {
            keys::set_status(&mut tx, id, *status, at).await?;
        }
        Lesson::NewSession(session) => {
            sessions::keep(&mut tx, &gate.ring, session, at, &mut rng).await?;
        }
        Lesson::NewUser(name, user_id) => {
            let id = principals::keep(&mut tx, account_id, Some(name), at.now).await?;
            if let Some(user_id) = user_id {
                principals::set_user_id(&mut tx, id, user_id).await?;
            }
        }
        Lesson::Renamed(user, to) => {
            let from = name_of(&mut tx, account_id, user).await?;
            principals::rename(&mut tx, account_id, &from, to, at).await?;
        }
        Lesson::DeletedUser(user) => {
            let name = name_of(&mut tx, account_id, user).await?;
            principals::delete(&mut tx, account_id, &name, at).await?;
        }
    }
    tx.commit().await?;
    Ok(at.position())
}

async fn name_of(
    tx: &mut PgTransaction<'_>,
    account_id: &str,
    user: &UserRef,
) -> Result<String, StateFault> {
    match user {
        UserRef::Name(name) => Ok(name.clone()),
        UserRef::Id(id) => principals::name_of(tx, account_id, id).await,
    }
}
