//! The facts of a letter: read from the registry when it is sent, in the reader's language.

use std::cmp::Reverse;

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use akgate_api::{
    descendants::DescendantView, leak_reports::ReportView, restrictions::RestrictionView,
};
use akgate_rules::{
    access_key::{AccessKeyId, mask_key_id},
    evidence::{describe_location, mask_email, sanitize_text},
    ladder::{EscalationLadder, EscalationStep, TakenSteps},
    leak::{LeakPlace, Proof},
    lineage::DescendantPolicy,
    restriction::RestrictionCause,
    verdict::{Mode, Profile},
};
use akgate_state::{
    calls::artefacts::{self, Artefact, CallTotals},
    database::Pool,
    directory::{StateFault, contacts::Language, keys::parse_key_id},
    outbox::{LeasedLetter, LetterKind, LetterSubject, letter_facts, links::IssuedLink},
    restrictions::{descendants, read, read::Exposure, reports},
};

/// Maximum number of places in a letter: a key that was copied a thousand times must not make a thousand lines.
const MAX_LOCATIONS: usize = 20;

/// Maximum number of suspicions that are read.
const MAX_SUSPICIONS: i64 = 1000;

/// Maximum number of artefacts that are listed.
const MAX_NAMED_ARTEFACTS: usize = 20;

/// Maximum number of artefacts that are counted.
const MAX_ARTEFACTS: i64 = 1000;

/// What the configuration contributes to every letter.
#[derive(Debug, Clone)]
pub struct LetterSettings {
    /// Where owners confirm, without a slash at its end.
    pub public_url: String,
    /// The contact for questions: an address or a telephone number.
    pub support: String,
    /// A telephone number for urgent help.
    pub hotline: Option<String>,
    /// The URL for opening a ticket.
    pub ticket_url: Option<String>,
    /// The profile of accounts that have none of their own.
    pub profile: Profile,
    /// Whether refusals are enforced: a letter must not claim otherwise.
    pub mode: Mode,
    /// When enforcement begins, if a date is configured.
    pub enforce_from: Option<OffsetDateTime>,
    /// The escalation while the key stays active.
    pub ladder: EscalationLadder,
    /// Whether owners are told of what the key made.
    pub descendants: DescendantPolicy,
}

/// The facts of a letter. The key is masked; no secret is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LetterFacts {
    /// The key, masked.
    pub access_key: String,
    /// Its account.
    pub account_id: String,
    /// Its RAM user; `None` for the account itself.
    pub user_name: Option<String>,
    /// The status of the key: `Active`, `Inactive`, `Deleted`; `None` if unknown.
    pub key_status: Option<String>,
    /// Whether the key was lifted before and became active again.
    pub reactivated: bool,
    /// Whether the key is restricted because it descends from a leaked one.
    pub descends: bool,
    /// Where the key was found.
    pub clues: Vec<LeakClue>,
    /// How many more places there are.
    pub more_clues: usize,
    /// Where it was found since the reader's last letter, by source.
    pub repeats: Vec<RepeatedSightings>,
    /// Since when others may have had the key; if nobody knows that, since when calls are on record.
    pub exposed_since: String,
    /// Whether nobody knows since when others have had the key.
    pub look_back: bool,
    /// Access keys and sessions that the key made, or that came through what it made, and that still work.
    pub descendants: Vec<DescendantSummary>,
    /// How many more there are.
    pub more_descendants: usize,
    /// Since when it is restricted.
    pub imposed_at: String,
    /// When enforcement begins, if that is in the future.
    pub enforce_from: Option<String>,
    /// Since when sensitive reads are refused as well.
    pub widened_at: Option<String>,
    /// Whether operators have been asked to disable the key.
    pub disabling_proposed: bool,
    /// The next escalation steps if the key stays active, the earliest first.
    pub ahead: Vec<UpcomingStep>,
    /// The activity of the key and its sessions since it became public.
    pub activity: KeyActivity,
    /// How to replace the key, as commands.
    pub commands: RotationCommands,
    /// When the clean-up was confirmed.
    pub confirmed_at: Option<String>,
    /// Who confirmed it.
    pub confirmed_by: Option<Confirmer>,
    /// When the restriction was lifted.
    pub lifted_at: Option<String>,
    /// Whether the policy lifted it, not an operator.
    pub lifted_by_policy: bool,
    /// Whether the key is restricted again if it becomes active.
    pub tombstone: bool,
    /// Whether all of RAM and IMS is refused.
    pub strict: bool,
    /// The confirmation link, if a confirmation is still possible.
    pub confirm_url: Option<String>,
    /// Until when the link works.
    pub confirm_until: Option<String>,
    /// The link that takes a confirmation back.
    pub withdraw_url: Option<String>,
    /// Until when that works.
    pub withdraw_until: Option<String>,
    /// The contact for questions.
    pub support: String,
    /// A telephone number for urgent help.
    pub hotline: Option<String>,
    /// The URL for opening a ticket.
    pub ticket_url: Option<String>,
}

