//! Last step of a change: updates the directory from the upstream's answer and records the outcome, before the answer
//! is sent.
//!
//! A commit that the database may yet take is repeated for 5 seconds. Then the caller gets an error although the call was executed: akgate
//! cannot restrict an access key that it does not know of.

use std::{sync::atomic::Ordering, time::Duration};

use axum::body::Body;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use http::response::Parts;
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

use super::{
    answer_tree::{AnswerError, read_answer, text_at},
    authenticate::Authenticated,
    gate::Gate,
    learnt_change::{AnsweredCall, LearntFrom, MissingField, learnt_from},
    outcome::record_outcome,
    trace::Trace,
    upstream::Answer,
};
use akgate_api::{keys::KeyStatus, receipts::Wait};
use akgate_rules::{access_key::AccessKeyId, fault::Fault, position::Position};
use akgate_state::{
    calls::CallOutcome,
    directory::{StateFault, with_timeout},
    keys::directory_change::DirectoryChange,
    live::barrier::{AffectedKeys, LostChange},
};

/// The longest answer to a call that left an intent, in bytes.
const LONGEST_ANSWER: usize = 8 << 20;

/// How long an answer may take to arrive.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a failing commit is repeated.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Why the directory was not updated after a change was executed.
#[derive(Debug, thiserror::Error)]
enum LearnError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    MissingField(#[from] MissingField),
    #[error(transparent)]
    State(#[from] StateFault),
    #[error(transparent)]
    Barrier(#[from] LostChange),
    #[error("the database did not commit it in time: {0}")]
    TimedOut(String),
    #[error("the call has no intent")]
    NoIntent,
}

/// Updates the directory from the answer to a change, and records the outcome.
///
/// # Errors
/// The fault of the upstream; [`Fault::Internal`] if the change was executed and the directory cannot be updated.
pub async fn learn(
    gate: &Gate,
    trace: &mut Trace,
    authenticated: &Authenticated,
    answer: Answer,
) -> Result<Answer, Fault> {
    let (head, body) = read_whole_answer(answer).await?;
    let status = Some(head.status);
    if head.status.is_success() {
        if let Err(reason) = learn_change(gate, trace, authenticated, &head, &body).await {
            let request_id = trace.request_id();
            tracing::error!(
                request_id,
                %reason,
                "executed, not recorded: what upstream did could not be learnt"
            );
            record_outcome(gate, trace, CallOutcome::NotRecorded, status, None);
            return Err(Fault::Internal("executed, not recorded"));
        }
        record_outcome(gate, trace, CallOutcome::Succeeded, status, None);
    } else {
        let tree = read_answer(&head.headers, &body).ok();
        let code = tree.and_then(|tree| text_at(&tree, &["Code"]).map(str::to_owned));
        record_outcome(gate, trace, CallOutcome::Failed, status, code);
    }
    Ok(Answer::from_parts(head, Body::from(body)))
}

/// The whole answer in memory, bounded.
async fn read_whole_answer(answer: Answer) -> Result<(Parts, Bytes), Fault> {
    let (head, body) = answer.into_parts();
    let read = Limited::new(body, LONGEST_ANSWER).collect();
    match tokio::time::timeout(ANSWER_TIMEOUT, read).await {
        Ok(Ok(read)) => Ok((head, read.to_bytes())),
        Ok(Err(_)) | Err(_) => Err(Fault::Unavailable),
    }
}

async fn learn_change(
    gate: &Gate,
    trace: &Trace,
    authenticated: &Authenticated,
    head: &Parts,
    body: &Bytes,
) -> Result<(), LearnError> {
    let tree = match learnt_from(&authenticated.operation) {
        LearntFrom::Nothing => return Ok(()),
        LearntFrom::Answer => read_answer(&head.headers, body)?,
        LearntFrom::Call => read_answer(&head.headers, body).unwrap_or_else(|reason| {
            warn_unreadable(gate, trace, authenticated, reason);
            Value::Null
        }),
    };
    let answered = AnsweredCall {
        operation: &authenticated.operation,
        parameters: authenticated.verified.request().parameters(),
        caller: authenticated.caller.as_deref(),
        minted_at: authenticated.intent.ok_or(LearnError::NoIntent)?,
        request_id: trace.request_id,
        received_at: trace.received_at,
    };
    let Some(change) = answered.directory_change(&tree)? else {
        return Ok(());
    };
    let caller = authenticated.caller.as_ref();
    let account_id = caller.map_or("", |caller| caller.account_id.as_str());
    let Some(committed) = commit(gate, account_id, &change).await? else {
        return Ok(());
    };
    let taken_away = match gate.feed.reach(committed).await {
        Ok(()) => keys_affected_by(gate, &change),
        Err(fault) => {
            tracing::warn!(%fault, "what was learnt is committed, but not enforced here yet");
            Some(AffectedKeys::All)
        }
    };
    if let Some(concern) = taken_away {
        // Every node enforces it before the answer is sent.
        let waited = gate.barrier.wait(committed, &concern, Wait::Enforced);
        waited.await?;
    }
    Ok(())
}

/// Warns about a handler whose answers cannot be read: once, not for every call.
fn warn_unreadable(gate: &Gate, trace: &Trace, authenticated: &Authenticated, reason: AnswerError) {
    if !gate.has_warned_of_answers.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            request_id = trace.request_id(),
            action = authenticated.operation.action(),
            %reason,
            "cannot read an upstream's answers: they are passed on, and changes are learnt only from the requests"
        );
    }
}

/// Commits a change, and tries again if the database fails: not if the change itself is at fault.
async fn commit(
    gate: &Gate,
    account_id: &str,
    change: &DirectoryChange,
) -> Result<Option<Position>, LearnError> {
    let commit_once = async || {
        let mut rng = gate.randomness.rng();
        let now = gate.clock.now();
        let applied = gate.directory.apply(account_id, change, now, &mut rng);
        with_timeout(gate.settings.database_timeout, applied).await
    };
    let retries = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times();
    let mut last = "it does not answer".to_owned();
    let committing = commit_once
        .retry(retries)
        .when(|fault| fault.may_pass() && !fault.is_about_data())
        .notify(|fault, _| last = fault.to_string());
    match tokio::time::timeout(COMMIT_PATIENCE, committing).await {
        Ok(committed) => Ok(committed?),
        Err(_) => Err(LearnError::TimedOut(last)),
    }
}

/// The keys whose calls a change must stop on every node: a key that was disabled or deleted, or a restricted key that
/// is active again.
fn keys_affected_by(gate: &Gate, change: &DirectoryChange) -> Option<AffectedKeys> {
    match change {
        DirectoryChange::KeyStatus(_, KeyStatus::Inactive | KeyStatus::Deleted)
        | DirectoryChange::DeletedUser(_) => Some(AffectedKeys::All),
        DirectoryChange::KeyStatus(id, KeyStatus::Active) => affected_keys_of(gate, id),
        DirectoryChange::NewKey(key) => affected_keys_of(gate, &key.record.access_key_id),
        // Restricted at its birth, where a restriction reaches what it came through.
        DirectoryChange::NewSession(session) => {
            affected_keys_of(gate, &session.record.access_key_id)
        }
        DirectoryChange::NewUser(..) | DirectoryChange::RenamedUser(..) => None,
    }
}

fn affected_keys_of(gate: &Gate, id: &AccessKeyId) -> Option<AffectedKeys> {
    let is_restricted = gate.live.is_restricted(id);
    is_restricted.then(|| AffectedKeys::Keys(vec![id.clone()]))
}
