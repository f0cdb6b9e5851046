//! The description of the API (OpenAPI 3.1) at `/admin/openapi.json`, and the page that shows it.

mod bounds;

use std::collections::BTreeMap;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::{
    HeaderValue,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::Value;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::{
    IntoResponses, Modify, OpenApi, ToSchema,
    openapi::{
        Components, Content, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, Type,
        path::{ParameterBuilder, ParameterIn},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    approvals, confirm, deliveries, events, exceptions, keys, letters, lift, operators, policy,
    problem::Details, restrictions, tasks,
};

/// What is said of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "akgate admin API",
        description = "Operators report leaked AccessKeys, look at restrictions, letters and what keys did, record an \
                       owner's confirmation and lift. A token is made by `akgate operators add`, or by signing in where there \
                       is a provider (`/admin/v1/sign-in`); where there is an authority of operators, people show a \
                       certificate (mutual TLS), whose common name is the operator's. The role `viewer` \
                       reads, `operator` also acts, `approver` also decides what needs two people, `admin` also manages \
                       operators; `service` is for programs and reaches /v1 alone. A token may do less than its \
                       operator, and ends. A list gives `next_page_token`, which the next request sends as \
                       `page_token`; null means that there is no more.",
        contact(name = "The operators of this akgate"),
    ),
    servers((url = "/", description = "The admin listener of this akgate, in production or wherever it runs")),
    tags(
        (name = "leaks", description = "Reporting leaked AccessKeys"),
        (name = "restrictions", description = "What is restricted, and its way out"),
        (name = "exceptions", description = "What a restricted key may do all the same"),
        (name = "approvals", description = "What takes two operators"),
        (name = "records", description = "What keys did, what was refused, what was written"),
        (name = "directory", description = "Accounts and AccessKeys, and where keys come from"),
        (name = "policy", description = "What restricted keys are refused"),
        (name = "nodes", description = "The processes that serve, and what each enforces"),
        (name = "tasks", description = "What an operator has to see to"),
        (name = "operators", description = "Who may use this API, and with which tokens"),
        (name = "service", description = "For the cloud's own programs: notices and bounces"),
    ),
    paths(
        deliveries::undo,
        restrictions::one,
        confirm::confirm,
        lift::lift,
        approvals::one,
        approvals::approve,
        approvals::reject,
        approvals::withdraw,
        tasks::close,
        letters::one,
        letters::resend,
        letters::bury,
        events::revive,
        keys::one,
        keys::disable,
        exceptions::one,
        exceptions::revoke,
        policy::switch_mode,
        operators::revoke,
        operators::revoke_token
    ),
    components(schemas(Details)),
    modifiers(&Token),
    security(("token" = []))
)]
pub struct Description;

/// How an operator is known.
struct Token;

impl Modify for Token {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("akg_…")
            .description(Some("An operator's token, made by `akgate operators add`."))
            .build();
        api.components
            .get_or_insert_with(Components::default)
            .add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// What every change may carry.
pub struct Once;

impl Modify for Once {
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
                "Of your making, one for each request. The same request again under the same key is made once, and answered as before for a day.",
            ))
            .schema(Some(schema))
            .build();
        let told = faults(&[
            ("409", "The same request is being made."),
            ("422", "The Idempotency-Key went with another request."),
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

/// What any request may be told.
pub struct Faults;

impl IntoResponses for Faults {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        faults(&[
            ("400", "The request is not valid."),
            ("401", "There is no token, or none that works."),
            ("403", "The operator's role does not go that far."),
            (
                "429",
                "Too many requests, or too many wrong tokens: this one was not looked at.",
            ),
            (
                "500",
                "akgate has failed; whether anything was changed the audit tells.",
            ),
            ("503", "The registry does not answer; nothing was changed."),
        ])
    }
}

fn faults(
    told: &[(&'static str, &'static str)],
) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    told.iter()
        .map(|(status, description)| ((*status).to_owned(), fault(description).into()))
        .collect()
}

fn fault(description: &str) -> utoipa::openapi::Response {
    let body = Content::new(Some(Ref::from_schema_name(Details::name())));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body)
        .build()
}

/// The description as it is served: with the bounds of everything.
pub fn bounded(api: &utoipa::openapi::OpenApi) -> Value {
    let mut api = serde_json::to_value(api).unwrap_or_default();
    bounds::write(&mut api);
    if let Some(server) = api.pointer_mut("/servers/0").and_then(Value::as_object_mut) {
        // For operators of this cloud alone.
        server.insert("x-internal".to_owned(), Value::Bool(true));
    }
    api
}

/// The routes of the description. Nobody needs a token to read it: it tells nothing of what it describes.
pub fn router(api: &Value) -> Router {
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
