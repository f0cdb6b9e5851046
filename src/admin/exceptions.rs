//! `/admin/v1/exceptions`: what a restricted key may do all the same, from where, and until when.

use std::net::IpAddr;

use axum::{Json as Answer, extract::State};
use http::StatusCode;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Array, ArrayBuilder, ObjectBuilder, Type},
};
use uuid::Uuid;

use super::{
    Admin, Problem,
    approvals::waits,
    auth::{Acting, Reader},
    extract::{Json, Path, Query, cut, page_size, text, text_schema, whole},
    openapi::Faults,
    problem::Details,
    receipt::{Changed, Waiting},
    verbs::id_of,
};
use akgate_rules::{
    access_key::AccessKeyId,
    exception::{LONGEST, MOST_NETWORKS, MOST_OPERATIONS, Named, Scope, ScopeFault},
};
use akgate_state::{
    directory::within,
    four_eyes::approvals::ApprovalView,
    live::barrier::Concern,
    restrictions::exceptions::{self, Excepting, ExceptionView, RevokeFault, Wanted},
};

/// Which exceptions to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only those of this access key.
    #[param(nullable = false)]
    access_key_id: Option<String>,
    /// Only those in this state.
    #[param(value_type = Option<StateName>, inline, nullable = false)]
    state: Option<String>,
    /// The page size.
    #[param(minimum = 1, maximum = 500, default = 50, nullable = false)]
    page_size: Option<i64>,
    /// The `next_page_token` of the previous page.
    #[param(nullable = false)]
    page_token: Option<Uuid>,
}

/// State of an exception.
#[derive(ToSchema)]
#[schema(as = ExceptionState)]
#[expect(dead_code, reason = "the schema of a text")]
enum StateName {
    Holds,
    Revoked,
    Expired,
    Over,
}

const STATES: [&str; 4] = ["Holds", "Revoked", "Expired", "Over"];

/// A page of results.
#[derive(Serialize, ToSchema)]
#[schema(as = Exceptions)]
pub struct Page {
    /// Newest first.
    exceptions: Vec<ExceptionView>,
    /// Send this as `page_token` to get the next page; null on the last page.
    next_page_token: Option<Uuid>,
}

/// List exceptions
///
/// Newest first, ended ones included.
#[utoipa::path(
    get,
    path = "/admin/v1/exceptions",
    operation_id = "listExceptions",
    tag = "exceptions",
    params(Filter),
    responses((status = 200, description = "A page of results.", body = Page), Faults)
)]
pub async fn list(
    State(admin): State<Admin>,
    _: Reader,
    Query(filter): Query<Filter>,
) -> Result<Answer<Page>, Problem> {
    if let Some(state) = &filter.state
        && !STATES.contains(&state.as_str())
    {
        let states = STATES.join(", ");
        return Err(Problem::invalid(format!(
            "`state` must be one of {states}."
        )));
    }
    let size = page_size(filter.page_size, 500)?;
    let wanted = Wanted {
        exception_id: None,
        access_key_id: filter.access_key_id,
        state: filter.state,
        before: filter.page_token,
        limit: size + 1,
    };
    let reading = exceptions::list(&admin.pool, &wanted, admin.clock.now());
    let mut exceptions = within(admin.timeout, reading).await?;
    let next_page_token = cut(&mut exceptions, size, |one| one.exception_id);
    Ok(Answer(Page {
        exceptions,
        next_page_token,
    }))
}

/// Show an exception
///
/// What it allows, from which networks, who made it, and whether it is in force.
#[utoipa::path(
    get,
    path = "/admin/v1/exceptions/{id}",
    operation_id = "getException",
    tag = "exceptions",
    params(("id" = Uuid, Path, description = "The exception.")),
    responses(
        (status = 200, description = "The exception.", body = ExceptionView),
        (status = 404, description = "The exception does not exist.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn one(
    State(admin): State<Admin>,
    _: Reader,
    Path(id): Path<Uuid>,
) -> Result<Answer<ExceptionView>, Problem> {
    view(&admin, id).await.map(Answer)
}

async fn view(admin: &Admin, id: Uuid) -> Result<ExceptionView, Problem> {
    let wanted = Wanted {
        exception_id: Some(id),
        limit: 1,
        ..Wanted::default()
    };
    let reading = exceptions::list(&admin.pool, &wanted, admin.clock.now());
    let mut found = within(admin.timeout, reading).await?;
    found.pop().ok_or_else(missing)
}

fn missing() -> Problem {
    Problem::not_found("No exception has this id.")
}

/// What the exception allows.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewException)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// The restricted key.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]+$", min_length = 1, max_length = 128)]
    access_key_id: AccessKeyId,
    /// The operations it allows, one by one: `RAM:CreateAccessKey`.
    #[schema(schema_with = operations_schema)]
    operations: Vec<Named>,
    /// The networks it allows them from: CIDR, at most a /16 (IPv6: /32), or single addresses.
    #[schema(schema_with = networks_schema)]
    networks: Vec<String>,
    /// How many hours it lasts after the approval.
    #[serde(deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 72)]
    hours: u16,
    /// The reason, kept in the audit log.
    #[schema(schema_with = text_schema::<1024>)]
    reason: String,
}