/// Places of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RepeatedSightings {
    /// The source.
    pub source: String,
    /// How often.
    pub count: i64,
    /// When the latest report arrived.
    pub last: String,
    /// One of the places.
    pub url: Option<String>,
}

/// An escalation step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpcomingStep {
    /// `widen`, `next_contacts` or `disabling`.
    pub step: &'static str,
    /// When.
    pub at: String,
}

/// The activity of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyActivity {
    /// All calls of the key and its sessions.
    pub calls: CallTotals,
    /// Changes of users, groups and roles.
    pub identity: usize,
    /// Changes of AccessKeys, passwords and other credentials.
    pub credential: usize,
    /// Changes of policies and permissions.
    pub permission: usize,
    /// Other changes.
    pub other: usize,
    /// Secrets that were read.
    pub disclosed: usize,
    /// Operations whose effect is not known.
    pub unknown: usize,
    /// Temporary credentials handed out.
    pub sessions: usize,
    /// What was done last.
    pub artefacts: Vec<ArtefactSummary>,
    /// How many more there are.
    pub more_artefacts: usize,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArtefactSummary {
    /// The action.
    pub action: String,
    /// The names of the changed objects.
    pub names: String,
    /// When.
    pub at: String,
    /// Where the call came from.
    pub source_ip: String,
    /// How often.
    pub times: i64,
    /// What did it, masked, if not the leaked key itself or a session of it.
    pub done_by: Option<String>,
    /// Whether it was done before akgate knew of the leak.
    pub before_known: bool,
}

/// An access key or session that descends from the leaked key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescendantSummary {
    /// Its id, masked.
    pub name: String,
    /// Its user or role.
    pub user: Option<String>,
    /// Since when it exists.
    pub at: String,
    /// Whether it is restricted.
    pub is_restricted: bool,
}

/// Finished `aliyun` commands, with the real names. The key's id stays masked: the first command finds it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RotationCommands {
    /// Creates a new key.
    pub rotate: String,
    /// Puts the id of the leaked key into `$LEAKED`.
    pub find: String,
    /// Disables it.
    pub disable: String,
    /// Deletes it.
    pub delete: String,
}

/// Where a key was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeakClue {
    /// The source.
    pub source: String,
    /// The place: shown as text, never as a link.
    pub url: Option<String>,
    /// When the source first saw it.
    pub first_seen: Option<String>,
}

/// Who confirmed a clean-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "who", rename_all = "lowercase")]
pub enum Confirmer {
    /// The reader of the letter.
    Reader,
    /// Another contact of the account.
    Contact {
        /// Their address, masked.
        address: String,
    },
    /// An operator, for an owner who confirmed in another way.
    Operator {
        /// The number of the ticket.
        ticket: Option<String>,
    },
}

