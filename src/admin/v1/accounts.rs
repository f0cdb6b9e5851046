//! `/admin/v1/accounts`: the profile and the self-remediation setting of accounts.

use axum::{Json as Answer, extract::State, response::Response};

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanAct, CanRead},
        etag::{IfMatch, WithEtag},
        extract::{Json, Path, Query},
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    accounts::{AccountFilter, AccountPage, AccountProfile, AccountSelfRemedy, AccountView},
    problem::ProblemDetails,
    receipts::{Changed, Wait, WaitQuery},
};
use akgate_state::{
    audit::Actor,
    live::barrier::AffectedKeys,
    restrictions::{
        accounts::{self, AccountCriteria, AccountFault, AccountSetting},
        etag::Etag,
    },
};

/// List accounts
///
/// Sorted by id.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts",
    operation_id = "listAccounts",
    tag = "directory",
    params(AccountFilter),
    responses((status = 200, description = "A page of accounts.", body = AccountPage), CommonFaults)
)]
pub async fn list_accounts(
    State(admin): State<AdminApi>,
    _: CanRead,
    Query(filter): Query<AccountFilter>,
) -> Result<Answer<AccountPage>, Problem> {
    let criteria = AccountCriteria {
        account_id: None,
        own: filter.own,
        after: filter.page_token.map(String::from),
        limit: filter.page_size.limit(),
    };
    let reading = admin.reading(async |db| accounts::list_accounts(db, &criteria).await);
    let accounts = reading.await?;
    let (accounts, next_page_token) = filter
        .page_size
        .paginate(accounts, |one| one.account_id.clone());
    Ok(Answer(AccountPage {
        accounts,
        next_page_token,
    }))
}

/// Show an account
///
/// Its settings, the addresses that letters go to, and its numbers of keys and restrictions.
#[utoipa::path(
    get,
    path = "/admin/v1/accounts/{id}",
    operation_id = "getAccount",
    tag = "directory",
    params(("id" = String, Path, description = "The account.")),
    responses(
        (status = 200, description = "The account.", body = AccountView, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 404, description = "The account is not in the directory.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn get_account(
    State(admin): State<AdminApi>,
    _: CanRead,
    Path(account_id): Path<String>,
) -> Result<WithEtag<AccountView>, Problem> {
    find_account(&admin, &account_id).await
}

async fn find_account(
    admin: &AdminApi,
    account_id: &str,
) -> Result<WithEtag<AccountView>, Problem> {
    let reading = admin.reading(async |db| accounts::find_account(db, account_id).await);
    reading
        .await?
        .map(WithEtag)
        .ok_or_else(|| Problem::unknown("account in the directory"))
}

/// Set an account's profile
///
/// What the account's restricted keys are refused: `mutations`, `strict`, or null for the configured default. The
/// answer comes when every node applies the change, and includes a receipt.
#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{id}/profile",
    operation_id = "setAccountProfile",
    tag = "directory",
    params(("id" = String, Path, description = "The account."), IfMatch, WaitQuery),
    request_body = AccountProfile,
    responses(
        (status = 200, description = "The profile is set.", body = Changed<AccountView>, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 404, description = "The account is not in the directory.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 412, description = "The resource has changed since you read it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn set_account_profile(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(account_id): Path<String>,
    IfMatch(seen): IfMatch,
    Query(waiting): Query<WaitQuery>,
    Json(body): Json<AccountProfile>,
) -> Result<Response, Problem> {
    let setting = AccountSetting::Profile(body.profile);
    apply_account_setting(
        &admin,
        &account_id,
        setting,
        &actor,
        seen.as_deref(),
        waiting.wait,
    )
    .await
}

/// Allow or forbid self-remediation for an account
///
/// Whether a restricted key may disable or delete itself, and do nothing else. The answer comes when every node applies
/// the change, and includes a receipt.
#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{id}/self-remedy",
    operation_id = "setAccountSelfRemedy",
    tag = "directory",
    params(("id" = String, Path, description = "The account."), IfMatch, WaitQuery),
    request_body = AccountSelfRemedy,
    responses(
        (status = 200, description = "The setting is changed.", body = Changed<AccountView>, headers(("ETag", description = "Send it as If-Match with a change."))),
        (status = 404, description = "The account is not in the directory.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 412, description = "The resource has changed since you read it.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn set_account_self_remedy(
    State(admin): State<AdminApi>,
    CanAct(actor): CanAct,
    Path(account_id): Path<String>,
    IfMatch(seen): IfMatch,
    Query(waiting): Query<WaitQuery>,
    Json(body): Json<AccountSelfRemedy>,
) -> Result<Response, Problem> {
    let setting = AccountSetting::SelfRemedy(body.allowed);
    apply_account_setting(
        &admin,
        &account_id,
        setting,
        &actor,
        seen.as_deref(),
        waiting.wait,
    )
    .await
}

async fn apply_account_setting(
    admin: &AdminApi,
    account_id: &str,
    setting: AccountSetting,
    actor: &Actor,
    seen: Option<&[Etag]>,
    wait: Wait,
) -> Result<Response, Problem> {
    let now = admin.clock.now();
    let setting = accounts::set_account(&admin.pool, account_id, setting, actor, seen, now);
    let position = admin.query(setting).await?;
    let receipt = admin.receipt(position, AffectedKeys::All, wait).await?;
    Ok(find_account(admin, account_id).await?.with_receipt(receipt))
}

impl From<AccountFault> for Problem {
    fn from(fault: AccountFault) -> Self {
        match fault {
            AccountFault::NotFound => Self::unknown("account in the directory"),
            AccountFault::Changed => Self::precondition_failed(),
            AccountFault::State(fault) => fault.into(),
        }
    }
}
