//! The owner's page: GET shows what is known and what would be confirmed, POST confirms, once. Mail scanners follow
//! links, so GET changes nothing.

use axum::{
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Console, asked_for, page::Page, unavailable};
use akgate_api::restrictions::RestrictionView;
use akgate_rules::{evidence, restriction::LiftRule};
use akgate_state::{
    calls::artefacts::{self, Artefact},
    directory::{
        StateFault,
        contacts::{self, Language},
        keys::key_id,
        within,
    },
    outbox::links::Purpose,
    restrictions::{
        confirm::{Confirmed, Done, Statement, Withdrawn, by_link, withdraw},
        links, read,
    },
};

/// At most so many artefacts stand on the page.
const ARTEFACTS: usize = 200;

/// The longest id of an artefact, in bytes.
const ARTEFACT_ID: usize = 160;

/// The longest remark that is kept, in characters.
const REMARK: usize = 500;

/// What a page tells of a restriction. Ids are masked: a letter may be forwarded.
#[derive(Serialize)]
struct Shown {
    access_key_id: String,
    account_id: Option<String>,
    user_name: Option<String>,
    key_status: Option<String>,
    imposed_at: String,
    public_since: String,
    sources: Vec<Source>,
    more_sources: usize,
    /// Other pairs of the same user that work.
    other_pairs: i64,
    artefacts: Vec<Made>,
    more_artefacts: bool,
    auto_lift: bool,
    lifted: bool,
}

#[derive(Serialize)]
struct Source {
    source: String,
    url: Option<String>,
}

#[derive(Serialize)]
struct Made {
    id: String,
    action: String,
    names: String,
    at: String,
    source_ip: String,
    /// Until when a session works, if it still does.
    works_until: Option<String>,
    is_session: bool,
    is_acknowledged: bool,
}

/// How many places are shown.
const SOURCES: usize = 20;

/// Shows what would be confirmed.
pub async fn show(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    look(&console, Purpose::Confirm, &token, &headers).await
}

/// Shows what would be taken back.
pub async fn show_withdrawal(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    look(&console, Purpose::Withdraw, &token, &headers).await
}

async fn look(console: &Console, purpose: Purpose, token: &str, headers: &HeaderMap) -> Response {
    let found = within(console.timeout, async {
        let now = console.clock.now();
        let digest = digest(token);
        let Some(link) = links::look(&console.pool, purpose, &digest, now).await? else {
            return Ok(None);
        };
        let language = contacts::language(&console.pool, link.contact_id).await?;
        let restriction =
            read::one(&mut *console.pool.acquire().await?, link.restriction_id).await?;
        let Some((language, restriction)) = language.zip(restriction) else {
            return Ok(None);
        };
        let shown = Shown::of(console, &restriction, language, now).await?;
        Ok::<_, StateFault>(Some((language, restriction.state, shown)))
    });
    match found.await {
        Ok(Some((language, state, shown))) => {
            let page = match (purpose, state.as_str()) {
                (Purpose::Confirm, "Imposed") => Page::Confirm,
                (Purpose::Withdraw, "Remediated" | "Lifted") => Page::Withdraw,
                (Purpose::Confirm | Purpose::Withdraw, _) => Page::AlreadyConfirmed,
            };
            console.pages.render(page, language, shown)
        }
        Ok(None) => console
            .pages
            .render(Page::LinkExpired, asked_for(headers), ()),
        Err(fault) => unavailable(console, headers, &fault),
    }
}

/// Confirms.
pub async fn act(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let statement = statement(&form);
    let confirmed = within(console.timeout, async {
        let now = console.clock.now();
        let digest = digest(&token);
        let language = whose(&console, Purpose::Confirm, &digest, &headers, now).await?;
        let confirmed = by_link(&console.pool, &digest, &statement, console.lift, now).await?;
        Ok::<_, StateFault>((language, confirmed))
    });
    let (language, page, lifted) = match confirmed.await {
        Ok((language, Confirmed::Now(_))) => (language, Page::Confirmed, false),
        Ok((language, Confirmed::Lifted { .. })) => (language, Page::Confirmed, true),
        Ok((language, Confirmed::Before(..))) => (language, Page::AlreadyConfirmed, false),
        Ok((language, Confirmed::NotFound | Confirmed::Changed)) => {
            (language, Page::LinkExpired, false)
        }
        Err(fault) => return unavailable(&console, &headers, &fault),
    };
    let facts = minijinja::context! { lifted };
    console.pages.render(page, language, facts)
}

