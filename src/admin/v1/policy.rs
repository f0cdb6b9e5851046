//! `/admin/v1/policy`: shows the policy, checks an operation, compares and replays profiles, and switches the mode.

use axum::{Json as Answer, extract::State, response::Response};
use time::Duration;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        extract::{Json, Query},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::approvals::pending_approval_response,
};
use akgate_api::{
    approvals::ApprovalView,
    policy::{
        Judgement, PerProfile, PolicyCheck, PolicyCheckQuery, PolicyDiff, PolicyDifference,
        PolicyReplay, PolicyView, ReplayQuery, ReplayedKeys, SwitchModeRequest,
    },
    problem::ProblemDetails,
};
use akgate_rules::{
    operation::{Effect, Operation, Product},
    verdict::{Mode, Profile, ProfileJudgement, judge_by_profile, profile_refuses},
};
use akgate_state::{
    calls::replay::{self, CalledOperation, RefusedOperation},
    directory::with_timeout,
    restrictions::mode::{self, SwitchMode},
};

/// Show the policy
///
/// The mode and profile in force at this node, and who has switched the mode.
#[utoipa::path(
    get,
    path = "/admin/v1/policy",
    operation_id = "getPolicy",
    tag = "policy",
    responses((status = 200, description = "The policy.", body = PolicyView), CommonFaults)
)]
pub async fn get_policy(
    State(admin): State<AdminApi>,
    _: CanRead,
) -> Result<Answer<PolicyView>, Problem> {
    let switched = admin.query(mode::read_mode_switch(&admin.pool)).await?;
    let configured = admin.settings.policy;
    let mode = switched.mode.unwrap_or(configured.mode);
    let (catalogue, strict) = (&admin.rules.catalogue, &admin.rules.strict);
    let refused = |profile| {
        let operations = catalogue.operations();
        operations
            .filter(|one| profile_refuses(strict, one, profile, false))
            .count()
    };
    Ok(Answer(PolicyView {
        mode,
        configured_mode: configured.mode,
        switched,
        enforce_from: configured.enforce_from,
        is_enforced: mode == Mode::Enforce && !configured.is_announced_for_later(admin.clock.now()),
        profile: admin.settings.profile,
        self_remedy: configured.self_remedy,
        catalogued: catalogue.operations().count(),
        refused: PerProfile {
            mutations: refused(Profile::Mutations),
            strict: refused(Profile::Strict),
        },
    }))
}

/// Request to switch the mode
///
/// A second operator must approve, in either direction. `shadow` and `off` let leaked keys do everything.
#[utoipa::path(
    post,
    path = "/admin/v1/policy:switch_mode",
    operation_id = "requestModeSwitch",
    tag = "policy",
    request_body = SwitchModeRequest,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "Another operator has already requested a switch.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn request_mode_switch(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Json(body): Json<SwitchModeRequest>,
) -> Result<Response, Problem> {
    let switching = SwitchMode {
        mode: body.mode,
        reason: body.reason.into(),
    };
    let (eyes, now) = (admin.settings.four_eyes, admin.clock.now());
    let asking = mode::request_switch(&admin.pool, &switching, &actor, eyes, now);
    let approval = admin.query(asking).await?;
    pending_approval_response(&admin, approval).await
}

