//! The page that a refusal recommends: what to do, and, for who has the RequestId and the key that signed,
//! why. Whoever holds a leaked key may be its thief: nothing is told of who owns it or where it was found,
//! and ids that do not belong together get the answer of ids that nobody has.

use axum::{
    extract::{Form, Query, State, rejection::FormRejection},
    response::Response,
};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Console, asked_for, minute, page::Page, unavailable};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    calls::{
        shown_request_id,
        why::{self, Forbidden, Why},
    },
    directory::within,
};

/// The call that a page is asked about.
#[derive(Debug, Default, Deserialize)]
pub struct Asked {
    #[serde(rename = "RequestId", default)]
    request_id: String,
    #[serde(rename = "AccessKeyId", default)]
    access_key_id: String,
}

/// What the page is filled with.
#[derive(Serialize)]
struct Filled {
    /// Empty where the page was not reached from a refusal.
    request_id: String,
}

/// What is told.
#[derive(Serialize)]
struct Told {
    request_id: String,
    product: String,
    action: String,
    forbidden: Forbidden,
    refused_at: String,
    access_key_id: String,
    /// The restricted key, where a session of it signed.
    parent: Option<String>,
    restricted_since: String,
    state: String,
    /// As if the restriction had never been.
    undone: bool,
}

/// Shows what to do, and asks for the key where a RequestId is given.
pub async fn help(
    State(console): State<Console>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let request_id = Uuid::parse_str(&asked.request_id).map(shown_request_id);
    let filled = Filled {
        request_id: request_id.unwrap_or_default(),
    };
    console
        .pages
        .render(Page::Help, asked_for(&headers), filled)
}

/// Tells why.
pub async fn why(
    State(console): State<Console>,
    headers: HeaderMap,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let language = asked_for(&headers);
    let asked = asked.map(|Form(asked)| asked).unwrap_or_default();
    let ids = Uuid::parse_str(asked.request_id.trim())
        .ok()
        .zip(AccessKeyId::parse(asked.access_key_id.trim()).ok());
    let Some((request_id, key)) = ids else {
        return console.pages.render(Page::WhyUnknown, language, ());
    };
    let found = within(console.timeout, why::find(&console.pool, request_id, &key));
    match found.await {
        Ok(Some(why)) => {
            let told = Told::of(request_id, &key, why);
            console.pages.render(Page::Why, language, told)
        }
        Ok(None) => console.pages.render(Page::WhyUnknown, language, ()),
        Err(fault) => unavailable(&console, &headers, &fault),
    }
}

impl Told {
    fn of(request_id: Uuid, key: &AccessKeyId, why: Why) -> Self {
        let parent = AccessKeyId::parse(&why.restricted_key)
            .ok()
            .filter(|restricted| restricted != key);
        Self {
            request_id: shown_request_id(request_id),
            forbidden: why.forbidden(),
            undone: why.undone,
            product: why.product,
            action: why.action,
            refused_at: minute(why.refused_at),
            access_key_id: key.masked(),
            parent: parent.as_ref().map(AccessKeyId::masked),
            restricted_since: minute(why.imposed_at),
            state: why.state,
        }
    }
}
