//! What an owner is told, and when: contacts in order, the ladder, repeats, and what a confirmation can become.

use akgate_api::keys::KeyStatus;
use akgate_rules::{
    access_key::{AccessKeyId, AccessKeySecret},
    leak::LeakPlace,
    restriction::LiftRule,
    verdict::Mode,
};
use akgate_state::{
    audit::Actor,
    directory::{
        KeyRecord,
        contacts::{self, Language},
        keys::NewKey,
    },
    keys::lifecycle::{commit_key, commit_key_status},
    leaks::record::{Delivery, LeakReport, ReportGrounds, SuspicionPolicy, record_reports},
    outbox::{self, queue::SendFault, tasks},
    restrictions::{
        confirm::{
            CleanupStep, ConfirmOutcome, ConfirmationStatement, WithdrawOutcome, confirm_by_link,
            confirm_by_ticket, withdraw_by_link,
        },
        read,
    },
};
use rand::{SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    disabled,
    stage::{ACCOUNT, Answer, NOW, Sent, Stage, key_id, ring},
};
use crate::{
    database::TestDatabase,
    harness::{decide, lift_by_two},
};

/// Moves the clock and does what is due; gives what was sent since the last time.
async fn after(stage: &Stage, by: Duration) -> Vec<Sent> {
    let before = stage.mailer.handed().len();
    stage.clock.advance(by);
    let worker = std::sync::Arc::new(stage.worker());
    loop {
        let looked = worker.escalate().await.unwrap();
        if worker.run_once().await.unwrap() + looked == 0 {
            return stage.mailer.handed().split_off(before);
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn told(sent: &[Sent]) -> Vec<(&str, &str)> {
    let mut told: Vec<_> = sent
        .iter()
        .map(|sent| {
            (
                sent.to.as_str(),
                sent.subject.split(" LTAI").next().unwrap(),
            )
        })
        .collect();
    told.sort_unstable();
    told
}

async fn open_tasks(pool: &PgPool) -> Vec<String> {
    let tasks = tasks::list_tasks(pool, true, None, 10).await.unwrap();
    tasks.into_iter().map(|task| task.kind).collect()
}

async fn report(stage: &Stage, reference: &str, source: &str) {
    let address = format!("https://h.example/{reference}");
    let report = LeakReport {
        access_key_id: Some(key_id()),
        reference: Some(reference.into()),
        place: LeakPlace::new(Some(&address), None, None),
        ..LeakReport::default()
    };
    let now = akgate_state::clock::Clock::now(&*stage.clock);
    decide(&stage.pool, &ring(), source, report, now).await;
}

async fn set(stage: &Stage, status: KeyStatus) {
    let now = akgate_state::clock::Clock::now(&*stage.clock);
    commit_key_status(&stage.pool, &key_id(), status, now)
        .await
        .unwrap();
}

async fn state(stage: &Stage, id: Uuid) -> String {
    read::find_restriction(&mut stage.pool.acquire().await.unwrap(), id)
        .await
        .unwrap()
        .unwrap()
        .state
}

#[tokio::test]
async fn unreachable_contacts_are_skipped_and_at_last_a_task_is_opened() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak_to(
        database.pool(),
        &[("first@example.com", 1), ("second@example.com", 2)],
    )
    .await;
    let never = || Answer::Fail(SendFault::unreachable("550 no such user"));
    stage.mailer.answer([never(), Answer::Take]);
    let sent = after(&stage, Duration::ZERO).await;
    let to: Vec<&str> = sent.iter().map(|sent| sent.to.as_str()).collect();
    assert_eq!(to, ["first@example.com", "second@example.com"]);
    assert!(open_tasks(&stage.pool).await.is_empty());
    let shown = read::find_restriction(
        &mut stage.pool.acquire().await.unwrap(),
        leak.restriction_id,
    )
    .await
    .unwrap();
    assert_eq!(shown.unwrap().notified_at, Some(NOW));

    // The second one's comes back a day later: nobody is left.
    let letters = stage.letters().await;
    let sent = letters
        .iter()
        .find(|letter| letter.state == "Sent")
        .unwrap();
    let later = NOW + Duration::hours(23);
    let bounced =
        outbox::settle::record_bounce(&stage.pool, sent.letter_id, "550 5.1.1 unknown", later);
    assert!(bounced.await.unwrap());
    let again =
        outbox::settle::record_bounce(&stage.pool, sent.letter_id, "550 5.1.1 unknown", later);
    assert!(!again.await.unwrap(), "a bounce counts once");
    assert_eq!(open_tasks(&stage.pool).await, ["Unreachable"]);
    // What nobody was told of is not held against them.
    assert!(after(&stage, Duration::days(9)).await.is_empty());
    let shown = read::find_restriction(
        &mut stage.pool.acquire().await.unwrap(),
        leak.restriction_id,
    )
    .await
    .unwrap();
    assert_eq!(shown.unwrap().widened_at, None);
}

#[tokio::test]
async fn unknown_key_opens_a_task() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    let unknown = AccessKeyId::parse("LTAI5tFakeUnknown").unwrap();
    let report = LeakReport {
        access_key_id: Some(unknown.clone()),
        reference: Some("unknown".into()),
        ..LeakReport::default()
    };
    decide(&stage.pool, &ring(), "github", report, NOW).await;
    assert_eq!(open_tasks(&stage.pool).await, ["Unreachable"]);
    assert_eq!(after(&stage, Duration::ZERO).await.len(), 1);
    // Once it is known whose it is, the owner is told.
    let key = NewKey {
        record: KeyRecord {
            access_key_id: unknown,
            account_id: ACCOUNT.into(),
            user_name: Some("bob".into()),
            status: KeyStatus::Active,
            secret: AccessKeySecret::new("FakeSecretOfBob".into()),
        },
        created_by: None,
    };
    commit_key(
        &stage.pool,
        &ring(),
        &key,
        NOW,
        &mut StdRng::seed_from_u64(3),
    )
    .await
    .unwrap();
    assert!(open_tasks(&stage.pool).await.is_empty());
    let sent = after(&stage, Duration::ZERO).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].text.contains("bob"), "{}", sent[0].text);
}

