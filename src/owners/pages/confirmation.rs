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
use akgate_api::{descendants::DescendantView, restrictions::RestrictionView};
use akgate_rules::{
    access_key::mask_key_id, evidence, lineage::DescendantPolicy, restriction::LiftRule,
};
use akgate_state::{
    audit::Actor,
    calls::artefacts::{self, Artefact, LOOK_BACK},
    directory::{
        StateFault,
        contacts::{self, Language},
        keys::parse_key_id,
        with_timeout,
    },
    outbox::links::LinkPurpose,
    restrictions::{
        confirm::{
            CleanupStep, ConfirmOutcome, ConfirmationStatement, MissingPart, WithdrawOutcome,
            confirm_by_link, withdraw_by_link,
        },
        descendants,
        links::{self, ContactLink},
        read,
    },
};

/// Maximum number of artefacts on the page.
const MAX_ARTEFACTS: usize = 200;

/// The longest id of an artefact, in bytes.
const MAX_ARTEFACT_ID_BYTES: usize = 160;

/// The longest remark that is kept, in characters.
const MAX_REMARK_CHARS: usize = 500;

/// The length of a link's token: 32 bytes in base64.
const TOKEN_CHARS: usize = 43;

/// What the page shows of a restriction. Ids are masked, because a letter may be forwarded.
#[derive(Serialize)]
struct ConfirmationView {
    access_key_id: String,
    account_id: Option<String>,
    user_name: Option<String>,
    key_status: Option<String>,
    imposed_at: String,
    /// Whether the key is restricted because it descends from a leaked one.
    descends: bool,
    public_since: String,
    /// Whether nobody knows since when the key was public: the owner acknowledges to have looked back.
    look_back: bool,
    look_back_id: &'static str,
    is_look_back_acknowledged: bool,
    /// Access keys and sessions that the key made and that still work.
    descendants: Vec<DescendantRow>,
    more_descendants: usize,
    sources: Vec<SourceView>,
    more_sources: usize,
    /// The number of other active keys of the same user.
    other_active_keys: i64,
    artefacts: Vec<ArtefactView>,
    more_artefacts: bool,
    auto_lift: bool,
    /// `Imposed`, `Confirmed` or `Lifted`.
    state: String,
    confirmed_at: Option<String>,
    /// Whether the reader of this page has confirmed.
    confirmed_by_reader: bool,
    lifted_at: Option<String>,
    /// The number of artefacts that nobody has looked at.
    open_artefacts: usize,
    /// What the form said, where something is missing.
    form: FormView,
}

/// What a reader has filled in.
#[derive(Default, Serialize)]
struct FormView {
    missing: Option<&'static str>,
    done: Vec<CleanupStep>,
    remark: String,
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
    times: i64,
    done_by: Option<String>,
    is_before_known: bool,
    is_acknowledged: bool,
}

#[derive(Serialize)]
struct DescendantRow {
    name: String,
    user: Option<String>,
    at: String,
    is_restricted: bool,
}

/// Maximum number of descendants on the page.
const MAX_DESCENDANTS: usize = 100;

/// Maximum number of places on the page.
const MAX_SOURCES: usize = 20;

/// Shows the confirmation page.
pub async fn show_confirmation(
    State(console): State<OwnerPages>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    show_link_page(&console, LinkPurpose::Confirm, &token, &headers, None).await
}

/// Shows the page that withdraws a confirmation.
pub async fn show_withdrawal(
    State(console): State<OwnerPages>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    show_link_page(&console, LinkPurpose::Withdraw, &token, &headers, None).await
}

