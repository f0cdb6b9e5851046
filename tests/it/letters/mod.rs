//! The road out on a real PostgreSQL: from the transaction that enqueues a letter to what a reader gets.

mod fuzz;
mod owner;
mod smtp;
pub mod stage;

use std::{collections::HashSet, sync::Arc, time::Duration};

use akgate_owners::letters::mailer::{FolderMailer, Mailer};
use akgate_rules::restriction::LiftRule;
use akgate_state::{
    audit::Actor,
    clock::Clock,
    outbox::{
        self,
        links::{self, LinkPurpose},
        queue::{SendFault, Settlement},
        settle,
    },
    restrictions::confirm::{
        CleanupStep, ConfirmOutcome, ConfirmationStatement, confirm_by_link, confirm_by_ticket,
    },
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tokio::sync::watch;

use self::stage::{ACCOUNT, Answer, KEY, NOW, SECRET, Stage, parse, ring};
use crate::{database::TestDatabase, harness::lift_by_two};

/// What an owner says who has disabled the key and looked at nothing.
fn disabled() -> ConfirmationStatement {
    ConfirmationStatement {
        done: vec![CleanupStep::Disabled],
        ..ConfirmationStatement::default()
    }
}

/// A contact confirms by a link, with nothing looked at.
async fn confirm(pool: &sqlx::PgPool, hash: &[u8], now: OffsetDateTime) -> ConfirmOutcome {
    let statement = disabled();
    confirm_by_link(pool, hash, &statement, LiftRule::Operator, now)
        .await
        .unwrap()
}

fn again(said: &str) -> Answer {
    Answer::Fail(SendFault::temporary(said))
}

#[tokio::test]
async fn letter_of_a_failed_transaction_is_not_enqueued() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    let before = stage.letters().await.len();
    let mut tx = stage.pool.begin().await.unwrap();
    outbox::enqueue_imposed(&mut tx, &[(leak.restriction_id, Some(ACCOUNT))], NOW)
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(stage.letters().await.len(), before);
    assert_eq!(stage.run_once().await, before);
}

#[tokio::test]
async fn two_workers_send_each_letter_once() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 40).await;
    let drain = || async {
        let mut sent = 0;
        loop {
            match stage.run_once().await {
                0 => break sent,
                some => sent += some,
            }
        }
    };
    let (one, two) = tokio::join!(drain(), drain());
    assert!(one > 0 && two > 0, "{one} and {two}");
    let handed = stage.mailer.handed();
    assert_eq!(handed.len(), 40);
    let ids: HashSet<_> = handed.iter().map(|sent| &sent.message_id).collect();
    assert_eq!(ids.len(), 40);
    let letters = stage.letters().await;
    assert!(letters.iter().all(|letter| letter.state == "Sent"));
    assert!(letters.iter().all(|letter| letter.attempts == 1));
}

#[tokio::test]
async fn letter_retry_sends_the_same_message() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    stage
        .mailer
        .answer([again("451 <owner00@example.com>: try later")]);
    assert_eq!(stage.run_once().await, 1);
    let letter = stage.letters().await.remove(0);
    assert_eq!((letter.state.as_str(), letter.attempts), ("Due", 1));
    assert_eq!(
        letter.last_error.unwrap(),
        "451 <o***@example.com>: try later"
    );
    let pause = letter.due_at - NOW;
    assert!((27..=33).contains(&pause.whole_seconds()), "{pause}");

    stage.clock.advance(time::Duration::seconds(20));
    assert_eq!(stage.run_once().await, 0);
    stage.clock.advance(time::Duration::seconds(20));
    assert_eq!(stage.run_once().await, 1);
    let letter = stage.letters().await.remove(0);
    assert_eq!((letter.state.as_str(), letter.attempts), ("Sent", 2));
    assert_eq!(letter.last_error, None);
    let handed = stage.mailer.handed();
    assert_eq!(handed[0], handed[1]);
    assert_eq!(
        handed[0].message_id,
        format!("{}@cloud.example", letter.letter_id)
    );

    let token = handed[0].link().unwrap().rsplit('/').next().unwrap();
    let links: Vec<(Vec<u8>, i32, OffsetDateTime)> =
        sqlx::query_as("SELECT token_sha256, generation, expires_at FROM confirmation_links")
            .fetch_all(&stage.pool)
            .await
            .unwrap();
    let hash = Sha256::digest(token).to_vec();
    assert_eq!(links, [(hash.clone(), 1, NOW + links::LINK_LIFETIME)]);
    let confirmed = confirm(&stage.pool, &hash, stage.clock.now()).await;
    assert_eq!(confirmed, ConfirmOutcome::Now(leak.restriction_id));
    assert_eq!(stage.run_once().await, 1);
}

