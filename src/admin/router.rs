//! The routes, and their description: the one place that knows every endpoint.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{MethodRouter, get, post},
};
use serde_json::Value;
use utoipa::{Modify, OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use akgate_net::source_rate_limiter::SourceRateLimiter;

use crate::{
    context::AdminApi,
    http::{idempotency, problem::Problem, rate_limit, verbs::CustomMethods},
    openapi,
    v1::{
        accounts, activity, approvals, audit, confirm, decisions, deliveries, descendants, events,
        exceptions, keys, leak_reports, letters, lift, nodes, observations, operators, policy,
        restrictions, service, sign_in, tasks, timeline,
    },
};

/// The routes, and their description: one place for both. Custom methods are routed by [`verbs`] and described in
/// [`openapi::ApiDescription`].
fn documented_routes() -> OpenApiRouter<AdminApi> {
    OpenApiRouter::with_openapi(openapi::ApiDescription::openapi())
        .routes(routes!(
            leak_reports::report_leak,
            leak_reports::list_leak_reports
        ))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(restrictions::list_restrictions))
        .routes(routes!(timeline::get_timeline))
        .routes(routes!(descendants::list_descendants))
        .routes(routes!(approvals::list_approvals))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(letters::list_letters))
        .routes(routes!(events::list_events))
        .routes(routes!(audit::list_audit_records))
        .routes(routes!(activity::get_key_activity))
        .routes(routes!(decisions::explain_decision))
        .routes(routes!(accounts::list_accounts))
        .routes(routes!(accounts::get_account))
        .routes(routes!(accounts::set_account_profile))
        .routes(routes!(accounts::set_account_self_remedy))
        .routes(routes!(keys::list_keys))
        .routes(routes!(keys::get_key_lineage))
        .routes(routes!(
            exceptions::list_exceptions,
            exceptions::request_exception
        ))
        .routes(routes!(policy::get_policy))
        .routes(routes!(policy::check_operation))
        .routes(routes!(policy::compare_profiles))
        .routes(routes!(policy::replay_calls))
        .routes(routes!(observations::get_observed_calls))
        .routes(routes!(tasks::list_tasks))
        .routes(routes!(operators::list_operators, operators::add_operator))
        .routes(routes!(operators::create_token))
        .routes(routes!(operators::get_caller))
        .routes(routes!(service::list_notices))
        .routes(routes!(service::report_bounce))
}

/// The routes of callers without a token: sign-in.
fn sign_in_routes() -> OpenApiRouter<AdminApi> {
    OpenApiRouter::new().routes(routes!(
        sign_in::get_sign_in_page,
        sign_in::sign_in_with_code
    ))
}

/// The routes of operators, the sign-in routes, and the description of both.
fn build_routes() -> (Router<AdminApi>, Router<AdminApi>, Value) {
    let (v1, mut api) = documented_routes().split_for_parts();
    openapi::IdempotencyKeyHeader.modify(&mut api);
    let (door, more) = sign_in_routes().split_for_parts();
    api.merge(more);
    (v1, door, openapi::describe_with_bounds(&api))
}

/// The description of the API.
#[must_use]
pub fn openapi_description() -> Value {
    build_routes().2
}

/// The routes.
pub fn router(admin: AdminApi) -> Router {
    let (v1, door, api) = build_routes();
    let pace = Arc::new(SourceRateLimiter::new(admin.settings.requests_per_second));
    let once = middleware::from_fn_with_state(admin.clone(), idempotency::handle_idempotently);
    let with_verbs = verbs(&admin);
    let door = door.with_state(admin.clone());
    let v1 = v1
        .route(
            "/admin/v1/policy:switch_mode",
            post(policy::request_mode_switch),
        )
        .with_state(admin);
    with_verbs
        .into_iter()
        .fold(v1, |v1, (path, verbs)| v1.route_service(path, verbs))
        .layer(once)
        .merge(door)
        .merge(openapi::openapi_router(&api))
        .fallback(|| async {
            Problem::not_found("The paths of the admin API start with /admin/v1.")
        })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn_with_state(pace, rate_limit::limit_rate))
}

/// The custom methods of each kind of resource.
fn verbs(admin: &AdminApi) -> Vec<(&'static str, CustomMethods)> {
    let of = |one, verbs, told| CustomMethods::new(admin, one, verbs, told);
    let nothing = MethodRouter::new;
    vec![
        (
            "/admin/v1/restrictions/{id}",
            of(
                get(restrictions::get_restriction),
                vec![
                    ("confirm", post(confirm::confirm_restriction)),
                    ("lift", post(lift::lift_restriction)),
                    (
                        "restrict_descendants",
                        post(descendants::restrict_descendants),
                    ),
                ],
                "A restriction can be confirmed (:confirm), lifted (:lift) and extended to descendants (:restrict_descendants).",
            ),
        ),
        (
            "/admin/v1/deliveries/{id}",
            of(
                nothing(),
                vec![("undo", post(deliveries::undo_delivery))],
                "A delivery can be undone (:undo).",
            ),
        ),
        (
            "/admin/v1/approvals/{id}",
            of(
                get(approvals::get_approval),
                vec![
                    ("approve", post(approvals::grant_approval)),
                    ("reject", post(approvals::reject_approval)),
                    ("withdraw", post(approvals::withdraw_approval)),
                ],
                "A request can be approved (:approve), rejected (:reject) and withdrawn (:withdraw).",
            ),
        ),
        (
            "/admin/v1/exceptions/{id}",
            of(
                get(exceptions::get_exception),
                vec![("revoke", post(exceptions::revoke_exception))],
                "An exception can be ended (:revoke).",
            ),
        ),
        (
            "/admin/v1/keys/{id}",
            of(
                get(keys::get_key),
                vec![("disable", post(keys::request_key_disabling))],
                "An AccessKey can be disabled (:disable).",
            ),
        ),
        (
            "/admin/v1/letters/{id}",
            of(
                get(letters::get_letter),
                vec![
                    ("resend", post(letters::resend_letter)),
                    ("cancel", post(letters::cancel_letter)),
                ],
                "A letter can be resent (:resend) and cancelled (:cancel).",
            ),
        ),
        (
            "/admin/v1/hooks/{name}",
            of(
                nothing(),
                vec![("retry", post(events::retry_hook_events))],
                "A hook can be tried again (:retry).",
            ),
        ),
        (
            "/admin/v1/tasks/{id}",
            of(
                nothing(),
                vec![("close", post(tasks::close_task))],
                "A task can be closed (:close).",
            ),
        ),
        (
            "/admin/v1/operators/{name}",
            of(
                nothing(),
                vec![("revoke", post(operators::revoke_operator))],
                "An operator can be revoked (:revoke).",
            ),
        ),
        (
            "/admin/v1/tokens/{id}",
            of(
                nothing(),
                vec![("revoke", post(operators::revoke_token))],
                "A token can be revoked (:revoke).",
            ),
        ),
    ]
}