/// Reads the facts of a letter; `None` if its restriction does not exist.
///
/// # Errors
/// [`StateFault`].
pub async fn gather_letter_facts(
    pool: &Pool,
    letter: &LeasedLetter,
    letter_settings: &LetterSettings,
    now: OffsetDateTime,
) -> Result<Option<LetterFacts>, StateFault> {
    let restriction_id = match &letter.about {
        LetterSubject::Restriction(id) => *id,
        LetterSubject::Suspicion(key) => {
            return gather_suspicion_facts(pool, key, letter.language, letter_settings).await;
        }
    };
    let Some(restriction) =
        read::find_restriction(&mut *pool.acquire().await?, restriction_id).await?
    else {
        return Ok(None);
    };
    let account = letter_facts::account_of_contact(pool, letter.contact_id).await?;
    let mut facts = LetterFacts::of(&restriction, letter.language)?;
    let profile = match account.profile {
        Some(name) => name.parse().map_err(|_| StateFault::Corrupt("profile"))?,
        None => letter_settings.profile,
    };
    facts.strict = profile == Profile::Strict;
    facts.account_id = sanitize_text(&account.account_id);
    facts.confirmed_by = find_confirmer(pool, &restriction, letter.contact_id).await?;
    facts
        .put_review(pool, &restriction, letter_settings, letter.language, now)
        .await?;
    if letter.kind == LetterKind::Repeated {
        let since = letter_facts::last_told(pool, letter).await?;
        facts.repeats = summarize_repeats(pool, &restriction, since, letter.language).await?;
    }
    facts.put_settings(letter_settings, &restriction, now, letter.language);
    Ok(Some(facts))
}

/// The facts of a letter about a suspicion; `None` if it is no longer needed, because the key is restricted or not
/// active.
async fn gather_suspicion_facts(
    pool: &Pool,
    key: &AccessKeyId,
    language: Language,
    letter_settings: &LetterSettings,
) -> Result<Option<LetterFacts>, StateFault> {
    let owner = letter_facts::owner_of_suspected_key(pool, key).await?;
    let Some(owner) = owner else {
        return Ok(None);
    };
    let wanted = reports::ReportCriteria {
        proof: Some(Proof::Suspected),
        access_key_id: Some(key.as_str().to_owned()),
        limit: MAX_SUSPICIONS,
        ..reports::ReportCriteria::default()
    };
    let mut seen = reports::list_reports(pool, &wanted).await?;
    seen.retain(|report| !report.held);
    let clues = seen.iter().take(MAX_LOCATIONS);
    Ok(Some(LetterFacts {
        access_key: key.masked(),
        account_id: sanitize_text(&owner.account_id),
        user_name: owner.user_name.as_deref().map(sanitize_text),
        key_status: Some(owner.status),
        clues: clues
            .map(|report| leak_location(report, key, language))
            .collect(),
        more_clues: seen.len().saturating_sub(MAX_LOCATIONS),
        commands: RotationCommands::of(&key.masked(), owner.user_name.as_deref()),
        support: letter_settings.support.clone(),
        hotline: letter_settings.hotline.clone(),
        ticket_url: letter_settings.ticket_url.clone(),
        ..LetterFacts::default()
    }))
}

async fn summarize_repeats(
    pool: &Pool,
    restriction: &RestrictionView,
    since: OffsetDateTime,
    language: Language,
) -> Result<Vec<RepeatedSightings>, StateFault> {
    let key = parse_key_id(&restriction.access_key_id)?;
    let limit = i64::try_from(MAX_LOCATIONS).unwrap_or(i64::MAX);
    let sources =
        reports::count_reports_since(pool, restriction.restriction_id, since, limit).await?;
    let repeats = sources.into_iter().map(|one| {
        let place = LeakPlace {
            url: one.url,
            commit: one.commit,
            path: one.path,
        };
        RepeatedSightings {
            source: language.source(&one.source),
            count: one.count,
            last: language.minute(one.last_reported_at),
            url: describe_location(&place, &key),
        }
    });
    Ok(repeats.collect())
}

