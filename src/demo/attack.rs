//! The attack: an attacker who found alice's AccessKey races against the report of the leak, at every node.
//!
//! Four callers go through every move again and again, half a second before the report and a second and a half after
//! its answer. A call that was sent before the answer may still get through; none that was sent after it may. What
//! counts is whether the handlers were reached; where an answer does not show that, the account is inspected at the end
//! with its root key.

mod moves;
pub mod tally;

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::{
    moves::{AttackMove, AttackState, AttackerAssets, RAM_VERSION},
    tally::{AttackCall, AttackTally},
};
use super::{
    report::{DemoReport, Endpoints},
    scenario::ScenarioFault,
    seed::Fixtures,
};
use akgate_client::signer::{ApiReply, SigningClient, SigningCredentials};
use akgate_state::clock::Clock;

/// How long the attack goes on before the report.
const TIME_BEFORE_REPORT: Duration = Duration::from_millis(500);

/// How long it goes on after the report's answer.
const TIME_AFTER_REPORT: Duration = Duration::from_millis(1500);

/// Concurrent callers.
const CALLER_COUNT: usize = 4;

/// How many calls are signed before the report, to be sent after it.
const PRESIGNED_CALLS: usize = 2_000;

/// Runs the attack; returns how many calls that were sent after the report's answer got through.
///
/// # Errors
/// [`ScenarioFault`] if it cannot be run.
pub async fn run_attack<W: Write>(
    endpoints: &Endpoints,
    fixtures: &Fixtures,
    report: &mut DemoReport<W>,
    clock: Arc<dyn Clock>,
) -> Result<usize, ScenarioFault> {
    let caller = SigningClient::default();
    let assets = AttackerAssets::gather(
        endpoints,
        fixtures,
        &caller,
        clock.as_ref(),
        PRESIGNED_CALLS,
    )
    .await?;
    let field = Arc::new(AttackState {
        gateways: endpoints.gateway_urls.clone(),
        next: AtomicUsize::new(0),
        caller,
        clock,
        assets,
        began: Instant::now(),
        over: AtomicBool::new(false),
    });
    let mut callers = JoinSet::new();
    for turn in 0..CALLER_COUNT {
        callers.spawn(repeat_moves(Arc::clone(&field), turn));
    }
    tokio::time::sleep(TIME_BEFORE_REPORT).await;
    let reported = field.ms();
    let answer = report_leak(endpoints, &field.caller, &fixtures.alice).await?;
    let answered = field.ms();
    if answer.status != 201 {
        return Err(ScenarioFault::Lacking("a restriction"));
    }
    tokio::time::sleep(TIME_AFTER_REPORT).await;
    field.over.store(true, Ordering::Relaxed);
    let mut tries = Vec::new();
    while let Some(ended) = callers.join_next().await {
        tries.extend(ended.map_err(|_| ScenarioFault::Lacking("an attacker"))??);
    }
    let users = list_users(&field, &fixtures.root).await?;
    let tally = AttackTally::new(reported, answered, tries, &users);
    report.show(&tally, AttackTally::text)?;
    report_left_behind(endpoints, fixtures, &field, report).await?;
    Ok(tally.through_after())
}

/// Repeats all moves until the end; returns the calls that were made.
async fn repeat_moves(
    field: Arc<AttackState>,
    turn: usize,
) -> Result<Vec<AttackCall>, ScenarioFault> {
    let mut tries = Vec::new();
    let moves = AttackMove::ALL
        .iter()
        .cycle()
        .skip(turn * AttackMove::ALL.len() / CALLER_COUNT);
    for one in moves {
        if field.over.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("mallory-{}", uuid::Uuid::new_v4().simple());
        let sent = field.ms();
        if let Some((last_sent, reply)) = one.play(&field, &name).await? {
            tries.push(AttackCall {
                what: *one,
                // Of a move of two calls, the second is the one that counts.
                sent: last_sent.unwrap_or(sent),
                got: summarize_reply(&reply),
                reached: one.reached(&reply),
                user_name: name,
            });
        }
    }
    Ok(tries)
}

async fn report_leak(
    endpoints: &Endpoints,
    caller: &SigningClient,
    key: &SigningCredentials,
) -> Result<ApiReply, ScenarioFault> {
    let body = json!({
        "access_key_id": key.access_key_id,
        "access_key_secret": key.access_key_secret,
        "source": "github",
        "reference": format!("attack-{}", uuid::Uuid::new_v4()),
        "url": "https://github.com/example/app/blob/main/.env",
    });
    let url = format!("{}/admin/v1/leak-reports", endpoints.admin_url);
    let token = Some(endpoints.operator_token.as_str());
    Ok(caller.plain(Method::POST, &url, token, Some(&body)).await?)
}

/// Lists the users of the account at the end.
async fn list_users(
    field: &AttackState,
    root: &SigningCredentials,
) -> Result<Vec<String>, ScenarioFault> {
    let mut found = Vec::new();
    let mut marker = String::new();
    loop {
        let mut parameters = vec![("MaxItems", "1000")];
        if !marker.is_empty() {
            parameters.push(("Marker", marker.as_str()));
        }
        let reply = field
            .call(root, RAM_VERSION, "ListUsers", &parameters)
            .await?;
        let page = reply.body.get("Users").and_then(|users| users.get("User"));
        let page = page
            .and_then(Value::as_array)
            .ok_or(ScenarioFault::Lacking("Users"))?;
        found.extend(
            page.iter()
                .filter_map(|user| user.get("UserName")?.as_str().map(str::to_owned)),
        );
        match reply.text(&["Marker"]) {
            Some(next) => marker = next.to_owned(),
            None => return Ok(found),
        }
    }
}

/// Reports about a key that the attacker created in time: it is a key of its own, and the report says what to do about
/// it.
async fn report_left_behind<W: Write>(
    endpoints: &Endpoints,
    fixtures: &Fixtures,
    field: &AttackState,
    report: &mut DemoReport<W>,
) -> Result<(), ScenarioFault> {
    let Some(made) = field.assets.made() else {
        return Ok(());
    };
    let try_it = async || {
        let name = format!("mallory-{}", uuid::Uuid::new_v4().simple());
        field
            .call(&made, RAM_VERSION, "CreateUser", &[("UserName", &name)])
            .await
    };
    let works = try_it().await?.summary();
    let url = format!(
        "{}/admin/v1/keys/{}/activity",
        endpoints.admin_url, fixtures.alice.access_key_id
    );
    let token = Some(endpoints.operator_token.as_str());
    let activity = field.caller.plain(Method::GET, &url, token, None).await?;
    let named = activity.body.get("created_keys").and_then(Value::as_array);
    let is_it = |one: &Value| {
        one.get("access_key_id").and_then(Value::as_str) == Some(made.access_key_id.as_str())
    };
    let is_named = named.is_some_and(|named| named.iter().any(is_it));
    report_leak(endpoints, &field.caller, &made).await?;
    let restricted = try_it().await?.summary();
    let left_behind = tally::LeftBehindKey {
        access_key_id: made.access_key_id,
        works,
        is_named,
        restricted,
    };
    report.show(&left_behind, tally::LeftBehindKey::text)?;
    Ok(())
}

/// Status, code and the first sentence of the message.
fn summarize_reply(reply: &ApiReply) -> String {
    let summary = reply.summary();
    match summary.split_once(". ") {
        Some((first, _)) => first.to_owned(),
        None => summary,
    }
}