#[tokio::test]
async fn delayed_letter_says_nothing_outdated() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    after(&stage, Duration::ZERO).await;
    // The reminder of the first day meets a busy server, and the owner disables the pair.
    stage
        .mailer
        .answer([Answer::Fail(SendFault::temporary("451 later"))]);
    assert_eq!(after(&stage, Duration::hours(24)).await.len(), 1);
    set(&stage, KeyStatus::Inactive).await;
    assert!(after(&stage, Duration::minutes(5)).await.is_empty());
    let letters = stage.letters().await;
    let held_up = letters.iter().find(|letter| letter.kind == "Widened");
    let held_up = held_up.unwrap();
    assert_eq!(held_up.state, "Failed");
    assert_eq!(
        held_up.last_error.as_deref(),
        Some("there is nothing left to report")
    );
    assert_eq!(state(&stage, leak.restriction_id).await, "Imposed");
}

#[tokio::test]
async fn escalation_continues_while_the_key_works_even_if_confirmed() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak_to(
        database.pool(),
        &[("first@example.com", 1), ("second@example.com", 2)],
    )
    .await;
    // Whoever became a contact later may be the one who found the key.
    let later = NOW + Duration::HOUR;
    contacts::commit_contact(
        &stage.pool,
        ACCOUNT,
        "late@example.com",
        Language::English,
        later,
    )
    .await
    .unwrap();
    let sent = after(&stage, Duration::ZERO).await;
    assert_eq!(told(&sent), [("first@example.com", "AccessKey")]);
    for announced in [
        "From 25 November 2026, 12:00 UTC, reading users",
        "On 27 November 2026, 12:00 UTC, we will notify the other contacts",
        "On 1 December 2026, 12:00 UTC, we will ask our security team to disable",
    ] {
        let text = one_line(&sent[0].text);
        assert!(text.contains(announced), "{announced}: {text}");
    }
    let token = sent[0].link().unwrap().rsplit('/').next().unwrap();
    let statement = disabled();
    let digest = Sha256::digest(token);
    confirm_by_link(&stage.pool, &digest, &statement, LiftRule::Operator, later)
        .await
        .unwrap();
    assert_eq!(
        after(&stage, Duration::hours(23)).await.len(),
        2,
        "both hear of it"
    );

    let sent = after(&stage, Duration::hours(1)).await;
    assert_eq!(told(&sent), [("first@example.com", "AccessKey")]);
    assert!(
        sent[0].subject.contains("more operations are refused"),
        "{}",
        sent[0].subject
    );
    assert!(one_line(&sent[0].text).contains("Only disabling and deleting it removes the risk"));
    let shown = read::find_restriction(
        &mut stage.pool.acquire().await.unwrap(),
        leak.restriction_id,
    )
    .await
    .unwrap();
    assert_eq!(shown.unwrap().widened_at, Some(NOW + Duration::hours(24)));

    let sent = after(&stage, Duration::hours(48)).await;
    assert_eq!(
        told(&sent),
        [
            ("first@example.com", "Reminder: the leaked AccessKey"),
            ("second@example.com", "AccessKey"),
        ]
    );
    let sent = after(&stage, Duration::hours(96)).await;
    assert_eq!(sent.len(), 2);
    assert!(
        sent.iter()
            .all(|sent| one_line(&sent.text).contains("have asked our security team to disable"))
    );
    assert_eq!(open_tasks(&stage.pool).await, ["DisableKey"]);
    assert!(after(&stage, Duration::days(30)).await.is_empty());
}