/// What the key and its lineage did.
async fn summarize_key_activity(
    pool: &Pool,
    restriction: &RestrictionView,
    exposure: &Exposure,
    language: Language,
) -> Result<KeyActivity, StateFault> {
    let key = parse_key_id(&restriction.access_key_id)?;
    let id = restriction.restriction_id;
    let mut db = pool.acquire().await?;
    let review = artefacts::read_review(&mut db, &key, id, exposure, MAX_ARTEFACTS).await?;
    let since = exposure.looked_at_since();
    let calls = artefacts::count_calls_since(&mut db, &key, since).await?;
    let count = |effects: &[&str]| {
        let is_one = |one: &&Artefact| effects.contains(&one.effect.as_str());
        review.artefacts.iter().filter(is_one).count()
    };
    let mut done = review.artefacts.clone();
    done.retain(|one| one.effect != "MintSession");
    done.sort_by_key(|one| Reverse(one.at));
    Ok(KeyActivity {
        calls,
        identity: count(&["Mutate(Identity)"]),
        credential: count(&["Mutate(Credential)"]),
        permission: count(&["Mutate(Permission)"]),
        other: count(&["Mutate(Other)"]),
        disclosed: count(&["Disclose"]),
        unknown: count(&["Unknown", "Uncatalogued"]),
        sessions: count(&["MintSession"]),
        more_artefacts: done.len().saturating_sub(MAX_NAMED_ARTEFACTS),
        artefacts: done
            .iter()
            .take(MAX_NAMED_ARTEFACTS)
            .map(|one| describe_change(one, language))
            .collect(),
    })
}

fn describe_change(artefact: &Artefact, language: Language) -> ArtefactSummary {
    ArtefactSummary {
        action: sanitize_text(&artefact.action),
        names: artefact.names.join(" "),
        at: language.minute(artefact.at),
        source_ip: sanitize_text(&artefact.source_ip),
        times: artefact.times,
        done_by: artefact.done_by.clone(),
        before_known: artefact.is_before_known,
    }
}

async fn find_confirmer(
    pool: &Pool,
    restriction: &RestrictionView,
    reader: Uuid,
) -> Result<Option<Confirmer>, StateFault> {
    let Some(actor) = restriction.confirmed_by.as_deref() else {
        return Ok(None);
    };
    let contact = actor
        .strip_prefix("contact:")
        .and_then(|id| Uuid::parse_str(id).ok());
    let Some(contact) = contact else {
        return Ok(Some(Confirmer::Operator {
            ticket: restriction.ticket.as_deref().map(sanitize_text),
        }));
    };
    if contact == reader {
        return Ok(Some(Confirmer::Reader));
    }
    let email = letter_facts::email_of_contact(pool, contact).await?;
    Ok(Some(Confirmer::Contact {
        address: mask_email(&email.unwrap_or_default()),
    }))
}

impl LetterFacts {
    /// The facts of the restriction itself.
    fn of(restriction: &RestrictionView, language: Language) -> Result<Self, StateFault> {
        let key = parse_key_id(&restriction.access_key_id)?;
        let at = |at| language.minute(at);
        let reports = &restriction.reports;
        let clues = reports.iter().take(MAX_LOCATIONS);
        Ok(Self {
            access_key: key.masked(),
            account_id: String::new(),
            user_name: restriction.user_name.as_deref().map(sanitize_text),
            key_status: restriction.key_status.clone(),
            reactivated: restriction.cause == RestrictionCause::Reactivated.as_str(),
            descends: restriction.cause == RestrictionCause::Descendant.as_str(),
            clues: clues
                .map(|report| leak_location(report, &key, language))
                .collect(),
            more_clues: usize::try_from(restriction.report_count)
                .unwrap_or_default()
                .saturating_sub(MAX_LOCATIONS),
            repeats: Vec::new(),
            exposed_since: at(restriction.imposed_at),
            imposed_at: at(restriction.imposed_at),
            enforce_from: None,
            widened_at: restriction.widened_at.map(at),
            disabling_proposed: restriction.disabling_proposed_at.is_some(),
            look_back: false,
            descendants: Vec::new(),
            more_descendants: 0,
            ahead: Vec::new(),
            activity: KeyActivity::default(),
            commands: RotationCommands::of(&key.masked(), restriction.user_name.as_deref()),
            confirmed_at: restriction.confirmed_at.map(at),
            confirmed_by: None,
            lifted_at: restriction.lifted_at.map(at),
            lifted_by_policy: restriction.lifted_by.as_deref() == Some("policy"),
            tombstone: restriction.tombstone,
            strict: false,
            confirm_url: None,
            confirm_until: None,
            withdraw_url: None,
            withdraw_until: None,
            support: String::new(),
            hotline: None,
            ticket_url: None,
        })
    }