/// Takes a confirmation back.
pub async fn take_back(
    State(console): State<Console>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let taken = within(console.timeout, async {
        let now = console.clock.now();
        let digest = digest(&token);
        let language = whose(&console, Purpose::Withdraw, &digest, &headers, now).await?;
        let withdrawn = withdraw(&console.pool, &digest, now).await?;
        Ok::<_, StateFault>((language, withdrawn))
    });
    let (language, page, disputed) = match taken.await {
        Ok((language, Withdrawn::Now(_))) => (language, Page::Withdrawn, false),
        Ok((language, Withdrawn::Disputed(_))) => (language, Page::Withdrawn, true),
        Ok((language, Withdrawn::Nothing(_))) => (language, Page::AlreadyConfirmed, false),
        Ok((language, Withdrawn::NotFound)) => (language, Page::LinkExpired, false),
        Err(fault) => return unavailable(&console, &headers, &fault),
    };
    let facts = minijinja::context! { disputed };
    console.pages.render(page, language, facts)
}

/// The language of a link's owner, asked for before it is spent.
async fn whose(
    console: &Console,
    purpose: Purpose,
    digest: &[u8],
    headers: &HeaderMap,
    now: OffsetDateTime,
) -> Result<Language, StateFault> {
    let language = match links::look(&console.pool, purpose, digest, now).await? {
        Some(link) => contacts::language(&console.pool, link.contact_id).await?,
        None => None,
    };
    Ok(language.unwrap_or_else(|| asked_for(headers)))
}

/// What the form says. What it does not know is left out: a form filled in by a person is never refused.
fn statement(form: &[u8]) -> Statement {
    let mut statement = Statement::default();
    for (name, value) in form_urlencoded::parse(form) {
        match &*name {
            "done" => {
                let done = serde_json::from_value::<Done>(value.as_ref().into());
                statement.done.extend(done.ok());
            }
            "looked_at"
                if statement.acknowledged.len() < ARTEFACTS && value.len() <= ARTEFACT_ID =>
            {
                statement.acknowledged.push(value.into_owned());
            }
            "remark" => {
                let remark = evidence::clean(value.trim());
                let remark: String = remark.chars().take(REMARK).collect();
                statement.remark = Some(remark).filter(|remark| !remark.is_empty());
            }
            _ => {}
        }
    }
    statement
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
    async fn of(
        console: &Console,
        restriction: &RestrictionView,
        language: Language,
        now: OffsetDateTime,
    ) -> Result<Self, StateFault> {
        let (id, since) = (
            key_id(&restriction.access_key_id)?,
            restriction.public_since(),
        );
        let mut db = console.pool.acquire().await?;
        let limit = i64::try_from(ARTEFACTS + 1).unwrap_or(i64::MAX);
        let mut made =
            artefacts::since(&mut db, &id, restriction.restriction_id, since, limit).await?;
        let more_artefacts = made.len() > ARTEFACTS;
        made.truncate(ARTEFACTS);
        let other_pairs = read::other_pairs(&mut db, &id).await?;
        let sources = restriction.reports.iter().take(SOURCES);
        Ok(Self {
            access_key_id: id.masked(),
            account_id: restriction.account_id.clone(),
            user_name: restriction.user_name.clone(),
            key_status: restriction.key_status.clone(),
            imposed_at: language.minute(restriction.imposed_at),
            public_since: language.minute(since),
            sources: sources
                .map(|report| Source {
                    source: language.source(&report.source),
                    url: evidence::whereabouts(&report.place(), &id),
                })
                .collect(),
            more_sources: restriction.reports.len().saturating_sub(SOURCES),
            other_pairs,
            artefacts: made
                .iter()
                .map(|one| Made::of(one, language, now))
                .collect(),
            more_artefacts,
            auto_lift: console.lift == LiftRule::AutoLift,
            lifted: restriction.lifted_at.is_some(),
        })
    }
}

impl Made {
    fn of(artefact: &Artefact, language: Language, now: OffsetDateTime) -> Self {
        let works = artefact.expires_at.filter(|until| *until > now);
        Self {
            id: artefact.id.clone(),
            action: evidence::clean(&artefact.action),
            names: artefact.names.join(" "),
            at: language.minute(artefact.at),
            source_ip: evidence::clean(&artefact.source_ip),
            works_until: works.map(|until| language.minute(until)),
            is_session: artefact.expires_at.is_some(),
            is_acknowledged: artefact.is_acknowledged,
        }
    }
}