/// Check an operation
///
/// What it changes, and whether each profile refuses it to a leaked key.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/check",
    operation_id = "checkOperation",
    tag = "policy",
    params(PolicyCheckQuery),
    responses(
        (status = 200, description = "How the operation is treated.", body = PolicyCheck),
        (status = 404, description = "No such operation: product and version do not match.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn check_operation(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(which): Query<PolicyCheckQuery>,
) -> Result<Answer<PolicyCheck>, Problem> {
    let catalogue = &admin.rules.catalogue;
    let own = catalogue.version_of(&Product::from_code(&which.product));
    let version = match (which.version.as_deref(), own) {
        (Some(given), _) => given,
        (None, Some(own)) => own,
        (None, None) => {
            return Err(Problem::not_found(format!(
                "The operations of {} are not catalogued: give its `version` too.",
                &*which.product
            )));
        }
    };
    let operation = catalogue
        .named(&which.product, version, &which.action)
        .map_err(|fault| Problem::not_found(format!("{fault}.")))?;
    let judged = |widened| PerProfile {
        mutations: judge_operation(&admin, &operation, Profile::Mutations, widened),
        strict: judge_operation(&admin, &operation, Profile::Strict, widened),
    };
    let effect = operation.effect();
    Ok(Answer(PolicyCheck {
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
        effect: (effect != Effect::Uncatalogued).then(|| effect.to_string()),
        restricted: judged(false),
        widened: judged(true),
    }))
}

fn judge_operation(
    admin: &AdminApi,
    operation: &Operation,
    profile: Profile,
    widened: bool,
) -> Judgement {
    match judge_by_profile(&admin.rules.strict, operation, profile, widened) {
        ProfileJudgement::Refuse => Judgement::Refuse,
        ProfileJudgement::Allow => Judgement::Allow,
        ProfileJudgement::NotJudged => Judgement::NotJudged,
    }
}

/// Compare the profiles
///
/// The operations that `strict` refuses to a restricted key and `mutations` does not.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/diff",
    operation_id = "compareProfiles",
    tag = "policy",
    responses((status = 200, description = "The differences.", body = PolicyDiff), CommonFaults)
)]
pub async fn compare_profiles(
    State(admin): State<AdminApi>,
    _: CanRead,
) -> Result<Answer<PolicyDiff>, Problem> {
    let catalogue = &admin.rules.catalogue;
    let listed = admin.rules.strict.entries().filter_map(|entry| {
        let operation = catalogue.named(entry.product, entry.version, entry.action);
        // Those of the catalogue are named one by one.
        operation.ok().filter(|one| !one.product().is_catalogued())
    });
    let operations = catalogue.operations().chain(listed);
    let mut differences: Vec<PolicyDifference> = operations
        .map(|operation| PolicyDifference {
            mutations: judge_operation(&admin, &operation, Profile::Mutations, false),
            strict: judge_operation(&admin, &operation, Profile::Strict, false),
            product: operation.product().code().to_owned(),
            version: operation.version().to_owned(),
            action: operation.action().to_owned(),
        })
        .filter(|one| one.mutations != one.strict)
        .collect();
    differences.sort_by(|a, b| {
        (&a.product, &a.version, &a.action).cmp(&(&b.product, &b.version, &b.action))
    });
    Ok(Answer(PolicyDiff { differences }))
}

/// Replay recorded calls under a profile
///
/// Which calls of the last days the profile would have refused, from the hourly call counts. Calls of sessions that
/// ended more than a day ago are not counted as those of restricted keys, because their origin is no longer recorded.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/replay",
    operation_id = "replayCalls",
    tag = "policy",
    params(ReplayQuery),
    responses((status = 200, description = "The calls that would have been refused.", body = PolicyReplay), CommonFaults)
)]
pub async fn replay_calls(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(replaying): Query<ReplayQuery>,
) -> Result<Answer<PolicyReplay>, Problem> {
    let since = (admin.clock.now() - Duration::days(replaying.days)).truncate_to_hour();
    let reading = replay::list_called_operations(&admin.pool, since);
    let asked = admin.query(reading).await?;
    let refused: Vec<RefusedOperation> = asked
        .into_iter()
        .filter_map(|asked| refused_in_replay(&admin, asked, replaying.profile))
        .collect();
    let all = replaying.keys == ReplayedKeys::All;
    let limit = replaying.page_size.limit();
    let reading = replay::replay_calls(&admin.pool, &refused, all, since, limit);
    // Fourteen days of calls are many rows.
    let calls = with_timeout(admin.timeout * 4, reading).await?;
    let (calls, more) = replaying.page_size.paginate(calls, |_| ());
    Ok(Answer(PolicyReplay {
        since,
        calls,
        is_truncated: more.is_some(),
    }))
}

fn refused_in_replay(
    admin: &AdminApi,
    asked: CalledOperation,
    profile: Profile,
) -> Option<RefusedOperation> {
    let catalogue = &admin.rules.catalogue;
    let operation = catalogue.named(&asked.product, &asked.version, &asked.action);
    let operation = operation.ok()?;
    let refused =
        |widened| judge_operation(admin, &operation, profile, widened) == Judgement::Refuse;
    (refused(false) || refused(true)).then(|| RefusedOperation {
        if_widened: !refused(false),
        operation: asked,
    })
}