    /// What the owner has to look at, and since when.
    async fn put_review(
        &mut self,
        pool: &Pool,
        restriction: &RestrictionView,
        letter_settings: &LetterSettings,
        language: Language,
        now: OffsetDateTime,
    ) -> Result<(), StateFault> {
        let id = restriction.restriction_id;
        let exposure = read::find_exposure(&mut *pool.acquire().await?, id).await?;
        let Some(exposure) = exposure else {
            return Ok(());
        };
        let since = exposure.first_seen.or(exposure.recorded_since);
        self.exposed_since = language.minute(since.unwrap_or(exposure.known_at));
        self.look_back = exposure.first_seen.is_none();
        self.activity = summarize_key_activity(pool, restriction, &exposure, language).await?;
        if letter_settings.descendants == DescendantPolicy::List {
            return Ok(());
        }
        let since = exposure.looked_at_since();
        let mut db = pool.acquire().await?;
        let found = descendants::list_descendants(&mut db, id, since, now, MAX_ARTEFACTS).await?;
        let working: Vec<DescendantSummary> = found
            .iter()
            .filter(|one| one.still_works())
            .map(|one| DescendantSummary::of(one, language))
            .collect();
        self.more_descendants = working.len().saturating_sub(MAX_NAMED_ARTEFACTS);
        self.descendants = working.into_iter().take(MAX_NAMED_ARTEFACTS).collect();
        Ok(())
    }

    /// The facts that come from the configuration.
    fn put_settings(
        &mut self,
        letter_settings: &LetterSettings,
        restriction: &RestrictionView,
        now: OffsetDateTime,
        language: Language,
    ) {
        self.support.clone_from(&letter_settings.support);
        self.hotline.clone_from(&letter_settings.hotline);
        self.ticket_url.clone_from(&letter_settings.ticket_url);
        let later = letter_settings.enforce_from.filter(|from| now < *from);
        self.enforce_from = later.map(|from| language.minute(from));
        let taken = TakenSteps {
            reminders: usize::MAX,
            widened: restriction.widened_at.is_some(),
            next_contacts: restriction.next_contacts_at.is_some(),
            disabling: restriction.disabling_proposed_at.is_some(),
        };
        // Escalation counts from the first letter, which may be this one.
        let notified_at = restriction.notified_at.or(later).unwrap_or(now);
        let works = self.key_status.as_deref() == Some("Active") && self.lifted_at.is_none();
        for (step, at) in letter_settings.ladder.ahead(notified_at, taken) {
            let step = match step {
                EscalationStep::Widen => "widen",
                EscalationStep::TellNextContacts => "next_contacts",
                EscalationStep::ProposeDisabling => "disabling",
                EscalationStep::Remind => continue,
            };
            if works {
                let at = language.minute(at);
                self.ahead.push(UpcomingStep { step, at });
            }
        }
    }

    /// Whether a confirmation would still change something.
    #[must_use]
    pub fn awaits_confirmation(&self) -> bool {
        self.confirmed_at.is_none() && self.lifted_at.is_none()
    }