#[tokio::test]
async fn escalation_stops_for_a_disabled_key_and_resumes_when_it_works_again() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    after(&stage, Duration::ZERO).await;
    set(&stage, KeyStatus::Inactive).await;
    assert!(after(&stage, Duration::days(2)).await.is_empty());
    set(&stage, KeyStatus::Active).await;
    let sent = after(&stage, Duration::ZERO).await;
    assert_eq!(sent.len(), 1, "what was missed is one letter");
    assert!(sent[0].subject.contains("more operations are refused"));
    let shown = read::find_restriction(
        &mut stage.pool.acquire().await.unwrap(),
        leak.restriction_id,
    )
    .await
    .unwrap();
    assert_eq!(shown.unwrap().widened_at, Some(NOW + Duration::days(2)));
}

#[tokio::test]
async fn repeated_sightings_are_one_letter_with_a_table() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    // Before the first letter is out, they stand in that.
    report(&stage, "early", "gitlab").await;
    let sent = after(&stage, Duration::ZERO).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].text.contains("hxxps://h[.]example/early"));
    stage.clock.advance(Duration::MINUTE);
    for n in 0..100 {
        report(&stage, &format!("fork-{n}"), "github").await;
    }
    // And 9,900 more, as a batch would bring them.
    sqlx::query(
        "INSERT INTO leak_reports (
             report_id, source, origin, reference, access_key_id, restriction_id, proof, url, reported_at, reported_by
         )
         SELECT gen_random_uuid(), 'github', convert_to('batch-' || n, 'UTF8'), 'batch-' || n, access_key_id, restriction_id, 'Decided',
             'https://h.example/batch-' || n, imposed_at + interval '2 minutes', 'operator:olga'
         FROM restrictions, generate_series(1, 9900) AS n",
    )
    .execute(&stage.pool)
    .await
    .unwrap();
    report(&stage, "scan", "internal-scan").await;
    assert!(after(&stage, Duration::minutes(59)).await.is_empty());
    let sent = after(&stage, Duration::minutes(1)).await;
    assert_eq!(sent.len(), 1);
    let row = |source: &str| {
        let row = sent[0].text.lines().find(|line| line.contains(source));
        row.map(|row| row.split_whitespace().take(2).collect::<Vec<_>>())
    };
    assert_eq!(row("GitHub").unwrap(), ["GitHub", "10000"]);
    assert_eq!(row("internal-scan").unwrap(), ["internal-scan", "1"]);
    assert_eq!(row("GitLab"), None, "that was told before");
    // The next such letter waits for a day.
    report(&stage, "more", "github").await;
    assert!(after(&stage, Duration::hours(2)).await.is_empty());
    assert!(!after(&stage, Duration::hours(23)).await.is_empty());
}

