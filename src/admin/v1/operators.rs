//! `/admin/v1/operators`, `/admin/v1/tokens`, `/admin/v1/me`: who may use this API, and with which tokens.

use axum::{Extension, Json as Answer, extract::State};
use http::StatusCode;
use time::Duration;

use crate::{
    context::AdminApi,
    http::{
        authentication::{CanManage, CanRead},
        extract::{Json, Path, Query},
        idempotency::ShownOnce,
        problem::Problem,
        responses::CommonFaults,
    },
};
use akgate_api::{
    operators::{
        CurrentOperator, NewOperator, NewTokenReceipt, NewTokenRequest, OperatorFilter,
        OperatorPage, Revoked, Right, Role,
    },
    problem::ProblemDetails,
    values::BoundedText,
};
use akgate_state::operators::store::{self, IssuedToken, NewToken, OperatorFault};

/// List operators
///
/// Sorted by name, revoked ones included, with their tokens and the last use of each.
#[utoipa::path(
    get,
    path = "/admin/v1/operators",
    operation_id = "listOperators",
    tag = "operators",
    params(OperatorFilter),
    responses((status = 200, description = "A page of results.", body = OperatorPage), CommonFaults)
)]
pub async fn list_operators(
    State(admin): State<AdminApi>,
    _: CanManage,
    Query(filter): Query<OperatorFilter>,
) -> Result<Answer<OperatorPage>, Problem> {
    let (after, limit) = (filter.page_token.as_deref(), filter.page_size.limit());
    let reading = store::list_operators(&admin.pool, None, after, limit);
    let operators = admin.query(reading).await?;
    let (operators, next_page_token) = filter.page_size.paginate(operators, |one| one.name.clone());
    Ok(Answer(OperatorPage {
        operators,
        next_page_token,
    }))
}

/// The response with a new token, which is shown only this once.
pub(super) fn token_receipt(
    name: String,
    role: Role,
    made: Option<&IssuedToken>,
) -> NewTokenReceipt {
    NewTokenReceipt {
        name,
        role,
        token_id: made.map(|made| made.token.id().to_owned()),
        token: made.map(|made| made.token.expose().to_owned()),
        expires_at: made.map(|made| made.expires_at),
    }
}

