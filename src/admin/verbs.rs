//! `{id}:verb`: what can be asked of one thing. The router knows no such paths.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use futures_core::future::BoxFuture;
use tower::{Service, ServiceExt};
use uuid::Uuid;

use super::{
    Admin, Problem, approvals, confirm, deliveries, events, exceptions, keys, letters, lift,
    operators, restrictions, tasks,
};

/// Finds the method that a path means.
#[derive(Clone)]
pub struct Verbs {
    one: MethodRouter,
    verbs: Vec<(&'static str, MethodRouter)>,
    /// What there is, for who asks for something else.
    told: &'static str,
}

/// What can be asked of one thing, by the path of each kind.
pub fn all(admin: &Admin) -> Vec<(&'static str, Verbs)> {
    let of = |one: MethodRouter<Admin>, verbs: Vec<(&'static str, MethodRouter<Admin>)>, told| {
        let method =
            |method: MethodRouter<Admin>| method.fallback(not_allowed).with_state(admin.clone());
        Verbs {
            one: method(one),
            verbs: verbs
                .into_iter()
                .map(|(verb, asked)| (verb, method(asked)))
                .collect(),
            told,
        }
    };
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

async fn not_allowed() -> Problem {
    Problem::method_not_allowed()
}

impl Service<Request> for Verbs {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let last = request.uri().path().rsplit('/').next().unwrap_or_default();
        let route = match last.split_once(':') {
            None => Some(&self.one),
            Some((_, asked)) => {
                let found = self.verbs.iter().find(|(verb, _)| *verb == asked);
                found.map(|(_, method)| method)
            }
        };
        match route {
            Some(route) => Box::pin(route.clone().oneshot(request)),
            None => {
                let problem = Problem::not_found(self.told);
                Box::pin(async move { Ok(problem.into_response()) })
            }
        }
    }
}

/// What stands before a verb.
pub fn before_verb(target: &str) -> &str {
    target.rsplit_once(':').map_or(target, |(thing, _)| thing)
}

/// The id before a verb.
pub fn id_of(target: &str) -> Option<Uuid> {
    Uuid::parse_str(before_verb(target)).ok()
}
