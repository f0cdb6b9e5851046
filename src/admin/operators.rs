//! `/admin/v1/operators`, `/admin/v1/tokens`, `/admin/v1/me`: who may use this API, and with which tokens.

use axum::{Extension, Json as Answer, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    auth::{Managing, Reader},
    extract::{Json, Path, Query, cut, page_size, text, text_schema, whole},
    once::ShownOnce,
    openapi::Faults,
    problem::Details,
    verbs::before_verb,
};
use akgate_state::{
    directory::within,
    operators::{
        Right, Role,
        store::{
            self, MOST_TOKEN_DAYS, MadeToken, NewToken, OperatorFault, OperatorView, TOKEN_DAYS,
            TokenView,
        },
    },
};

/// Which operators are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// How many at most.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// Where the last page ended.
    #[param(schema_with = text_schema::<64>)]
    page_token: Option<String>,
}

/// One page.
#[derive(Serialize, ToSchema)]
#[schema(as = Operators)]
pub struct Page {
    /// By name.
    operators: Vec<OperatorView>,
    /// Where the next page begins; null where there is none.
    next_page_token: Option<String>,
}

/// List operators
///
/// By name, those who are revoked too, with their tokens and when each was last used.
#[utoipa::path(
    get,
    path = "/admin/v1/operators",
    operation_id = "listOperators",
    tag = "operators",
    params(Filter),
    responses((status = 200, description = "A page.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Managing,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    let size = page_size(filter.page_size, 500)?;
    if let Some(token) = &filter.page_token {
        text("page_token", token, 64)?;
    }
    let reading = store::list(&admin.pool, None, filter.page_token.as_deref(), size + 1);
    let mut operators = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut operators, size, |one| one.name.clone());
    Ok(Answer(Page {
        operators,
        next_page_token,
    }))
}

/// Who is to be an operator.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewOperator)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// How the audit names them; never given again.
    #[schema(pattern = "^[A-Za-z0-9._@-]{1,64}$", max_length = 64)]
    name: String,
    /// What they may do.
    role: Role,
    /// How long the first token lasts.
    #[serde(default = "token_days", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 366, default = 90)]
    token_days: u16,
    /// Without a first token: for who signs in at a provider, or shows a certificate.
    #[serde(default)]
    no_token: bool,
}

fn token_days() -> u16 {
    TOKEN_DAYS
}

