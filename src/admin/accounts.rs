//! `/admin/v1/accounts`: what the restricted keys of an account are refused, and whether they may take themselves out of
//! service.

use axum::{Json as Answer, extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    auth::{Acting, Reader},
    extract::{Json, Path, Query, cut, page_size, text},
    openapi::Faults,
    problem::Details,
    receipt::{Changed, Waiting},
    tagged::{IfMatch, Tagged},
};
use akgate_rules::verdict::Profile;
use akgate_state::{
    audit::Actor,
    directory::within,
    live::barrier::{Concern, Wait},
    restrictions::{
        accounts::{self, AccountView, SetFault, Setting, Wanted},
        seen::Seen,
    },
};

/// Which accounts are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Those alone that have something of their own in place of the configured default.
    #[serde(default)]
    #[param(nullable = false)]
    own: bool,
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(
        nullable = false,
        pattern = "^[0-9A-Za-z_-]+$",
        min_length = 1,
        max_length = 64
    )]
    page_token: Option<String>,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Accounts)]
pub struct Page {
    /// In the order of their ids.
    accounts: Vec<AccountView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<String>,
}

/// List accounts
///
/// In the order of their ids.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts",
    operation_id = "listAccounts",
    tag = "directory",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let size = page_size(filter.page_size, 500)?;
    if let Some(token) = &filter.page_token {
        is_id("page_token", token)?;
    }
    let wanted = Wanted {
        account_id: None,
        own: filter.own,
        after: filter.page_token,
        limit: size + 1,
    };
    let reading = admin.reading(async |db| accounts::list(db, &wanted).await);
    let mut accounts = reading.await?;
    let next_page_token = cut(&mut accounts, size, |one| one.account_id.clone());
    Ok(Answer(Page {
        accounts,
        next_page_token,
    }))
}

fn is_id(name: &str, given: &str) -> Result<(), Problem> {
    text(name, given, 64)?;
    let of_id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match given.chars().all(of_id) {
        true => Ok(()),
        false => Err(Problem::invalid(format!("`{name}` is no account id."))),
    }
}

/// Show an account
///
/// Its settings, whom letters go to, and how many keys and restrictions it has.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{id}",
    operation_id = "getAccount",
    tag = "directory",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 200, description = "The account.", body = AccountView, headers(("ETag", description = "For If-Match."))),
        (status = 404, description = "The directory knows no such account.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(account_id): Path<String>,
) -> Result<Tagged<AccountView>, Problem> {
    view(&admin, &account_id).await
}

async fn view(admin: &Admin, account_id: &str) -> Result<Tagged<AccountView>, Problem> {
    let reading = admin.reading(async |db| accounts::one(db, account_id).await);
    reading.await?.map(Tagged).ok_or_else(missing)
}

fn missing() -> Problem {
    Problem::not_found("The directory knows no account of this id.")
}

/// The profile; `null` for the configured default.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccountProfile)]
#[serde(deny_unknown_fields)]
pub struct OfProfile {
    /// What restricted keys of the account are refused; null for the configured default.
    #[schema(value_type = Option<ProfileName>)]
    profile: Option<Profile>,
}

/// A profile.
#[derive(ToSchema)]
#[schema(as = Profile, rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema of a text")]
pub(super) enum ProfileName {
    Mutations,
    Strict,
}

/// Set an account's profile
///
/// What its restricted keys are refused: `mutations`, `strict`, or null for the configured default. It is answered
/// when every node goes by it, with a receipt.
#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{id}/profile",
    operation_id = "setAccountProfile",
    tag = "directory",
    params(("id" = String, Path, description = "The account."), IfMatch, Waiting),
    request_body = OfProfile,
    responses(
        (status = 200, description = "It is set.", body = Changed<AccountView>, headers(("ETag", description = "For If-Match."))),
        (status = 404, description = "The directory knows no such account.", body = Details, content_type = "application/problem+json"),
        (status = 412, description = "It has changed since it was looked at.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn set_profile(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(account_id): Path<String>,
    IfMatch(seen): IfMatch,
    Query(waiting): Query<Waiting>,
    Json(body): Json<OfProfile>,
) -> Result<Response, Problem> {
    let setting = Setting::Profile(body.profile);
    set(
        &admin,
        &account_id,
        setting,
        &actor,
        seen.as_deref(),
        waiting.wait,
    )
    .await
}

/// The lane; `null` for the configured default.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccountSelfRemedy)]
#[serde(deny_unknown_fields)]
pub struct OfLane {
    /// Whether a restricted key of the account may disable or delete itself; null for the configured default.
    open: Option<bool>,
}

/// Open or shut an account's self-remediation lane
///
/// Whether a restricted key may disable or delete itself, and nothing else. It is answered when every node goes by
/// it, with a receipt.
#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{id}/self-remedy",
    operation_id = "setAccountSelfRemedy",
    tag = "directory",
    params(("id" = String, Path, description = "The account."), IfMatch, Waiting),
    request_body = OfLane,
    responses(
        (status = 200, description = "It is set.", body = Changed<AccountView>, headers(("ETag", description = "For If-Match."))),
        (status = 404, description = "The directory knows no such account.", body = Details, content_type = "application/problem+json"),
        (status = 412, description = "It has changed since it was looked at.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn set_self_remedy(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(account_id): Path<String>,
    IfMatch(seen): IfMatch,
    Query(waiting): Query<Waiting>,
    Json(body): Json<OfLane>,
) -> Result<Response, Problem> {
    let setting = Setting::SelfRemedy(body.open);
    set(
        &admin,
        &account_id,
        setting,
        &actor,
        seen.as_deref(),
        waiting.wait,
    )
    .await
}

async fn set(
    admin: &Admin,
    account_id: &str,
    setting: Setting,
    actor: &Actor,
    seen: Option<&[Seen]>,
    wait: Wait,
) -> Result<Response, Problem> {
    let now = admin.clock.now();
    let setting = accounts::set(&admin.pool, account_id, setting, actor, seen, now);
    let position = within(admin.timeout, setting).await?;
    let receipt = admin.receipt(position, Concern::All, wait).await?;
    Ok(view(admin, account_id).await?.with_receipt(receipt))
}

impl From<SetFault> for Problem {
    fn from(fault: SetFault) -> Self {
        match fault {
            SetFault::NotFound => missing(),
            SetFault::Changed => Self::precondition_failed(),
            SetFault::State(fault) => fault.into(),
        }
    }
}