/// Add an operator
///
/// With a first token, which is shown only this once, or without one.
#[utoipa::path(
    post,
    path = "/admin/v1/operators",
    operation_id = "addOperator",
    tag = "operators",
    request_body = NewOperator,
    responses(
        (status = 201, description = "The operator is added.", body = NewTokenReceipt),
        (status = 409, description = "An operator has, or had, this name.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn add_operator(
    State(admin): State<AdminApi>,
    CanManage(by): CanManage,
    Json(body): Json<NewOperator>,
) -> Result<(StatusCode, Extension<ShownOnce>, Answer<NewTokenReceipt>), Problem> {
    let lasts = Duration::days(body.token_days.into());
    let lasts = (!body.no_token).then_some(lasts);
    let mut rng = admin.randomness.rng();
    let (now, role) = (admin.clock.now(), body.role);
    let adding = store::add_operator(&admin.pool, &body.name, role, lasts, &by, now, &mut rng);
    let made = admin.query(adding).await?;
    let receipt = token_receipt(body.name.into(), role, made.as_ref());
    Ok((StatusCode::CREATED, Extension(ShownOnce), Answer(receipt)))
}

/// Create a token
///
/// A further token for an operator, shown only this once: to replace one that expires, or for a program that needs
/// fewer rights than the operator has.
#[utoipa::path(
    post,
    path = "/admin/v1/operators/{name}/tokens",
    operation_id = "makeToken",
    tag = "operators",
    params(("name" = String, Path, description = "The operator.", pattern = "^[A-Za-z0-9._@-]+$", min_length = 1, max_length = 64)),
    request_body = NewTokenRequest,
    responses(
        (status = 201, description = "The token is created.", body = NewTokenReceipt),
        (status = 404, description = "The operator does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "The operator's role is lower than the role requested.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn create_token(
    State(admin): State<AdminApi>,
    CanManage(by): CanManage,
    Path(name): Path<BoundedText<64>>,
    Json(body): Json<NewTokenRequest>,
) -> Result<(StatusCode, Extension<ShownOnce>, Answer<NewTokenReceipt>), Problem> {
    let new = NewToken {
        role: body.role,
        lasts: Duration::days(body.token_days.into()),
    };
    let mut rng = admin.randomness.rng();
    let now = admin.clock.now();
    let making = store::add_token(&admin.pool, &name, new, &by, now, &mut rng);
    let made = admin.query(making).await?;
    let receipt = token_receipt(name.into(), body.role, Some(&made));
    Ok((StatusCode::CREATED, Extension(ShownOnce), Answer(receipt)))
}

/// Revoke an operator
///
/// Takes effect at once, for all of the operator's tokens. The last admin cannot be revoked.
#[utoipa::path(
    post,
    path = "/admin/v1/operators/{name}:revoke",
    operation_id = "revokeOperator",
    tag = "operators",
    params(("name" = String, Path, description = "The operator.", pattern = "^[A-Za-z0-9._@-]+$", min_length = 1, max_length = 64)),
    responses(
        (status = 200, description = "The operator is revoked.", body = Revoked),
        (status = 404, description = "The operator does not exist.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 409, description = "This is the last admin.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn revoke_operator(
    State(admin): State<AdminApi>,
    CanManage(by): CanManage,
    Path(name): Path<BoundedText<64>>,
) -> Result<Answer<Revoked>, Problem> {
    let revoking = store::revoke_operator(&admin.pool, &name, &by, admin.clock.now());
    admin.query(revoking).await?;
    let revoked = name.into();
    Ok(Answer(Revoked { revoked }))
}

/// Revoke a token
///
/// Takes effect at once. An admin can revoke any token; everyone can revoke the token that signs this request.
#[utoipa::path(
    post,
    path = "/admin/v1/tokens/{id}:revoke",
    operation_id = "revokeToken",
    tag = "operators",
    params(("id" = String, Path, description = "The token: what follows `akg_`.", pattern = "^[A-Za-z0-9]+$", min_length = 1, max_length = 64)),
    responses(
        (status = 200, description = "The token is revoked.", body = Revoked),
        (status = 404, description = "The token does not exist, or is already revoked.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    )
)]
pub async fn revoke_token(
    State(admin): State<AdminApi>,
    CanRead(operator): CanRead,
    Path(token_id): Path<BoundedText<64>>,
) -> Result<Answer<Revoked>, Problem> {
    if Some(&*token_id) != operator.token_id.as_deref() && !operator.role.may(Right::Manage) {
        return Err(Problem::forbidden(operator.role, Right::Manage));
    }
    let by = operator.actor();
    let revoking = store::revoke_token(&admin.pool, &token_id, &by, admin.clock.now());
    admin.query(revoking).await?;
    let revoked = token_id.into();
    Ok(Answer(Revoked { revoked }))
}

/// Show the caller
///
/// The operator and the token of this request.
#[utoipa::path(
    get,
    path = "/admin/v1/me",
    operation_id = "getMe",
    tag = "operators",
    responses((status = 200, description = "The caller.", body = CurrentOperator), CommonFaults)
)]
pub async fn get_caller(
    State(admin): State<AdminApi>,
    CanRead(operator): CanRead,
) -> Result<Answer<CurrentOperator>, Problem> {
    let reading = store::list_operators(&admin.pool, Some(&operator.name), None, 1);
    let views = admin.query(reading).await?;
    let mut tokens = views.into_iter().flat_map(|view| view.tokens);
    let token = tokens.find(|token| Some(&token.token_id) == operator.token_id.as_ref());
    Ok(Answer(CurrentOperator {
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
                "An operator has, or had, this name, and names are never reused. Choose another.",
            ),
            OperatorFault::NotFound => {
                Self::not_found("The operator or token does not exist, or is already revoked.")
            }
            OperatorFault::BeyondRole(role) => Self::conflict(
                "beyond-role",
                "The operator's role is too low.",
                format!("The operator's role is `{role}`; a token cannot allow more than that."),
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