    /// Whether a delayed letter is no longer true: it would say that an inactive access key is still active.
    #[must_use]
    pub fn is_obsolete_for(&self, kind: LetterKind) -> bool {
        let is_over = self.lifted_at.is_some();
        match kind {
            LetterKind::Reminder | LetterKind::Widened => {
                is_over || self.key_status.as_deref() != Some("Active")
            }
            LetterKind::Announced
            | LetterKind::Repeated
            | LetterKind::Withdrawn
            | LetterKind::Descendants => is_over,
            LetterKind::Imposed
            | LetterKind::Confirmed
            | LetterKind::Lifted
            | LetterKind::Suspected => false,
        }
    }

    /// Adds the confirmation link.
    pub fn set_confirm_link(&mut self, public_url: &str, link: &IssuedLink, language: Language) {
        self.confirm_url = Some(format!("{public_url}/confirm/{}", link.token));
        self.confirm_until = Some(language.minute(link.expires_at));
    }

    /// Adds the link that withdraws a confirmation.
    pub fn set_withdraw_link(&mut self, public_url: &str, link: &IssuedLink, language: Language) {
        self.withdraw_url = Some(format!("{public_url}/withdraw/{}", link.token));
        self.withdraw_until = Some(language.minute(link.expires_at));
    }
}

impl DescendantSummary {
    fn of(descendant: &DescendantView, language: Language) -> Self {
        Self {
            name: mask_key_id(&descendant.id),
            user: descendant.user_name.as_deref().map(sanitize_text),
            at: language.minute(descendant.made_at),
            is_restricted: descendant.restriction_id.is_some(),
        }
    }
}

impl RotationCommands {
    /// The commands for a key, given its masked id.
    pub(super) fn of(masked: &str, user_name: Option<&str>) -> Self {
        // For a key of the account itself, the commands have no user name.
        let user = user_name.map_or_else(String::new, |name| {
            format!(" --UserName {}", quote_for_shell(&sanitize_text(name)))
        });
        let (first, last) = masked.split_once("****").unwrap_or((masked, ""));
        let pattern = format!("{first}[0-9A-Za-z]*{last}");
        let named = |action: &str| format!("aliyun ram {action}{user}");
        Self {
            rotate: named("CreateAccessKey"),
            find: format!(
                "LEAKED=$({} | grep -o {})",
                named("ListAccessKeys"),
                quote_for_shell(&pattern)
            ),
            disable: format!(
                "{} --UserAccessKeyId \"$LEAKED\" --Status Inactive",
                named("UpdateAccessKey")
            ),
            delete: format!("{} --UserAccessKeyId \"$LEAKED\"", named("DeleteAccessKey")),
        }
    }
}

/// Quotes a word for a POSIX shell.
fn quote_for_shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn leak_location(report: &ReportView, key: &AccessKeyId, language: Language) -> LeakClue {
    let source = language.source(&report.source);
    LeakClue {
        source,
        url: describe_location(&report.place(), key),
        first_seen: report.first_seen.map(|at| language.minute(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_objects_and_escape_hostile_names() {
        let key = "LTAI5tFa****ly01";
        let commands = RotationCommands::of(key, Some("alice"));
        assert_eq!(
            commands.rotate,
            "aliyun ram CreateAccessKey --UserName alice"
        );
        assert_eq!(
            commands.find,
            "LEAKED=$(aliyun ram ListAccessKeys --UserName alice | grep -o 'LTAI5tFa[0-9A-Za-z]*ly01')"
        );
        assert_eq!(
            commands.disable,
            "aliyun ram UpdateAccessKey --UserName alice --UserAccessKeyId \"$LEAKED\" --Status Inactive"
        );
        let root = RotationCommands::of(key, None);
        assert_eq!(
            root.delete,
            "aliyun ram DeleteAccessKey --UserAccessKeyId \"$LEAKED\""
        );
        let hostile = RotationCommands::of(key, Some("a'; rm -rf ~\n$(id)"));
        assert_eq!(
            hostile.rotate,
            "aliyun ram CreateAccessKey --UserName 'a'\\''; rm -rf ~\u{fffd}$(id)'"
        );
    }
}