fn operations_schema() -> Array {
    const PATTERN: &str = "^[A-Za-z0-9_-]{1,64}:[A-Za-z0-9_-]{1,64}$";
    list_of(129, PATTERN, MOST_OPERATIONS)
}

fn networks_schema() -> Array {
    // An IPv4 address or network; an IPv6 one, in full or with `::` once.
    const PATTERN: &str = "^((((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(/(1[6-9]|2[0-9]|3[0-2]))?)\
        |(([0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){7}|([0-9A-Fa-f]{1,4}:){1,6}:([0-9A-Fa-f]{1,4})?|([0-9A-Fa-f]{1,4}:){1,4}(:[0-9A-Fa-f]{1,4}){1,3})(/(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-8]))?))$";
    list_of(64, PATTERN, MOST_NETWORKS)
}

fn list_of(longest: usize, pattern: &str, most: usize) -> Array {
    let item = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(longest))
        .pattern(Some(pattern));
    ArrayBuilder::new()
        .items(item)
        .min_items(Some(1))
        .max_items(Some(most))
        .build()
}

/// Request an exception
///
/// A second operator must approve. The exception applies to the restricted key itself, never to its sessions, and ends
/// with the restriction at the latest.
#[utoipa::path(
    post,
    path = "/admin/v1/exceptions",
    operation_id = "askForException",
    tag = "exceptions",
    request_body = New,
    responses(
        (status = 202, description = "Waiting for a second operator to approve.", body = ApprovalView),
        (status = 409, description = "The key is not restricted, or another operator has already requested one.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn ask(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Json(body): Json<New>,
) -> Result<(StatusCode, Answer<ApprovalView>), Problem> {
    text("reason", &body.reason, 1024)?;
    let most = LONGEST.whole_hours();
    let hours = u8::try_from(body.hours)
        .ok()
        .filter(|hours| (1..=most).contains(&i64::from(*hours)))
        .ok_or_else(|| Problem::invalid(format!("`hours` must be 1 to {most}.")))?;
    let excepting = Excepting {
        scope: Scope {
            operations: body.operations,
            networks: body
                .networks
                .iter()
                .map(network)
                .collect::<Result<_, _>>()?,
        },
        hours,
        reason: body.reason,
    };
    excepting.scope.check(&admin.rules.catalogue)?;
    let (id, now) = (&body.access_key_id, admin.clock.now());
    let eyes = admin.settings.four_eyes;
    let asking = exceptions::request_exception(&admin.pool, id, &excepting, &actor, eyes, now);
    let approval = within(admin.timeout, asking).await?;
    waits(&admin, approval).await
}

fn network(text: &String) -> Result<IpNet, Problem> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map(|network| network.trunc()).map_err(|_| {
        Problem::invalid(format!(
            "`{text}` is not a network: write it as CIDR (192.0.2.0/24) or as an address."
        ))
    })
}

/// End an exception
///
/// Early, without a second operator. The answer comes when every node enforces the full restriction, with a receipt.
#[utoipa::path(
    post,
    path = "/admin/v1/exceptions/{id}:revoke",
    operation_id = "revokeException",
    tag = "exceptions",
    params(("id" = Uuid, Path, description = "The exception."), Waiting),
    responses(
        (status = 200, description = "The exception is ended.", body = Changed<ExceptionView>),
        (status = 404, description = "The exception does not exist.", body = Details, content_type = "application/problem+json"),
        (status = 409, description = "The exception has already ended.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn revoke(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(target): Path<String>,
    Query(waiting): Query<Waiting>,
) -> Result<Answer<Changed<ExceptionView>>, Problem> {
    let id = id_of(&target).ok_or_else(missing)?;
    let revoking = exceptions::revoke(&admin.pool, id, &actor, admin.clock.now());
    let revoked = within(admin.timeout, revoking).await?;
    let concern = Concern::Keys(vec![revoked.access_key_id]);
    let receipt = admin
        .receipt(revoked.position, concern, waiting.wait)
        .await?;
    Ok(Answer(Changed {
        view: view(&admin, id).await?,
        receipt: Some(receipt),
    }))
}

impl From<ScopeFault> for Problem {
    fn from(fault: ScopeFault) -> Self {
        Self::invalid(format!("{fault}."))
    }
}

impl From<RevokeFault> for Problem {
    fn from(fault: RevokeFault) -> Self {
        match fault {
            RevokeFault::NotFound => missing(),
            RevokeFault::Over => Self::conflict(
                "exception-over",
                "The exception has already ended.",
                "There is nothing to end.",
            ),
            RevokeFault::State(fault) => fault.into(),
        }
    }
}
