//! The owner's page: GET shows the facts, POST confirms once. Mail scanners follow links, so GET changes nothing.

use axum::{
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{
    context::{OwnerPages, preferred_language, unavailable_page},
    page::PageKind,
};
use akgate_api::restrictions::RestrictionView;
use akgate_rules::{evidence, restriction::LiftRule};
use akgate_state::{
    calls::artefacts::{self, Artefact},
    directory::{
        StateFault,
        contacts::{self, Language},
        keys::parse_key_id,
        with_timeout,
    },
    outbox::links::LinkPurpose,
    restrictions::{
        confirm::{
            CleanupStep, ConfirmOutcome, ConfirmationStatement, WithdrawOutcome, confirm_by_link,
            withdraw_by_link,
        },
        links, read,
    },
};

/// Maximum number of artefacts on the page.
const MAX_ARTEFACTS: usize = 200;

/// The longest id of an artefact, in bytes.
const MAX_ARTEFACT_ID_BYTES: usize = 160;

/// The longest remark that is kept, in characters.
const MAX_REMARK_CHARS: usize = 500;

/// What the page shows of a restriction. Ids are masked, because a letter may be forwarded.
#[derive(Serialize)]
struct ConfirmationView {
    access_key_id: String,
    account_id: Option<String>,
    user_name: Option<String>,
    key_status: Option<String>,
    imposed_at: String,
    public_since: String,
    sources: Vec<SourceView>,
    more_sources: usize,
    /// The number of other active keys of the same user.
    other_active_keys: i64,
    artefacts: Vec<ArtefactView>,
    more_artefacts: bool,
    auto_lift: bool,
    lifted: bool,
}

#[derive(Serialize)]
struct SourceView {
    source: String,
    url: Option<String>,
}

#[derive(Serialize)]
struct ArtefactView {
    id: String,
    action: String,
    names: String,
    at: String,
    source_ip: String,
    /// When a session expires; `None` if it has expired.
    works_until: Option<String>,
    is_session: bool,
    is_acknowledged: bool,
}

/// Maximum number of places on the page.
const MAX_SOURCES: usize = 20;

/// Shows the confirmation page.
pub async fn show_confirmation(
    State(console): State<OwnerPages>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    show_link_page(&console, LinkPurpose::Confirm, &token, &headers).await
}

/// Shows the page that withdraws a confirmation.
pub async fn show_withdrawal(
    State(console): State<OwnerPages>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    show_link_page(&console, LinkPurpose::Withdraw, &token, &headers).await
}

async fn show_link_page(
    console: &OwnerPages,
    purpose: LinkPurpose,
    token: &str,
    headers: &HeaderMap,
) -> Response {
    let found = with_timeout(console.timeout, async {
        let now = console.clock.now();
        let digest = token_digest(token);
        let Some(link) = links::find_link(&console.pool, purpose, &digest, now).await? else {
            return Ok(None);
        };
        let language = contacts::find_contact_language(&console.pool, link.contact_id).await?;
        let restriction =
            read::find_restriction(&mut *console.pool.acquire().await?, link.restriction_id)
                .await?;
        let Some((language, restriction)) = language.zip(restriction) else {
            return Ok(None);
        };
        let shown = ConfirmationView::of(console, &restriction, language, now).await?;
        Ok::<_, StateFault>(Some((language, restriction.state, shown)))
    });
    match found.await {
        Ok(Some((language, state, shown))) => {
            let page = match (purpose, state.as_str()) {
                (LinkPurpose::Confirm, "Imposed") => PageKind::Confirm,
                (LinkPurpose::Withdraw, "Confirmed" | "Lifted") => PageKind::Withdraw,
                (LinkPurpose::Confirm | LinkPurpose::Withdraw, _) => PageKind::AlreadyConfirmed,
            };
            console.pages.render(page, language, shown)
        }
        Ok(None) => console
            .pages
            .render(PageKind::LinkExpired, preferred_language(headers), ()),
        Err(fault) => unavailable_page(console, headers, &fault),
    }
}

/// Confirms the clean-up.
pub async fn confirm_clean_up(
    State(console): State<OwnerPages>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    let statement = parse_statement(&form);
    let confirmed = with_timeout(console.timeout, async {
        let now = console.clock.now();
        let digest = token_digest(&token);
        let language =
            find_link_language(&console, LinkPurpose::Confirm, &digest, &headers, now).await?;
        let confirmed =
            confirm_by_link(&console.pool, &digest, &statement, console.lift, now).await?;
        Ok::<_, StateFault>((language, confirmed))
    });
    let (language, page, lifted) = match confirmed.await {
        Ok((language, ConfirmOutcome::Now(_))) => (language, PageKind::Confirmed, false),
        Ok((language, ConfirmOutcome::Lifted { .. })) => (language, PageKind::Confirmed, true),
        Ok((language, ConfirmOutcome::Before(..))) => (language, PageKind::AlreadyConfirmed, false),
        Ok((language, ConfirmOutcome::NotFound | ConfirmOutcome::Changed)) => {
            (language, PageKind::LinkExpired, false)
        }
        Err(fault) => return unavailable_page(&console, &headers, &fault),
    };
    let facts = minijinja::context! { lifted };
    console.pages.render(page, language, facts)
}

/// Withdraws a confirmation.
pub async fn withdraw_confirmation(
    State(console): State<OwnerPages>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let taken = with_timeout(console.timeout, async {
        let now = console.clock.now();
        let digest = token_digest(&token);
        let language =
            find_link_language(&console, LinkPurpose::Withdraw, &digest, &headers, now).await?;
        let withdrawn = withdraw_by_link(&console.pool, &digest, now).await?;
        Ok::<_, StateFault>((language, withdrawn))
    });
    let (language, page, disputed) = match taken.await {
        Ok((language, WithdrawOutcome::Now(_))) => (language, PageKind::Withdrawn, false),
        Ok((language, WithdrawOutcome::Disputed(_))) => (language, PageKind::Withdrawn, true),
        Ok((language, WithdrawOutcome::Nothing(_))) => {
            (language, PageKind::AlreadyConfirmed, false)
        }
        Ok((language, WithdrawOutcome::NotFound)) => (language, PageKind::LinkExpired, false),
        Err(fault) => return unavailable_page(&console, &headers, &fault),
    };
    let facts = minijinja::context! { disputed };
    console.pages.render(page, language, facts)
}

/// The language of a link's owner, read before the link is used up.
async fn find_link_language(
    console: &OwnerPages,
    purpose: LinkPurpose,
    digest: &[u8],
    headers: &HeaderMap,
    now: OffsetDateTime,
) -> Result<Language, StateFault> {
    let language = match links::find_link(&console.pool, purpose, digest, now).await? {
        Some(link) => contacts::find_contact_language(&console.pool, link.contact_id).await?,
        None => None,
    };
    Ok(language.unwrap_or_else(|| preferred_language(headers)))
}

/// Parses the form. Unknown values are ignored, so that no person's form is refused.
fn parse_statement(form: &[u8]) -> ConfirmationStatement {
    let mut statement = ConfirmationStatement::default();
    for (name, value) in form_urlencoded::parse(form) {
        match &*name {
            "done" => {
                let done = serde_json::from_value::<CleanupStep>(value.as_ref().into());
                statement.done.extend(done.ok());
            }
            "looked_at"
                if statement.acknowledged.len() < MAX_ARTEFACTS
                    && value.len() <= MAX_ARTEFACT_ID_BYTES =>
            {
                statement.acknowledged.push(value.into_owned());
            }
            "remark" => {
                let remark = evidence::sanitize_text(value.trim());
                let remark: String = remark.chars().take(MAX_REMARK_CHARS).collect();
                statement.remark = Some(remark).filter(|remark| !remark.is_empty());
            }
            _ => {}
        }
    }
    statement
}

/// Answers every other path.
pub async fn show_not_found(State(console): State<OwnerPages>, headers: HeaderMap) -> Response {
    console
        .pages
        .render(PageKind::LinkExpired, preferred_language(&headers), ())
}

fn token_digest(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

impl ConfirmationView {
    async fn of(
        console: &OwnerPages,
        restriction: &RestrictionView,
        language: Language,
        now: OffsetDateTime,
    ) -> Result<Self, StateFault> {
        let (id, since) = (
            parse_key_id(&restriction.access_key_id)?,
            restriction.public_since(),
        );
        let mut db = console.pool.acquire().await?;
        let limit = i64::try_from(MAX_ARTEFACTS + 1).unwrap_or(i64::MAX);
        let mut made =
            artefacts::list_artefacts_since(&mut db, &id, restriction.restriction_id, since, limit)
                .await?;
        let more_artefacts = made.len() > MAX_ARTEFACTS;
        made.truncate(MAX_ARTEFACTS);
        let other_active_keys = read::count_other_keys(&mut db, &id).await?;
        let sources = restriction.reports.iter().take(MAX_SOURCES);
        Ok(Self {
            access_key_id: id.masked(),
            account_id: restriction.account_id.clone(),
            user_name: restriction.user_name.clone(),
            key_status: restriction.key_status.clone(),
            imposed_at: language.minute(restriction.imposed_at),
            public_since: language.minute(since),
            sources: sources
                .map(|report| SourceView {
                    source: language.source(&report.source),
                    url: evidence::describe_location(&report.place(), &id),
                })
                .collect(),
            more_sources: restriction.reports.len().saturating_sub(MAX_SOURCES),
            other_active_keys,
            artefacts: made
                .iter()
                .map(|one| ArtefactView::of(one, language, now))
                .collect(),
            more_artefacts,
            auto_lift: console.lift == LiftRule::AutoLift,
            lifted: restriction.lifted_at.is_some(),
        })
    }
}

impl ArtefactView {
    fn of(artefact: &Artefact, language: Language, now: OffsetDateTime) -> Self {
        let works = artefact.expires_at.filter(|until| *until > now);
        Self {
            id: artefact.id.clone(),
            action: evidence::sanitize_text(&artefact.action),
            names: artefact.names.join(" "),
            at: language.minute(artefact.at),
            source_ip: evidence::sanitize_text(&artefact.source_ip),
            works_until: works.map(|until| language.minute(until)),
            is_session: artefact.expires_at.is_some(),
            is_acknowledged: artefact.is_acknowledged,
        }
    }
}