#[tokio::test]
async fn worker_with_an_expired_lease_cannot_settle_a_letter() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    let lease = |now| outbox::lease_letters(&stage.pool, now, time::Duration::minutes(3), 8);
    let first = lease(NOW).await.unwrap();
    assert!(lease(NOW).await.unwrap().is_empty());
    let later = NOW + time::Duration::minutes(3);
    let second = lease(later).await.unwrap();
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    let settle = |letter| settle::settle_letter(&stage.pool, letter, &Settlement::Sent, later);
    assert!(!settle(&first[0]).await.unwrap());
    assert!(settle(&second[0]).await.unwrap());
    assert!(!settle(&second[0]).await.unwrap());
}

#[tokio::test]
async fn letter_is_retried_for_a_week() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    stage
        .mailer
        .answer(std::iter::repeat_n(again("451 no"), 300));
    let mut pauses = Vec::new();
    let letter = loop {
        let last = stage.clock.now();
        assert_eq!(stage.run_once().await, 1);
        let letter = stage.letters().await.remove(0);
        if letter.state != "Due" {
            break letter;
        }
        pauses.push((letter.due_at - last).whole_seconds());
        stage.clock.advance(letter.due_at - stage.clock.now());
    };
    let wanted = [30, 60, 120, 240, 480, 960, 1920, 3600, 3600];
    for (pause, wanted) in pauses.iter().zip(wanted) {
        assert!((pause - wanted).abs() <= wanted / 10, "{pauses:?}");
    }
    assert!(pauses.iter().all(|pause| *pause <= 3960));
    let days = (stage.clock.now() - NOW).as_seconds_f64() / 86_400.0;
    assert!((6.9..=7.0).contains(&days), "{days} days");
    assert_eq!(letter.state, "Failed");
    assert_eq!(letter.last_error.unwrap(), "451 no");
    assert_eq!(letter.settled_at, Some(stage.clock.now()));
    stage.clock.advance(time::Duration::days(1));
    assert_eq!(stage.run_once().await, 0);
}

#[tokio::test]
async fn letter_that_fails_does_not_block_another() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 4).await;
    sqlx::query("UPDATE contacts SET email = 'no address' WHERE email = 'owner03@example.com'")
        .execute(&stage.pool)
        .await
        .unwrap();
    let refused = Answer::Fail(SendFault::unreachable("550 no such user"));
    stage.mailer.answer([Answer::Panic, refused]);
    assert_eq!(stage.run_once().await, 4);
    let mut outcomes: Vec<_> = stage
        .letters()
        .await
        .into_iter()
        .map(|letter| (letter.state, letter.last_error.unwrap_or_default()))
        .collect();
    outcomes.sort();
    let state = |at: usize| outcomes[at].0.as_str();
    assert_eq!(
        [0, 1, 2, 3].map(state),
        ["Failed", "Failed", "Failed", "Sent"]
    );
    for (outcome, said) in
        outcomes
            .iter()
            .zip(["550 no such user", "the address is not valid", "panicked"])
    {
        assert!(outcome.1.contains(said), "{outcomes:?}");
    }
}