#[tokio::test]
async fn future_restriction_is_announced_first() {
    let database = TestDatabase::new().await;
    let (mut stage, _) = Stage::with_leak(database.pool(), 1).await;
    stage.enforce_from = Some(NOW + Duration::hours(30));
    let sent = after(&stage, Duration::ZERO).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].subject.contains("will be restricted"));
    assert!(
        sent[0]
            .text
            .contains("From 25 November 2026, 18:00 UTC, the AccessKey")
    );
    assert!(after(&stage, Duration::hours(29)).await.is_empty());
    let sent = after(&stage, Duration::hours(1)).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].subject.contains("please replace it"));
    // The ladder counts from there.
    assert!(after(&stage, Duration::hours(23)).await.is_empty());
    assert_eq!(after(&stage, Duration::hours(1)).await.len(), 1);
}

#[tokio::test]
async fn shadow_mode_sends_no_letters() {
    let database = TestDatabase::new().await;
    let (mut stage, _) = Stage::with_leak(database.pool(), 1).await;
    stage.mode = Mode::Shadow;
    assert!(after(&stage, Duration::ZERO).await.is_empty());
    assert!(after(&stage, Duration::days(9)).await.is_empty());
    stage.mode = Mode::Enforce;
    // However old it is by now, a busy server does not end it.
    stage
        .mailer
        .answer([Answer::Fail(SendFault::temporary("451 later"))]);
    assert_eq!(after(&stage, Duration::HOUR).await.len(), 1);
    let sent = after(&stage, Duration::MINUTE).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].subject.contains("please replace it"));
    assert_eq!(stage.letters().await[0].attempts, 2);
}

/// The token of the link in a contact's last letter.
fn token(sent: &[Sent], to: &str) -> Vec<u8> {
    let letter = sent.iter().rev().find(|sent| sent.to == to).unwrap();
    let link = letter.link().unwrap();
    Sha256::digest(link.rsplit('/').next().unwrap()).to_vec()
}

#[tokio::test]
async fn confirmation_can_be_withdrawn_by_any_contact_and_all_are_notified() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak_to(
        database.pool(),
        &[("first@example.com", 1), ("second@example.com", 2)],
    )
    .await;
    let sent = after(&stage, Duration::ZERO).await;
    let statement = ConfirmationStatement {
        done: vec![CleanupStep::Rotated, CleanupStep::Disabled],
        remark: Some("done".into()),
        acknowledged: vec!["call:x".into()],
    };
    let first = token(&sent, "first@example.com");
    confirm_by_link(&stage.pool, &first, &statement, LiftRule::Operator, NOW)
        .await
        .unwrap();
    let sent = after(&stage, Duration::MINUTE).await;
    assert_eq!(
        sent.len(),
        2,
        "the contact who was not told yet hears of it as well"
    );
    let second = token(&sent, "second@example.com");
    // A link to take back confirms nothing, and the other way round.
    let confirmed =
        confirm_by_link(&stage.pool, &second, &statement, LiftRule::Operator, NOW).await;
    assert_eq!(confirmed.unwrap(), ConfirmOutcome::NotFound);
    assert_eq!(
        withdraw_by_link(&stage.pool, &first, NOW).await.unwrap(),
        WithdrawOutcome::NotFound
    );
    let withdrawn = withdraw_by_link(&stage.pool, &second, NOW).await.unwrap();
    assert_eq!(withdrawn, WithdrawOutcome::Now(leak.restriction_id));
    assert_eq!(
        withdraw_by_link(&stage.pool, &second, NOW).await.unwrap(),
        WithdrawOutcome::NotFound
    );
    assert_eq!(state(&stage, leak.restriction_id).await, "Imposed");
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM acknowledgements")
        .fetch_one(&stage.pool)
        .await
        .unwrap();
    assert_eq!(kept, 0);
    let sent = after(&stage, Duration::MINUTE).await;
    assert_eq!(sent.len(), 2);
    assert!(
        sent.iter()
            .all(|sent| sent.subject.contains("has been withdrawn"))
    );
    // And can be confirmed again, by another link.
    let first = token(&sent, "first@example.com");
    let confirmed = confirm_by_link(&stage.pool, &first, &statement, LiftRule::Operator, NOW).await;
    assert_eq!(confirmed.unwrap(), ConfirmOutcome::Now(leak.restriction_id));
    assert_eq!(after(&stage, Duration::MINUTE).await.len(), 2);
}

