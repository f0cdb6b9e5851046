//! The admin API, `/admin/v1`: operators report, inspect, confirm and lift. `/v1` is for the cloud's own programs.
//!
//! An endpoint is one file of `v1`; [`router`] alone knows them all. `http` contains what they share, from
//! authentication to problem documents.

#![forbid(unsafe_code)]

mod context;
mod http;
pub mod oidc;
pub mod openapi;
mod router;
mod v1;

pub use akgate_api::sign_in::REDIRECT_PATH;

pub use self::{
    context::{AdminApi, AdminSettings, PolicyRules},
    http::problem::Problem,
    router::{openapi_description, router},
};