/// The page of a link as things stand, with what the reader has filled in so far.
async fn show_link_page(
    console: &OwnerPages,
    purpose: LinkPurpose,
    token: &str,
    headers: &HeaderMap,
    sent: Option<&ConfirmationStatement>,
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
        let shown = ConfirmationView::of(console, &restriction, &link, sent, language, now).await?;
        Ok::<_, StateFault>(Some((language, link.used_at.is_some(), shown)))
    });
    match found.await {
        Ok(Some((language, is_used, shown))) => {
            let page = match (purpose, shown.state.as_str()) {
                _ if is_used => PageKind::Status,
                (LinkPurpose::Confirm, "Imposed") if shown.form.missing.is_some() => {
                    PageKind::ConfirmIncomplete
                }
                (LinkPurpose::Confirm, "Imposed") => PageKind::Confirm,
                (LinkPurpose::Withdraw, "Confirmed" | "Lifted") => PageKind::Withdraw,
                (LinkPurpose::Confirm | LinkPurpose::Withdraw, _) => PageKind::Status,
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
    let (language, lifted) = match confirmed.await {
        Ok((language, ConfirmOutcome::Now(_))) => (language, false),
        Ok((language, ConfirmOutcome::Lifted { .. })) => (language, true),
        Ok((
            _,
            ConfirmOutcome::Before(..)
            | ConfirmOutcome::Incomplete(_)
            | ConfirmOutcome::NotFound
            | ConfirmOutcome::Changed,
        )) => {
            let purpose = LinkPurpose::Confirm;
            return show_link_page(&console, purpose, &token, &headers, Some(&statement)).await;
        }
        Err(fault) => return unavailable_page(&console, &headers, &fault),
    };
    let facts = minijinja::context! { lifted };
    console.pages.render(PageKind::Confirmed, language, facts)
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
    let (language, disputed) = match taken.await {
        Ok((language, WithdrawOutcome::Now(_))) => (language, false),
        Ok((language, WithdrawOutcome::Disputed(_))) => (language, true),
        Ok((_, WithdrawOutcome::Nothing(_) | WithdrawOutcome::NotFound)) => {
            let purpose = LinkPurpose::Withdraw;
            return show_link_page(&console, purpose, &token, &headers, None).await;
        }
        Err(fault) => return unavailable_page(&console, &headers, &fault),
    };
    let facts = minijinja::context! { disputed };
    console.pages.render(PageKind::Withdrawn, language, facts)
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
                if statement.acknowledged.len() <= MAX_ARTEFACTS
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
        .render(PageKind::NotFound, preferred_language(&headers), ())
}

/// The digest of a link's token. Mail programs take the sign behind a link for a part of it (`.`, `)`, `>`, a blank), so what
/// stands around the token does not count.
fn token_digest(text: &str) -> Vec<u8> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let text = text.trim_start_matches(|c| !is_token(c));
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    let token = text.get(..end.min(TOKEN_CHARS)).unwrap_or_default();
    Sha256::digest(token.as_bytes()).to_vec()
}

impl ConfirmationView {
    async fn of(
        console: &OwnerPages,
        restriction: &RestrictionView,
        link: &ContactLink,
        sent: Option<&ConfirmationStatement>,
        language: Language,
        now: OffsetDateTime,
    ) -> Result<Self, StateFault> {
        let id = parse_key_id(&restriction.access_key_id)?;
        let restriction_id = restriction.restriction_id;
        let mut db = console.pool.acquire().await?;
        let exposure = read::find_exposure(&mut db, restriction_id).await?;
        let exposure = exposure.ok_or(StateFault::Corrupt("a restriction that was just read"))?;
        let limit = i64::try_from(MAX_ARTEFACTS + 1).unwrap_or(i64::MAX);
        let review = artefacts::read_review(&mut db, &id, restriction_id, &exposure, limit).await?;
        let mut made = review.artefacts;
        let more_artefacts = made.len() > MAX_ARTEFACTS;
        made.truncate(MAX_ARTEFACTS);
        let open_artefacts = made.iter().filter(|one| !one.is_acknowledged).count()
            + usize::from(review.look_back == Some(false));
        let reader = Actor::Contact(link.contact_id).to_string();
        let form = FormView {
            missing: sent
                .and_then(ConfirmationStatement::missing)
                .map(MissingPart::as_str),
            done: sent.map(|sent| sent.done.clone()).unwrap_or_default(),
            remark: sent
                .and_then(|sent| sent.remark.clone())
                .unwrap_or_default(),
        };
        let mut working = match console.descendants {
            DescendantPolicy::List => Vec::new(),
            DescendantPolicy::Suspect | DescendantPolicy::Restrict => {
                let since = exposure.looked_at_since();
                let limit = i64::try_from(MAX_ARTEFACTS).unwrap_or(i64::MAX);
                descendants::list_descendants(&mut db, restriction_id, since, now, limit).await?
            }
        };
        working.retain(DescendantView::still_works);
        let since = exposure.first_seen.or(exposure.recorded_since);
        let since = since.unwrap_or(exposure.known_at);
        let other_active_keys = read::count_other_keys(&mut db, &id).await?;
        let sources = restriction.reports.iter().take(MAX_SOURCES);
        Ok(Self {
            access_key_id: id.masked(),
            account_id: restriction.account_id.clone(),
            user_name: restriction.user_name.clone(),
            key_status: restriction.key_status.clone(),
            imposed_at: language.minute(restriction.imposed_at),
            descends: restriction.ancestor_restriction_id.is_some(),
            public_since: language.minute(since),
            look_back: review.look_back.is_some(),
            look_back_id: LOOK_BACK,
            is_look_back_acknowledged: review.look_back == Some(true)
                || sent.is_some_and(|sent| sent.acknowledged.iter().any(|id| id == LOOK_BACK)),
            more_descendants: working.len().saturating_sub(MAX_DESCENDANTS),
            descendants: working
                .iter()
                .take(MAX_DESCENDANTS)
                .map(|one| DescendantRow {
                    name: mask_key_id(&one.id),
                    user: one.user_name.as_deref().map(evidence::sanitize_text),
                    at: language.minute(one.made_at),
                    is_restricted: one.restriction_id.is_some(),
                })
                .collect(),
            sources: sources
                .map(|report| SourceView {
                    source: language.source(&report.source),
                    url: evidence::describe_location(&report.place(), &id),
                })
                .collect(),
            more_sources: usize::try_from(restriction.report_count)
                .unwrap_or_default()
                .saturating_sub(MAX_SOURCES),
            other_active_keys,
            artefacts: made
                .iter()
                .map(|one| ArtefactView::of(one, sent, language, now))
                .collect(),
            more_artefacts,
            auto_lift: console.lift == LiftRule::AutoLift,
            state: restriction.state.clone(),
            confirmed_at: restriction.confirmed_at.map(|at| language.minute(at)),
            confirmed_by_reader: restriction.confirmed_by == Some(reader),
            lifted_at: restriction.lifted_at.map(|at| language.minute(at)),
            open_artefacts,
            form,
        })
    }
}

impl ArtefactView {
    fn of(
        artefact: &Artefact,
        sent: Option<&ConfirmationStatement>,
        language: Language,
        now: OffsetDateTime,
    ) -> Self {
        let works = artefact.expires_at.filter(|until| *until > now);
        Self {
            id: artefact.id.clone(),
            action: evidence::sanitize_text(&artefact.action),
            names: artefact.names.join(" "),
            at: language.minute(artefact.at),
            source_ip: evidence::sanitize_text(&artefact.source_ip),
            works_until: works.map(|until| language.minute(until)),
            is_session: artefact.expires_at.is_some(),
            times: artefact.times,
            done_by: artefact.done_by.clone(),
            is_before_known: artefact.is_before_known,
            is_acknowledged: artefact.is_acknowledged
                || sent.is_some_and(|sent| sent.acknowledged.contains(&artefact.id)),
        }
    }
}