/// A change that the leaked key made, as the gateway records it.
async fn made(pool: &PgPool, at: OffsetDateTime) -> String {
    let id = Uuid::new_v4();
    akgate_state::calls::partitions::ensure_partitions(pool, at)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO intents (
             access_key_id, nonce, signed_at, request_id, account_id, principal, product, version, action, effect,
             grounds, names, source_ip, user_agent, received_at, outcome
         )
         VALUES ($1, $2, $3, $4, $5, 'p', 'Ram', '2015-05-01', 'CreateUser', 'Mutate(Identity)', 'clear',
             '{\"UserName\": \"ops-backup\"}', '198.51.100.23', 'x', $3, 'Succeeded')",
    )
    .bind(key_id().as_str())
    .bind(id.to_string())
    .bind(at)
    .bind(id)
    .bind(ACCOUNT)
    .execute(pool)
    .await
    .unwrap();
    format!("call:{id}")
}

#[tokio::test]
async fn policy_lifts_only_a_confirmed_restriction_of_a_dead_key() {
    let database = TestDatabase::new().await;
    let (mut stage, leak) = Stage::with_leak(database.pool(), 1).await;
    stage.lift = LiftRule::AutoLift;
    let id = leak.restriction_id;
    let artefact = made(&stage.pool, NOW - Duration::HOUR).await;
    let before = made(&stage.pool, NOW - Duration::hours(5)).await;
    let sent = after(&stage, Duration::ZERO).await;
    assert!(
        sent[0].text.contains("* CreateUser ops-backup"),
        "{}",
        sent[0].text
    );
    let first = token(&sent, "owner00@example.com");
    let statement = ConfirmationStatement {
        acknowledged: vec![before, artefact],
        ..disabled()
    };
    let confirm = confirm_by_link(&stage.pool, &first, &statement, LiftRule::AutoLift, NOW);
    assert_eq!(
        confirm.await.unwrap(),
        ConfirmOutcome::Now(id),
        "the pair still works"
    );
    after(&stage, Duration::MINUTE).await;
    // It goes on while the pair works.
    let another = made(&stage.pool, NOW).await;
    set(&stage, KeyStatus::Inactive).await;
    after(&stage, Duration::MINUTE).await;
    assert_eq!(
        state(&stage, id).await,
        "Confirmed",
        "{another} was not looked at"
    );
    let mut db = stage.pool.acquire().await.unwrap();
    akgate_state::calls::artefacts::acknowledge_artefacts(
        &mut db,
        id,
        &[another],
        "contact:x",
        NOW,
    )
    .await
    .unwrap();
    let sent = after(&stage, Duration::HOUR).await;
    assert_eq!(state(&stage, id).await, "Lifted");
    assert!(
        sent[0].text.contains("you have reviewed everything"),
        "{}",
        sent[0].text
    );
    let lifted = read::find_restriction(&mut stage.pool.acquire().await.unwrap(), id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(lifted.lifted_by.as_deref(), Some("policy"));
    assert!(lifted.tombstone);
    // It comes back: restricted again, and the owner is told.
    set(&stage, KeyStatus::Active).await;
    let sent = after(&stage, Duration::ZERO).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].text.contains("is in use again"));
}

#[tokio::test]
async fn operator_lift_rule_lifts_nothing_by_itself() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    after(&stage, Duration::ZERO).await;
    set(&stage, KeyStatus::Deleted).await;
    after(&stage, Duration::days(3)).await;
    assert_eq!(state(&stage, leak.restriction_id).await, "Imposed");
}