#[tokio::test]
async fn letters_contain_the_facts_and_no_secret() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 2).await;
    let (id, now) = (leak.restriction_id, NOW + time::Duration::hours(1));
    stage.run_once().await;
    let handed = stage.mailer.handed();
    let english = handed.iter().find(|sent| sent.text.contains("Hello"));
    let hash = {
        let english = english.unwrap();
        for part in [&english.text, &english.html] {
            for said in [
                "LTAI5tFa****ly01",
                ACCOUNT,
                "alice",
                "Active",
                "GitHub, first seen 24 November 2026, 08:00 UTC",
                "hxxps://github[.]com/example/app/blob/main/LTAI5tFa****ly01.env#L3",
                "https://akgate.example/confirm/",
                "until 1 December 2026, 12:00 UTC",
                "shared responsibility",
                "help@cloud.example",
            ] {
                assert!(part.contains(said), "{said}: {part}");
            }
        }
        let token = english.link().unwrap().rsplit('/').next().unwrap();
        Sha256::digest(token).to_vec()
    };
    let links: HashSet<_> = handed.iter().map(|sent| sent.link().unwrap()).collect();
    assert_eq!(links.len(), 2, "each contact has a link of its own");

    confirm(&stage.pool, &hash, now).await;
    stage.clock.advance(time::Duration::hours(1));
    assert_eq!(stage.run_once().await, 2);
    lift_by_two(&stage.pool, id, now).await;
    assert_eq!(stage.run_once().await, 2);
    let handed = stage.mailer.handed();
    assert_eq!(handed.len(), 6);
    let said = |text: &str| handed.iter().any(|sent| sent.text.contains(text));
    assert!(said("You have confirmed"));
    assert!(said("o***@example.com"), "the other one hears who it was");
    assert!(said("stay restricted until they expire"));
    assert!(said("The leaked AccessKey is still active"));
    for sent in &handed {
        for hidden in [SECRET, KEY, "olga", "anna"] {
            for part in [&sent.subject, &sent.text, &sent.html] {
                assert!(!part.contains(hidden), "{hidden}: {part}");
            }
        }
    }
}

#[tokio::test]
async fn letter_sent_after_the_confirmation_asks_for_none() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    let actor = Actor::Operator("olga".into());
    confirm_by_ticket(&stage.pool, leak.restriction_id, &actor, "T-1", None, NOW)
        .await
        .unwrap();
    assert_eq!(stage.run_once().await, 2);
    let handed = stage.mailer.handed();
    let asks = |text: &str| text.contains("/confirm/");
    assert!(!handed.iter().any(|sent| asks(&sent.text)));
    assert!(handed.iter().any(|sent| sent.text.contains("(ticket T-1)")));
}

#[tokio::test]
async fn confirmation_link_is_replaced_once_used_or_expired() {
    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    let letters = outbox::lease_letters(&stage.pool, NOW, time::Duration::minutes(1), 1).await;
    let letter = &letters.unwrap()[0];
    let ring = ring();
    let link = async |now| {
        links::issue_link(&stage.pool, &ring, letter, LinkPurpose::Confirm, now)
            .await
            .unwrap()
            .token
    };
    let first = link(NOW).await;
    assert_eq!(link(NOW + time::Duration::days(6)).await, first);
    let second = link(NOW + links::LINK_LIFETIME).await;
    assert_ne!(second, first);
    let hash = Sha256::digest(&second).to_vec();
    confirm(&stage.pool, &hash, NOW + links::LINK_LIFETIME).await;
    assert_ne!(link(NOW + links::LINK_LIFETIME).await, second);
    assert_eq!(database.send_letters().await, ["Confirmed", "Imposed"]);
}

#[tokio::test]
async fn running_worker_sends_new_letters_and_stops_on_request() {
    let database = TestDatabase::new().await;
    let (stage, leak) = Stage::with_leak(database.pool(), 1).await;
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(stage.worker().run(stopped));
    let patience = Duration::from_secs(20);
    let news = || tokio::time::timeout(patience, stage.mailer.news.notified());
    news().await.unwrap();
    let mut tx = stage.pool.begin().await.unwrap();
    outbox::enqueue_imposed(&mut tx, &[(leak.restriction_id, Some(ACCOUNT))], NOW)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    news().await.unwrap();
    stop.send_replace(true);
    tokio::time::timeout(patience, worker)
        .await
        .unwrap()
        .unwrap();
    // The listener is gone too: closing waits for every connection.
    tokio::time::timeout(patience, stage.pool.close())
        .await
        .unwrap();
}

#[tokio::test]
async fn folder_mailer_writes_whole_letters_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let database = TestDatabase::new().await;
    let (stage, _) = Stage::with_leak(database.pool(), 1).await;
    let folder = std::env::temp_dir().join(format!("akgate-letters-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut worker = stage.worker();
    worker.mailer = Arc::new(FolderMailer::new(folder.clone())) as Arc<dyn Mailer>;
    assert_eq!(Arc::new(worker).run_once().await.unwrap(), 1);
    let letter = stage.letters().await.remove(0);
    let names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(names, [folder.join(format!("{}.eml", letter.letter_id))]);
    let mode = std::fs::metadata(&names[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let sent = parse(&std::fs::read(&names[0]).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(sent.to, "owner00@example.com");
    assert!(sent.link().is_some());
}
