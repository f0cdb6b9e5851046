//! `/admin/v1/policy`: what is enforced, what a profile refuses, what another would have, and switching the mode.

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    accounts::ProfileName,
    approvals::waits,
    auth::{Acting, Reader},
    extract::{Json, Query, page_size, text, text_schema},
    openapi::Faults,
    problem::Details,
};
use akgate_rules::{
    operation::{Effect, Operation, Product},
    verdict::{Mode, Profile, refuses},
};
use akgate_state::{
    calls::replay::{self, AskedFor, Refused, Replayed},
    directory::within,
    four_eyes::approvals::ApprovalView,
    restrictions::mode::{self, SwitchMode, SwitchView},
};

/// The policy in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Policy)]
pub struct PolicyView {
    /// The mode in force at this node.
    #[schema(value_type = ModeName)]
    mode: Mode,
    /// The mode in this node's configuration.
    #[schema(value_type = ModeName)]
    configured_mode: Mode,
    /// The mode that operators have switched every node to.
    switched: SwitchView,
    /// When enforcement begins; null: it has begun.
    #[serde(with = "time::serde::rfc3339::option")]
    enforce_from: Option<OffsetDateTime>,
    /// Whether leaked keys are refused now.
    is_enforced: bool,
    /// The profile of accounts that have no profile of their own.
    #[schema(value_type = ProfileName)]
    profile: Profile,
    /// Whether restricted keys may disable or delete themselves, unless their account says otherwise.
    self_remedy: bool,
    /// Number of operations in the catalogue.
    catalogued: usize,
    /// Number of them that each profile refuses to a restricted key.
    refused: PerProfile<usize>,
}

/// One value for each profile.
#[derive(Serialize, ToSchema)]
#[schema(as = PerProfile)]
pub struct PerProfile<T> {
    mutations: T,
    strict: T,
}

/// A mode.
#[derive(ToSchema)]
#[schema(as = Mode, rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema of a text")]
enum ModeName {
    Enforce,
    Shadow,
    Off,
}

/// Show the policy
///
/// The mode and profile in force at this node, and who has switched the mode.
#[utoipa::path(
    get,
    path = "/admin/v1/policy",
    operation_id = "getPolicy",
    tag = "policy",
    responses((status = 200, description = "The policy.", body = PolicyView), Faults)
)]
pub async fn show(State(admin): State<Admin>, _: Reader) -> Result<Answer<PolicyView>, Problem> {
    let switched = within(admin.timeout, mode::view(&admin.pool)).await?;
    let configured = admin.settings.policy;
    let mode = switched.mode.unwrap_or(configured.mode);
    let (catalogue, strict) = (&admin.rules.catalogue, &admin.rules.strict);
    let refused = |profile| {
        let operations = catalogue.operations();
        operations
            .filter(|one| refuses(strict, one, profile, false))
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

/// The mode to switch to.
#[derive(Deserialize, ToSchema)]
#[schema(as = ModeSwitching)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// For every node; null for each node's configured mode.
    #[schema(value_type = Option<ModeName>)]
    mode: Option<Mode>,
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

/// Request to switch the mode
///
/// A second operator must approve, in either direction. `shadow` and `off` let leaked keys do everything.
#[utoipa::path(
    post,
    path = "/admin/v1/policy:switch_mode",
    operation_id = "askToSwitchMode",
    tag = "policy",
    request_body = Switch,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "Another operator has already requested a switch.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn switch_mode(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Json(body): Json<Switch>,
) -> Result<(StatusCode, Answer<ApprovalView>), Problem> {
    text("reason", &body.reason, 1024)?;
    let switching = SwitchMode {
        mode: body.mode,
        reason: body.reason,
    };
    let (eyes, now) = (admin.settings.four_eyes, admin.clock.now());
    let asking = mode::request_switch(&admin.pool, &switching, &actor, eyes, now);
    let approval = within(admin.timeout, asking).await?;
    waits(&admin, approval).await
}

/// The operation to check.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Product code: RAM, IMS, STS, ResourceManager, Ecs.
    #[param(pattern = "^[A-Za-z0-9-]+$", min_length = 1, max_length = 64)]
    product: String,
    /// API version; may be omitted for RAM, IMS, STS and ResourceManager.
    #[param(nullable = false, pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    version: Option<String>,
    /// Action, exactly as in the call.
    #[param(pattern = "^[A-Za-z0-9_]+$", min_length = 1, max_length = 128)]
    action: String,
}

