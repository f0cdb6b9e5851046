//! The description of the API (OpenAPI 3.1) at `/admin/openapi.json`, and the page that shows it.

mod bounds;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::Value;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components, ObjectBuilder, Required, Type,
        path::{ParameterBuilder, ParameterIn},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::http::responses::faults;
use crate::v1::{
    approvals, confirm, deliveries, descendants, events, exceptions, keys, letters, lift,
    operators, policy, restrictions, tasks,
};
use akgate_api::problem::ProblemDetails;

/// The general part of the description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "akgate admin API",
        description = "Operators report leaked AccessKeys, inspect restrictions, letters and the activity of keys, record \
                       an owner's confirmation, and lift restrictions. Get a token with `akgate operators add`, or by \
                       signing in with the identity provider, if one is configured (`/admin/v1/sign-in`). If a \
                       certificate authority for operators is configured, operators need a client certificate (mutual TLS) \
                       whose common name is the operator's name. The role `viewer` can read, `operator` can also make \
                       changes, `approver` can also approve, `admin` can also manage operators; `service` is for programs \
                       and can use only /v1. A token can allow less than its operator's role, and it expires. A list returns \
                       `next_page_token`; send it as `page_token` to get the next page. It is null on the last page.",
        contact(name = "The operators of this akgate"),
    ),
    servers((url = "/", description = "The admin listener of this akgate, in production or elsewhere")),
    tags(
        (name = "leaks", description = "Leak reports and their deliveries"),
        (name = "restrictions", description = "Restrictions, from imposing to lifting"),
        (name = "exceptions", description = "Operations that a restricted key may still perform"),
        (name = "approvals", description = "Changes that a second operator must approve"),
        (name = "records", description = "Activity of keys, refusals, letters, events and the audit log"),
        (name = "directory", description = "Accounts, AccessKeys and their lineage"),
        (name = "policy", description = "What restricted keys are refused"),
        (name = "nodes", description = "The running processes, and what each enforces"),
        (name = "tasks", description = "Things that an operator must take care of"),
        (name = "operators", description = "Who may use this API, and their tokens"),
        (name = "service", description = "For the cloud provider's own programs: notices and bounces"),
    ),
    paths(
        deliveries::undo_delivery,
        restrictions::get_restriction,
        confirm::confirm_restriction,
        lift::lift_restriction,
        descendants::restrict_descendants,
        approvals::get_approval,
        approvals::grant_approval,
        approvals::reject_approval,
        approvals::withdraw_approval,
        tasks::close_task,
        letters::get_letter,
        letters::resend_letter,
        letters::cancel_letter,
        events::retry_hook_events,
        keys::get_key,
        keys::request_key_disabling,
        exceptions::get_exception,
        exceptions::revoke_exception,
        policy::request_mode_switch,
        operators::revoke_operator,
        operators::revoke_token
    ),
    components(schemas(ProblemDetails)),
    modifiers(&BearerTokenScheme),
    security(("token" = []))
)]
pub struct ApiDescription;

/// The authentication schemes.
struct BearerTokenScheme;

impl Modify for BearerTokenScheme {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("akg_…")
            .description(Some(
                "An operator's token; get one with `akgate operators add`.",
            ))
            .build();
        api.components
            .get_or_insert_with(Components::default)
            .add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// The headers that every changing request accepts.
pub struct IdempotencyKeyHeader;

impl Modify for IdempotencyKeyHeader {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some("^[!-~]+$"));
        let key = ParameterBuilder::new()
            .name("Idempotency-Key")
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(
                "A unique value of your choice for each request. A request repeated with the same key is carried out once and gets the same response for 24 hours.",
            ))
            .schema(Some(schema))
            .build();
        let told = faults(&[
            ("409", "The same request is still being processed."),
            ("422", "The Idempotency-Key was used for another request."),
        ]);
        for item in api.paths.paths.values_mut() {
            for change in [&mut item.post, &mut item.put].into_iter().flatten() {
                change
                    .parameters
                    .get_or_insert_default()
                    .push(key.clone().into());
                for (status, response) in &told {
                    let responses = &mut change.responses.responses;
                    responses
                        .entry(status.clone())
                        .or_insert_with(|| response.clone());
                }
            }
        }
    }
}

/// The description as it is served: with the bounds of everything.
pub fn describe_with_bounds(api: &utoipa::openapi::OpenApi) -> Value {
    let mut api = serde_json::to_value(api).unwrap_or_default();
    bounds::add_bounds(&mut api);
    if let Some(server) = api.pointer_mut("/servers/0").and_then(Value::as_object_mut) {
        // For operators of this cloud alone.
        server.insert("x-internal".to_owned(), Value::Bool(true));
    }
    api
}

/// The routes of the description. No token is needed: it contains no data.
pub fn openapi_router(api: &Value) -> Router {
    // A description always serialises.
    let document = Bytes::from(serde_json::to_vec(api).unwrap_or_default());
    let document = move || {
        let document = document.clone();
        async move { ([(CONTENT_TYPE, "application/json")], document) }
    };
    // The page's own scripts and styles; it calls this API alone.
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let fixed =
        |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let page = SwaggerUi::new("/admin/docs").config(Config::from("/admin/openapi.json"));
    Router::new()
        .merge(page)
        .layer(fixed(CONTENT_SECURITY_POLICY, policy))
        .layer(fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .route("/admin/openapi.json", get(document))
}
