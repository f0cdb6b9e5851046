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

/// What can be asked of one restriction.
pub fn of_restriction(admin: &Admin) -> Verbs {
    Verbs {
        one: get(restrictions::one)
            .fallback(not_allowed)
            .with_state(admin.clone()),
        verbs: vec![
            ("confirm", verb(post(confirm::confirm), admin)),
            ("lift", verb(post(lift::lift), admin)),
        ],
        told: "A restriction can be confirmed (:confirm) and lifted (:lift).",
    }
}

/// What can be asked of one delivery.
pub fn of_delivery(admin: &Admin) -> Verbs {
    Verbs {
        one: MethodRouter::new().fallback(not_allowed),
        verbs: vec![("undo", verb(post(deliveries::undo), admin))],
        told: "A delivery can be undone (:undo).",
    }
}

/// What can be asked of one request for a second operator.
pub fn of_approval(admin: &Admin) -> Verbs {
    Verbs {
        one: get(approvals::one)
            .fallback(not_allowed)
            .with_state(admin.clone()),
        verbs: vec![
            ("approve", verb(post(approvals::approve), admin)),
            ("reject", verb(post(approvals::reject), admin)),
            ("withdraw", verb(post(approvals::withdraw), admin)),
        ],
        told: "A request can be approved (:approve), rejected (:reject) and withdrawn (:withdraw).",
    }
}

/// What can be asked of one task.
pub fn of_task(admin: &Admin) -> Verbs {
    Verbs {
        one: MethodRouter::new().fallback(not_allowed),
        verbs: vec![("close", verb(post(tasks::close), admin))],
        told: "A task can be closed (:close).",
    }
}

/// What can be asked of one letter.
pub fn of_letter(admin: &Admin) -> Verbs {
    Verbs {
        one: get(letters::one)
            .fallback(not_allowed)
            .with_state(admin.clone()),
        verbs: vec![
            ("resend", verb(post(letters::resend), admin)),
            ("bury", verb(post(letters::bury), admin)),
        ],
        told: "A letter can be sent again (:resend) and given up (:bury).",
    }
}

/// What can be asked of one hook.
pub fn of_hook(admin: &Admin) -> Verbs {
    Verbs {
        one: MethodRouter::new().fallback(not_allowed),
        verbs: vec![("revive", verb(post(events::revive), admin))],
        told: "A hook can be tried again (:revive).",
    }
}

/// What can be asked of one AccessKey.
pub fn of_key(admin: &Admin) -> Verbs {
    Verbs {
        one: get(keys::one)
            .fallback(not_allowed)
            .with_state(admin.clone()),
        verbs: vec![("disable", verb(post(keys::disable), admin))],
        told: "An AccessKey can be disabled (:disable).",
    }
}

/// What can be asked of one exception.
pub fn of_exception(admin: &Admin) -> Verbs {
    Verbs {
        one: get(exceptions::one)
            .fallback(not_allowed)
            .with_state(admin.clone()),
        verbs: vec![("revoke", verb(post(exceptions::revoke), admin))],
        told: "An exception can be ended (:revoke).",
    }
}

/// What can be asked of one operator.
pub fn of_operator(admin: &Admin) -> Verbs {
    Verbs {
        one: MethodRouter::new().fallback(not_allowed),
        verbs: vec![("revoke", verb(post(operators::revoke), admin))],
        told: "An operator can be revoked (:revoke).",
    }
}

/// What can be asked of one token.
pub fn of_token(admin: &Admin) -> Verbs {
    Verbs {
        one: MethodRouter::new().fallback(not_allowed),
        verbs: vec![("revoke", verb(post(operators::revoke_token), admin))],
        told: "A token can be revoked (:revoke).",
    }
}

fn verb(method: MethodRouter<Admin>, admin: &Admin) -> MethodRouter {
    method.fallback(not_allowed).with_state(admin.clone())
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
