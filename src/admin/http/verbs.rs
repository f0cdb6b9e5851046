//! Custom methods, `{id}:verb`. axum's router does not support such paths.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use futures_core::future::BoxFuture;
use tower::{Service, ServiceExt};

use crate::{context::AdminApi, http::problem::Problem};

/// The method behind the colon of a path.
#[derive(Debug, Clone, Copy)]
pub struct CustomMethod(pub &'static str);

/// Finds the custom method of a path.
#[derive(Clone)]
pub struct CustomMethods {
    one: MethodRouter,
    verbs: Vec<(&'static str, MethodRouter)>,
    /// The supported methods, for the error message.
    told: &'static str,
}

impl CustomMethods {
    /// The routes of one resource: reading it, and its custom methods. `told` lists them for callers of an unknown
    /// method.
    pub fn new(
        admin: &AdminApi,
        one: MethodRouter<AdminApi>,
        verbs: Vec<(&'static str, MethodRouter<AdminApi>)>,
        told: &'static str,
    ) -> Self {
        let method = |method: MethodRouter<AdminApi>| {
            method
                .fallback(method_not_allowed)
                .with_state(admin.clone())
        };
        Self {
            one: method(one),
            verbs: verbs
                .into_iter()
                .map(|(verb, asked)| (verb, method(asked)))
                .collect(),
            told,
        }
    }
}

async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}

impl Service<Request> for CustomMethods {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let last = request.uri().path().rsplit('/').next().unwrap_or_default();
        let route = match last.split_once(':') {
            None => Some(&self.one),
            Some((_, asked)) => {
                let found = self.verbs.iter().find(|(verb, _)| *verb == asked);
                found.map(|(verb, method)| {
                    request.extensions_mut().insert(CustomMethod(verb));
                    method
                })
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
