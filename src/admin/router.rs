//! The routes, and their description: the one place that knows every endpoint.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{MethodRouter, get, post},
};
use serde_json::Value;
use utoipa::{Modify, OpenApi};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    context::Admin,
    http::{
        idempotency,
        problem::Problem,
        rate_limit::{self, Pace},
        verbs::Verbs,
    },
    openapi,
    v1::{
        accounts, activity, approvals, audit, confirm, decisions, deliveries, events, exceptions,
        keys, leak_reports, letters, lift, nodes, observations, operators, policy, restrictions,
        service, sign_in, tasks, timeline,
    },
};

/// The routes, and their description: one place for both. What is asked of one restriction or task is
/// routed by [`verbs`] and described in [`openapi::Description`].
fn described() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(openapi::Description::openapi())
        .routes(routes!(leak_reports::create, leak_reports::list))
        .routes(routes!(deliveries::list))
        .routes(routes!(restrictions::list))
        .routes(routes!(timeline::read))
        .routes(routes!(approvals::list))
        .routes(routes!(nodes::list))
        .routes(routes!(letters::list))
        .routes(routes!(events::list))
        .routes(routes!(audit::list))
        .routes(routes!(activity::read))
        .routes(routes!(decisions::read))
        .routes(routes!(accounts::list))
        .routes(routes!(accounts::one))
        .routes(routes!(accounts::set_profile))
        .routes(routes!(accounts::set_self_remedy))
        .routes(routes!(keys::list))
        .routes(routes!(keys::lineage))
        .routes(routes!(exceptions::list, exceptions::ask))
        .routes(routes!(policy::show))
        .routes(routes!(policy::check))
        .routes(routes!(policy::diff))
        .routes(routes!(policy::replay))
        .routes(routes!(observations::read))
        .routes(routes!(tasks::list))
        .routes(routes!(operators::list, operators::add))
        .routes(routes!(operators::make_token))
        .routes(routes!(operators::me))
        .routes(routes!(service::list))
        .routes(routes!(service::bounce))
}

/// What those use who are not known yet.
fn door() -> OpenApiRouter<Admin> {
    OpenApiRouter::new().routes(routes!(sign_in::page, sign_in::redeem))
}

/// The routes of operators, those of the door, and the description of all.
fn parts() -> (Router<Admin>, Router<Admin>, Value) {
    let (v1, mut api) = described().split_for_parts();
    openapi::Once.modify(&mut api);
    let (door, more) = door().split_for_parts();
    api.merge(more);
    (v1, door, openapi::bounded(&api))
}

/// The description of the API.
#[must_use]
pub fn description() -> Value {
    parts().2
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    let (v1, door, api) = parts();
    let pace = Arc::new(Pace::new(admin.settings.requests_per_second));
    let once = middleware::from_fn_with_state(admin.clone(), idempotency::once);
    let with_verbs = verbs(&admin);
    let door = door.with_state(admin.clone());
    let v1 = v1
        .route("/admin/v1/policy:switch_mode", post(policy::switch_mode))
        .with_state(admin);
    with_verbs
        .into_iter()
        .fold(v1, |v1, (path, verbs)| v1.route_service(path, verbs))
        .layer(once)
        .merge(door)
        .merge(openapi::router(&api))
        .fallback(|| async {
            Problem::not_found("The paths of the admin API start with /admin/v1.")
        })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(middleware::from_fn_with_state(pace, rate_limit::pace))
}

/// What can be asked of one thing, by the path of each kind.
fn verbs(admin: &Admin) -> Vec<(&'static str, Verbs)> {
    let of = |one, verbs, told| Verbs::new(admin, one, verbs, told);
    let nothing = MethodRouter::new;
    vec![
        (
            "/admin/v1/restrictions/{id}",
            of(
                get(restrictions::one),
                vec![
                    ("confirm", post(confirm::confirm)),
                    ("lift", post(lift::lift)),
                ],
                "A restriction can be confirmed (:confirm) and lifted (:lift).",
            ),
        ),
        (
            "/admin/v1/deliveries/{id}",
            of(
                nothing(),
                vec![("undo", post(deliveries::undo))],
                "A delivery can be undone (:undo).",
            ),
        ),
        (
            "/admin/v1/approvals/{id}",
            of(
                get(approvals::one),
                vec![
                    ("approve", post(approvals::approve)),
                    ("reject", post(approvals::reject)),
                    ("withdraw", post(approvals::withdraw)),
                ],
                "A request can be approved (:approve), rejected (:reject) and withdrawn (:withdraw).",
            ),
        ),
        (
            "/admin/v1/exceptions/{id}",
            of(
                get(exceptions::one),
                vec![("revoke", post(exceptions::revoke))],
                "An exception can be ended (:revoke).",
            ),
        ),
        (
            "/admin/v1/keys/{id}",
            of(
                get(keys::one),
                vec![("disable", post(keys::disable))],
                "An AccessKey can be disabled (:disable).",
            ),
        ),
        (
            "/admin/v1/letters/{id}",
            of(
                get(letters::one),
                vec![
                    ("resend", post(letters::resend)),
                    ("bury", post(letters::bury)),
                ],
                "A letter can be sent again (:resend) and given up (:bury).",
            ),
        ),
        (
            "/admin/v1/hooks/{name}",
            of(
                nothing(),
                vec![("revive", post(events::revive))],
                "A hook can be tried again (:revive).",
            ),
        ),
        (
            "/admin/v1/tasks/{id}",
            of(
                nothing(),
                vec![("close", post(tasks::close))],
                "A task can be closed (:close).",
            ),
        ),
        (
            "/admin/v1/operators/{name}",
            of(
                nothing(),
                vec![("revoke", post(operators::revoke))],
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