/// What happens to a restricted key's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// The call passes.
    Allow,
    /// The call is refused.
    Refuse,
}

/// How an operation is treated.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyCheck)]
pub struct Check {
    /// Product code.
    product: String,
    /// API version.
    version: String,
    /// Action.
    action: String,
    /// What it changes; null for a product whose operations are not catalogued.
    effect: Option<&'static str>,
    /// For a restricted key.
    restricted: PerProfile<Judged>,
    /// For a key whose restriction was widened.
    widened: PerProfile<Judged>,
}

fn is_version(given: &str) -> bool {
    given.len() == 10
        && given.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// Check an operation
///
/// What it changes, and whether each profile refuses it to a leaked key.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/check",
    operation_id = "checkOperation",
    tag = "policy",
    params(Which),
    responses(
        (status = 200, description = "How the operation is treated.", body = Check),
        (status = 404, description = "No such operation: product and version do not match.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn check(
    State(admin): State<Admin>,
    _: Reader,
    Query(which): Query<Which>,
) -> Result<Answer<Check>, Problem> {
    text("product", &which.product, 64)?;
    text("action", &which.action, 128)?;
    let is_plain = |given: &str, mark: u8| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == mark;
        given.bytes().all(fits)
    };
    if !is_plain(&which.product, b'-') {
        return Err(Problem::invalid(
            "`product` may contain letters, digits and `-`: RAM.",
        ));
    }
    if !is_plain(&which.action, b'_') {
        return Err(Problem::invalid(
            "`action` may contain letters, digits and `_`: CreateUser.",
        ));
    }
    if which
        .version
        .as_deref()
        .is_some_and(|given| !is_version(given))
    {
        return Err(Problem::invalid("`version` must be a date: 2015-05-01."));
    }
    let catalogue = &admin.rules.catalogue;
    let own = catalogue.version_of(&Product::from_code(&which.product));
    let version = match (which.version.as_deref(), own) {
        (Some(given), _) => given,
        (None, Some(own)) => own,
        (None, None) => {
            return Err(Problem::not_found(format!(
                "The operations of {} are not catalogued: give its `version` too.",
                which.product
            )));
        }
    };
    let operation = catalogue
        .named(&which.product, version, &which.action)
        .map_err(|fault| Problem::not_found(format!("{fault}.")))?;
    let judged = |widened| PerProfile {
        mutations: judge(&admin, &operation, Profile::Mutations, widened),
        strict: judge(&admin, &operation, Profile::Strict, widened),
    };
    let effect = operation.effect();
    Ok(Answer(Check {
        product: operation.product().code().to_owned(),
        version: operation.version().to_owned(),
        action: operation.action().to_owned(),
        effect: (effect != Effect::Uncatalogued).then(|| effect.as_str()),
        restricted: judged(false),
        widened: judged(true),
    }))
}

fn judge(admin: &Admin, operation: &Operation, profile: Profile, widened: bool) -> Judged {
    match refuses(&admin.rules.strict, operation, profile, widened) {
        true => Judged::Refuse,
        false => Judged::Allow,
    }
}

/// An operation that the two profiles treat differently.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyDifference)]
pub struct Difference {
    /// Product code.
    product: String,
    /// API version.
    version: String,
    /// Action; `*` for all actions not named.
    action: String,
    /// Under the profile `mutations`.
    mutations: Judged,
    /// Under the profile `strict`.
    strict: Judged,
}

/// How the profiles differ.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyDiff)]
pub struct Diff {
    /// Sorted by product, version and action.
    differences: Vec<Difference>,
}

/// Compare the profiles
///
/// The operations that `strict` refuses to a restricted key and `mutations` does not.
#[utoipa::path(
    get,
    path = "/admin/v1/policy/diff",
    operation_id = "compareProfiles",
    tag = "policy",
    responses((status = 200, description = "The differences.", body = Diff), Faults)
)]
pub async fn diff(State(admin): State<Admin>, _: Reader) -> Result<Answer<Diff>, Problem> {
    let catalogue = &admin.rules.catalogue;
    let listed = admin.rules.strict.entries().filter_map(|entry| {
        let operation = catalogue.named(entry.product, entry.version, entry.action);
        // Those of the catalogue are named one by one.
        operation.ok().filter(|one| !one.product().is_catalogued())
    });
    let operations = catalogue.operations().chain(listed);
    let mut differences: Vec<Difference> = operations
        .map(|operation| Difference {
            mutations: judge(&admin, &operation, Profile::Mutations, false),
            strict: judge(&admin, &operation, Profile::Strict, false),
            product: operation.product().code().to_owned(),
            version: operation.version().to_owned(),
            action: operation.action().to_owned(),
        })
        .filter(|one| one.mutations != one.strict)
        .collect();
    differences.sort_by(|a, b| {
        (&a.product, &a.version, &a.action).cmp(&(&b.product, &b.version, &b.action))
    });
    Ok(Answer(Diff { differences }))
}

