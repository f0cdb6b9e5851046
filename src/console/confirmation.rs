//! The owner's page: GET shows what would be confirmed, POST confirms, once. Mail scanners follow links, so
//! GET changes nothing.

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Console, asked_for, minute, page::Page, unavailable};
use crate::{
    access_key::AccessKeyId,
    directory::{StateFault, contacts, within},
    evidence,
    registry::{
        confirm::{Confirmed, by_link},
        links,
        read::{self, RestrictionView},
    },
};

/// What a page tells of a restriction. Ids are masked: a letter may be forwarded.
#[derive(Serialize)]
struct Shown {
    access_key_id: String,
    account_id: Option<String>,
    user_name: Option<String>,
    key_status: Option<String>,
    imposed_at: String,
    sources: Vec<Source>,
}

#[derive(Serialize)]
struct Source {
    source: String,
    url: Option<String>,
}

/// Shows what would be confirmed.
pub async fn show(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let found = within(console.timeout, async {
        let now = console.clock.now();
        let Some(link) = links::look(&console.pool, &digest(&token), now).await? else {
            return Ok(None);
        };
        let language = contacts::language(&console.pool, link.contact_id).await?;
        let restriction = read::one(&console.pool, link.restriction_id).await?;
        Ok::<_, StateFault>(language.zip(restriction))
    });
    match found.await {
        Ok(Some((language, restriction))) if restriction.state == "Imposed" => console
            .pages
            .render(Page::Confirm, language, Shown::of(&restriction)),
        Ok(Some((language, restriction))) => {
            console
                .pages
                .render(Page::AlreadyConfirmed, language, Shown::of(&restriction))
        }
        Ok(None) => console
            .pages
            .render(Page::LinkExpired, asked_for(&headers), ()),
        Err(fault) => unavailable(&console, &headers, &fault),
    }
}

/// Confirms.
pub async fn act(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let confirmed = within(console.timeout, async {
        let now = console.clock.now();
        let digest = digest(&token);
        // Whose language, before the link is spent.
        let language = match links::look(&console.pool, &digest, now).await? {
            Some(link) => contacts::language(&console.pool, link.contact_id).await?,
            None => None,
        };
        let confirmed = by_link(&console.pool, &digest, now).await?;
        Ok::<_, StateFault>((language.unwrap_or_else(|| asked_for(&headers)), confirmed))
    });
    match confirmed.await {
        Ok((language, Confirmed::Now(_))) => console.pages.render(Page::Confirmed, language, ()),
        Ok((language, Confirmed::Before(..))) => {
            console.pages.render(Page::AlreadyConfirmed, language, ())
        }
        Ok((language, Confirmed::NotFound)) => {
            console.pages.render(Page::LinkExpired, language, ())
        }
        Err(fault) => unavailable(&console, &headers, &fault),
    }
}

/// Anything else.
pub async fn not_found(State(console): State<Console>, headers: HeaderMap) -> Response {
    console
        .pages
        .render(Page::LinkExpired, asked_for(&headers), ())
}

fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

impl Shown {
    fn of(restriction: &RestrictionView) -> Self {
        let id = AccessKeyId::parse(&restriction.access_key_id).ok();
        let shown = |url: &str| id.as_ref().map(|id| evidence::place(url, id));
        Self {
            access_key_id: id.as_ref().map(AccessKeyId::masked).unwrap_or_default(),
            account_id: restriction.account_id.clone(),
            user_name: restriction.user_name.clone(),
            key_status: restriction.key_status.clone(),
            imposed_at: minute(restriction.imposed_at),
            sources: restriction
                .reports
                .iter()
                .map(|report| Source {
                    source: evidence::clean(&report.source),
                    url: report.url.as_deref().and_then(shown),
                })
                .collect(),
        }
    }
}
