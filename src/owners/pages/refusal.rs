//! The page that a refusal recommends: it says what to do and, to a caller who has the RequestId and the AccessKeyId,
//! why the call was refused. The holder of a leaked key may be a thief, so the page does not say who owns the key or
//! where it was found, and a wrong pair of ids gets the same answer as unknown ids.

use axum::{
    extract::{Form, Query, State, rejection::FormRejection},
    response::Response,
};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    context::{OwnerPages, format_minute, preferred_language, unavailable_page},
    page::PageKind,
};
use akgate_rules::access_key::AccessKeyId;
use akgate_state::{
    calls::{
        format_request_id,
        why::{self, ExplainedRefusal, RefusalReason},
    },
    directory::with_timeout,
};

/// The call that the page is about.
#[derive(Debug, Default, Deserialize)]
pub struct RefusalQuery {
    #[serde(rename = "RequestId", default)]
    request_id: String,
    #[serde(rename = "AccessKeyId", default)]
    access_key_id: String,
}

/// The facts of the help page.
#[derive(Serialize)]
struct HelpView {
    /// Empty if the page was not reached from a refusal.
    request_id: String,
}

/// The facts of the page that explains a refusal.
#[derive(Serialize)]
struct RefusalView {
    request_id: String,
    product: String,
    action: String,
    forbidden: RefusalReason,
    refused_at: String,
    access_key_id: String,
    /// The restricted key, if one of its sessions signed.
    parent: Option<String>,
    restricted_since: String,
    state: String,
    /// Whether the restriction was undone because its report was a mistake.
    undone: bool,
    /// Whether the key is restricted because it descends from a leaked one.
    descends: bool,
}

/// Shows what to do, and asks for the AccessKeyId if a RequestId is given.
pub async fn show_help(
    State(console): State<OwnerPages>,
    Query(asked): Query<RefusalQuery>,
    headers: HeaderMap,
) -> Response {
    let request_id = Uuid::parse_str(&asked.request_id).map(format_request_id);
    let filled = HelpView {
        request_id: request_id.unwrap_or_default(),
    };
    console
        .pages
        .render(PageKind::Help, preferred_language(&headers), filled)
}

/// Explains why a call was refused.
pub async fn explain_refusal(
    State(console): State<OwnerPages>,
    headers: HeaderMap,
    asked: Result<Form<RefusalQuery>, FormRejection>,
) -> Response {
    let language = preferred_language(&headers);
    let asked = asked.map(|Form(asked)| asked).unwrap_or_default();
    let ids = Uuid::parse_str(asked.request_id.trim())
        .ok()
        .zip(AccessKeyId::parse(asked.access_key_id.trim()).ok());
    let Some((request_id, key)) = ids else {
        return console.pages.render(PageKind::WhyUnknown, language, ());
    };
    let found = with_timeout(
        console.timeout,
        why::find_refusal(&console.pool, request_id, &key),
    );
    match found.await {
        Ok(Some(why)) => {
            let told = RefusalView::of(request_id, &key, why);
            console.pages.render(PageKind::Why, language, told)
        }
        Ok(None) => console.pages.render(PageKind::WhyUnknown, language, ()),
        Err(fault) => unavailable_page(&console, &headers, &fault),
    }
}

impl RefusalView {
    fn of(request_id: Uuid, key: &AccessKeyId, why: ExplainedRefusal) -> Self {
        let parent = AccessKeyId::parse(&why.restricted_key)
            .ok()
            .filter(|restricted| restricted != key);
        Self {
            request_id: format_request_id(request_id),
            forbidden: why.forbidden(),
            undone: why.undone,
            descends: why.is_descendant,
            product: why.product,
            action: why.action,
            refused_at: format_minute(why.refused_at),
            access_key_id: key.masked(),
            parent: parent.as_ref().map(AccessKeyId::masked),
            restricted_since: format_minute(why.imposed_at),
            state: why.state,
        }
    }
}