/// What to replay.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Replaying {
    /// The profile to replay under.
    #[param(value_type = ProfileName, inline)]
    profile: Profile,
    /// `restricted`: keys that were restricted when they called; `all`: all keys, as if every one had leaked.
    #[serde(default)]
    #[param(inline, nullable = false)]
    keys: Keys,
    /// Number of days to look back.
    #[param(minimum = 1, maximum = 14, default = 14, nullable = false)]
    days: Option<i64>,
    /// Maximum number of rows.
    #[param(minimum = 1, maximum = 1000, default = 50, nullable = false)]
    page_size: Option<i64>,
}

/// Whose calls to replay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Keys {
    /// Keys that were restricted when they called.
    #[default]
    Restricted,
    /// All keys, as if every one had leaked.
    All,
}

/// Calls that would have been refused.
#[derive(Serialize, ToSchema)]
#[schema(as = PolicyReplay)]
pub struct Replay {
    /// Start of the period.
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    /// Calls by key and action, most frequent first.
    calls: Vec<Replayed>,
    /// Whether there are more rows than shown.
    is_cut: bool,
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
    params(Replaying),
    responses((status = 200, description = "The calls that would have been refused.", body = Replay), Faults)
)]
pub async fn replay(
    State(admin): State<Admin>,
    _: Reader,
    Query(replaying): Query<Replaying>,
) -> Result<Answer<Replay>, Problem> {
    let days = replaying.days.unwrap_or(14);
    if !(1..=14).contains(&days) {
        return Err(Problem::invalid("`days` must be 1 to 14."));
    }
    let size = page_size(replaying.page_size, 1000)?;
    let since = (admin.clock.now() - Duration::days(days)).truncate_to_hour();
    let asked = within(admin.timeout, replay::operations(&admin.pool, since)).await?;
    let refused: Vec<Refused> = asked
        .into_iter()
        .filter_map(|asked| refused(&admin, asked, replaying.profile))
        .collect();
    let all = replaying.keys == Keys::All;
    let reading = replay::calls(&admin.pool, &refused, all, since, size + 1);
    // Fourteen days of calls are many rows.
    let mut calls = within(admin.timeout * 4, reading).await?;
    let wanted = usize::try_from(size).unwrap_or(usize::MAX);
    let is_cut = calls.len() > wanted;
    calls.truncate(wanted);
    Ok(Answer(Replay {
        since,
        calls,
        is_cut,
    }))
}

fn refused(admin: &Admin, asked: AskedFor, profile: Profile) -> Option<Refused> {
    let catalogue = &admin.rules.catalogue;
    let operation = catalogue.named(&asked.product, &asked.version, &asked.action);
    let operation = operation.ok()?;
    let refused = |widened| judge(admin, &operation, profile, widened) == Judged::Refuse;
    (refused(false) || refused(true)).then(|| Refused {
        if_widened: !refused(false),
        operation: asked,
    })
}