#[tokio::test]
async fn confirmation_withdrawn_after_the_lift_opens_a_task() {
    let database = TestDatabase::new().await;
    let (mut stage, leak) = Stage::with_leak(database.pool(), 1).await;
    stage.lift = LiftRule::AutoLift;
    let sent = after(&stage, Duration::ZERO).await;
    let first = token(&sent, "owner00@example.com");
    set(&stage, KeyStatus::Deleted).await;
    let statement = disabled();
    let confirmed = confirm_by_link(&stage.pool, &first, &statement, LiftRule::AutoLift, NOW).await;
    assert!(
        matches!(confirmed.unwrap(), ConfirmOutcome::Lifted { restriction_id, .. } if restriction_id == leak.restriction_id)
    );
    let sent = after(&stage, Duration::MINUTE).await;
    let confirmed = sent
        .iter()
        .find(|sent| sent.text.contains("/withdraw/"))
        .unwrap();
    let taken = token(std::slice::from_ref(confirmed), "owner00@example.com");
    let withdrawn = withdraw_by_link(&stage.pool, &taken, NOW).await.unwrap();
    assert_eq!(withdrawn, WithdrawOutcome::Disputed(leak.restriction_id));
    assert_eq!(open_tasks(&stage.pool).await, ["Disputed"]);
}

/// The id of the key is seen in these files.
async fn suspect(stage: &Stage, files: &[&str], tell_owners: bool) {
    let reports: Vec<LeakReport> = files
        .iter()
        .map(|file| {
            let address = format!("https://h.example/{file}");
            LeakReport {
                access_key_id: Some(key_id()),
                place: LeakPlace::new(Some(&address), None, None),
                ..LeakReport::default()
            }
        })
        .collect();
    let delivery = Delivery {
        source: "github",
        actor: &Actor::Source("github".into()),
        grounds: ReportGrounds::Proof,
        suspicions: SuspicionPolicy {
            most_per_hour: Some(2),
            tell_owners,
        },
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: None,
    };
    let now = akgate_state::clock::Clock::now(&*stage.clock);
    record_reports(&stage.pool, &ring(), &delivery, &reports, now)
        .await
        .unwrap();
}

#[tokio::test]
async fn owner_is_notified_of_a_suspicion_if_configured_and_nothing_is_restricted() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    after(&stage, Duration::ZERO).await;
    // What is restricted is no suspicion any more.
    suspect(&stage, &["a"], true).await;
    assert!(after(&stage, Duration::MINUTE).await.is_empty());
    confirm_and_lift(&stage, leak.restriction_id).await;
    after(&stage, Duration::ZERO).await;

    suspect(&stage, &["b"], false).await;
    assert!(after(&stage, Duration::ZERO).await.is_empty());
    suspect(&stage, &["c"], true).await;
    let [letter] = after(&stage, Duration::ZERO).await.try_into().unwrap();
    assert!(
        letter.subject.contains("was found in public"),
        "{}",
        letter.subject
    );
    let words: Vec<&str> = letter.text.split_whitespace().collect();
    let said = words.join(" ").to_lowercase();
    assert!(said.contains("nothing is restricted"), "{said}");
    for file in ["a", "b", "c"] {
        assert!(
            letter.text.contains(&format!("hxxps://h[.]example/{file}")),
            "{file}"
        );
    }
    assert!(!letter.text.contains("/confirm/"));
    assert_eq!(state(&stage, leak.restriction_id).await, "Lifted");
    let kept = stage.letters().await;
    let suspected = kept
        .iter()
        .find(|letter| letter.kind == "Suspected")
        .unwrap();
    assert_eq!(suspected.restriction_id, None);
    assert_eq!(suspected.access_key_id.as_deref(), Some(key_id().as_str()));
    // Not again for a month.
    suspect(&stage, &["d"], true).await;
    assert!(after(&stage, Duration::days(29)).await.is_empty());
    // Held ones are not told; a pair that was disabled meanwhile needs no letter.
    stage.clock.advance(Duration::days(2));
    suspect(&stage, &["e", "f", "g"], true).await;
    set(&stage, KeyStatus::Inactive).await;
    assert!(after(&stage, Duration::ZERO).await.is_empty());
    set(&stage, KeyStatus::Active).await;
    stage.clock.advance(Duration::days(31));
    suspect(&stage, &["h"], true).await;
    assert!(
        after(&stage, Duration::ZERO).await.is_empty(),
        "its source is paused"
    );
}

async fn confirm_and_lift(stage: &Stage, id: Uuid) {
    let (now, olga) = (
        akgate_state::clock::Clock::now(&*stage.clock),
        Actor::Operator("olga".into()),
    );
    confirm_by_ticket(&stage.pool, id, &olga, "T-1", None, now)
        .await
        .unwrap();
    lift_by_two(&stage.pool, id, now).await;
}