/// A token, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = NewTokenReceipt)]
pub struct Receipt {
    /// Whose it is.
    name: String,
    /// What it may do at most.
    role: Role,
    /// The part that names it; null where none was made.
    token_id: Option<String>,
    /// The token: it is kept nowhere.
    token: Option<String>,
    /// From when on it is worth nothing.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

impl Receipt {
    pub(super) fn new(name: String, role: Role, made: Option<&MadeToken>) -> Self {
        Self {
            name,
            role,
            token_id: made.map(|made| made.token.id().to_owned()),
            token: made.map(|made| made.token.expose().to_owned()),
            expires_at: made.map(|made| made.expires_at),
        }
    }
}

/// Add an operator
///
/// With a first token, which is shown this once, or without any.
#[utoipa::path(
    post,
    path = "/admin/v1/operators",
    operation_id = "addOperator",
    tag = "operators",
    request_body = New,
    responses(
        (status = 201, description = "They may use the API.", body = Receipt),
        (status = 409, description = "There is, or was, an operator of that name.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn add(
    State(admin): State<Admin>,
    Managing(by): Managing,
    Json(body): Json<New>,
) -> Result<(StatusCode, Extension<ShownOnce>, Answer<Receipt>), Problem> {
    if !store::is_name(&body.name) {
        return Err(Problem::invalid(
            "`name` takes 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `@` and `-`.",
        ));
    }
    let lasts = checked(body.token_days)?;
    let lasts = (!body.no_token).then_some(lasts);
    let mut rng = admin.randomness.rng();
    let (now, role) = (admin.clock.now(), body.role);
    let adding = store::add(&admin.pool, &body.name, role, lasts, &by, now, &mut rng);
    let made = within(admin.timeout, adding).await?;
    let receipt = Receipt::new(body.name, role, made.as_ref());
    Ok((StatusCode::CREATED, Extension(ShownOnce), Answer(receipt)))
}

fn checked(days: u16) -> Result<Duration, Problem> {
    match (1..=MOST_TOKEN_DAYS).contains(&days) {
        true => Ok(Duration::days(days.into())),
        false => Err(Problem::invalid(format!(
            "`token_days` is 1 to {MOST_TOKEN_DAYS}."
        ))),
    }
}

/// A token that is wanted.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewToken)]
#[serde(deny_unknown_fields)]
pub struct Another {
    /// What it may do at most: no more than its operator.
    role: Role,
    /// How long it lasts.
    #[serde(default = "token_days", deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 366, default = 90)]
    token_days: u16,
}

/// Make a token
///
/// Another one for an operator, shown this once: to replace one that expires, or for a program that needs less than its
/// operator may.
#[utoipa::path(
    post,
    path = "/admin/v1/operators/{name}/tokens",
    operation_id = "makeToken",
    tag = "operators",
    params(("name" = String, Path, description = "The operator.", pattern = "^[A-Za-z0-9._@-]+$", min_length = 1, max_length = 64)),
    request_body = Another,
    responses(
        (status = 201, description = "It is made.", body = Receipt),
        (status = 404, description = "There is no such operator.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "The operator may not do so much.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn make_token(
    State(admin): State<Admin>,
    Managing(by): Managing,
    Path(name): Path<String>,
    Json(body): Json<Another>,
) -> Result<(StatusCode, Extension<ShownOnce>, Answer<Receipt>), Problem> {
    text("name", &name, 64)?;
    let new = NewToken {
        role: body.role,
        lasts: checked(body.token_days)?,
    };
    let mut rng = admin.randomness.rng();
    let now = admin.clock.now();
    let making = store::add_token(&admin.pool, &name, new, &by, now, &mut rng);
    let made = within(admin.timeout, making).await?;
    let receipt = Receipt::new(name, body.role, Some(&made));
    Ok((StatusCode::CREATED, Extension(ShownOnce), Answer(receipt)))
}

/// What is over.
#[derive(Serialize, ToSchema)]
#[schema(as = Revoked)]
pub struct Revoked {
    /// The operator's name, or the token's id.
    revoked: String,
}

/// Revoke an operator
///
/// With all tokens, at once. The last admin stays.
#[utoipa::path(
    post,
    path = "/admin/v1/operators/{name}:revoke",
    operation_id = "revokeOperator",
    tag = "operators",
    params(("name" = String, Path, description = "The operator.", pattern = "^[A-Za-z0-9._@-]+$", min_length = 1, max_length = 64)),
    responses(
        (status = 200, description = "They may do nothing any more.", body = Revoked),
        (status = 404, description = "There is no such operator.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "It is the last admin.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn revoke(
    State(admin): State<Admin>,
    Managing(by): Managing,
    Path(target): Path<String>,
) -> Result<Answer<Revoked>, Problem> {
    let name = before_verb(&target);
    text("name", name, 64)?;
    let revoking = store::revoke(&admin.pool, name, &by, admin.clock.now());
    within(admin.timeout, revoking).await?;
    let revoked = name.to_owned();
    Ok(Answer(Revoked { revoked }))
}

/// Revoke a token
///
/// At once. An admin revokes any; everybody the one that this request is made with.
#[utoipa::path(
    post,
    path = "/admin/v1/tokens/{id}:revoke",
    operation_id = "revokeToken",
    tag = "operators",
    params(("id" = String, Path, description = "The token: what follows `akg_`.", pattern = "^[A-Za-z0-9]+$", min_length = 1, max_length = 64)),
    responses(
        (status = 200, description = "It is worth nothing any more.", body = Revoked),
        (status = 404, description = "There is no such token, or it is revoked already.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn revoke_token(
    State(admin): State<Admin>,
    Reader(operator): Reader,
    Path(target): Path<String>,
) -> Result<Answer<Revoked>, Problem> {
    let token_id = before_verb(&target);
    text("id", token_id, 64)?;
    if Some(token_id) != operator.token_id.as_deref() && !operator.role.may(Right::Manage) {
        return Err(Problem::forbidden(operator.role, Right::Manage));
    }
    let by = operator.actor();
    let revoking = store::revoke_token(&admin.pool, token_id, &by, admin.clock.now());
    within(admin.timeout, revoking).await?;
    let revoked = token_id.to_owned();
    Ok(Answer(Revoked { revoked }))
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub struct Me {
    /// How the audit names them.
    name: String,
    /// What they may do with this token.
    role: Role,
    /// The token of this request; null where a certificate says who asks.
    token: Option<TokenView>,
}

/// Show who asks
///
/// The operator and the token of this request.
#[utoipa::path(
    get,
    path = "/admin/v1/me",
    operation_id = "getMe",
    tag = "operators",
    responses((status = 200, description = "Who asks.", body = Me), Faults)
)]
pub async fn me(
    State(admin): State<Admin>,
    Reader(operator): Reader,
) -> Result<Answer<Me>, Problem> {
    let reading = store::list(&admin.pool, Some(&operator.name), None, 1);
    let views = within(admin.timeout, reading).await?;
    let mut tokens = views.into_iter().flat_map(|view| view.tokens);
    let token = tokens.find(|token| Some(&token.token_id) == operator.token_id.as_ref());
    Ok(Answer(Me {
        name: operator.name,
        role: operator.role,
        token,
    }))
}

impl From<OperatorFault> for Problem {
    fn from(fault: OperatorFault) -> Self {
        match fault {
            OperatorFault::NameTaken => Self::conflict(
                "name-taken",
                "The name is taken.",
                "There is, or was, an operator of that name: names are not given again. Choose another.",
            ),
            OperatorFault::NotFound => {
                Self::not_found("There is no such operator or token, or it is revoked already.")
            }
            OperatorFault::BeyondRole(role) => Self::conflict(
                "beyond-role",
                "The operator may not do so much.",
                format!("The operator's role is `{role}`: a token of theirs may do no more."),
            ),
            OperatorFault::LastAdmin => Self::conflict(
                "last-admin",
                "This is the last admin.",
                "Add another admin first.",
            ),
            OperatorFault::State(fault) => fault.into(),
        }
    }
}
