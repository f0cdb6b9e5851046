//! What a report proves, and what becomes of a sighting: on the registry itself.

use akgate_api::{keys::KeyStatus, leak_reports::ReportView};
use akgate_rules::{
    access_key::AccessKeySecret,
    leak::{LeakPlace, Proof},
};
use akgate_state::{
    audit::Actor,
    directory::{KeyRecord, keys::NewKey},
    keys::lifecycle::{commit_key, commit_key_status},
    leaks::{
        deliveries::DeliveryOrigin,
        record::{
            Delivery, LeakReport, RecordedReport, ReportGrounds, SuspicionPolicy, record_reports,
        },
    },
    outbox::tasks,
    restrictions::reports,
};
use rand::{SeedableRng, rngs::StdRng};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    database::TestDatabase,
    harness::{ACCOUNT, Behind, NOW, TestNode, id, lift_by_two, ring},
    road::{RAM, assume, role},
};

const ALICE: &str = "LTAI5tFakeKeyOfAlice001";
const BOB: &str = "LTAI5tFakeKeyOfBob00001";
const ALICES: &str = "FakeSecretOfAliceForTests01xYz";
const BOBS: &str = "FakeSecretOfBobForTestsOnly1xY";
const NOBODYS: &str = "FakeSecretOfNobodyForTests1xYz";

fn secret(text: &str) -> AccessKeySecret {
    AccessKeySecret::new(text.into())
}

async fn key(pool: &PgPool, name: &str, text: &str) {
    let key = NewKey {
        record: KeyRecord {
            access_key_id: id(name),
            account_id: ACCOUNT.into(),
            user_name: Some(name.to_lowercase()),
            status: KeyStatus::Active,
            secret: secret(text),
        },
        created_by: None,
    };
    let mut rng = StdRng::seed_from_u64(1);
    commit_key(pool, &ring(), &key, NOW, &mut rng)
        .await
        .unwrap();
}

fn most(per_hour: i64) -> SuspicionPolicy {
    SuspicionPolicy {
        most_per_hour: Some(per_hour),
        tell_owners: false,
    }
}

/// What is found in a file of a repository.
fn found(access_key_id: Option<&str>, text: Option<&str>, file: &str) -> LeakReport {
    let url = format!("https://h.example/blob/{file}");
    LeakReport {
        access_key_id: access_key_id.map(id),
        secret: text.map(secret),
        reference: None,
        place: LeakPlace::new(Some(&url), Some("c0ffee"), Some(file)),
        first_seen: None,
    }
}

async fn deliver(pool: &PgPool, reports: &[LeakReport]) -> Vec<Option<RecordedReport>> {
    let delivery = Delivery {
        source: "github",
        actor: &Actor::Source("github".into()),
        grounds: ReportGrounds::Proof,
        suspicions: most(10_000),
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: None,
    };
    record_reports(pool, &ring(), &delivery, reports, NOW)
        .await
        .unwrap()
}

async fn one(pool: &PgPool, report: LeakReport) -> RecordedReport {
    deliver(pool, &[report]).await[0].unwrap()
}

async fn all(pool: &PgPool) -> Vec<ReportView> {
    let wanted = reports::ReportCriteria {
        limit: 100,
        ..reports::ReportCriteria::default()
    };
    reports::list_reports(pool, &wanted).await.unwrap()
}

async fn restricted(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT access_key_id FROM restrictions WHERE state <> 'Lifted' ORDER BY access_key_id",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn revision(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT revision FROM registry_revision")
        .fetch_one(pool)
        .await
        .unwrap()
}

async fn free(pool: &PgPool, restriction_id: Uuid) {
    sqlx::query(
        "UPDATE restrictions SET state = 'Confirmed', confirmed_at = $2, confirmed_by = 'test' WHERE restriction_id = $1",
    )
    .bind(restriction_id)
    .bind(NOW)
    .execute(pool)
    .await
    .unwrap();
    lift_by_two(pool, restriction_id, NOW).await;
}

#[tokio::test]
async fn only_the_secret_proves_a_leak() {
    let unknown = "LTAI5tFakeKeyOfNobody01";
    for (shown, proof, is_known, whose) in [
        ((Some(ALICE), None), Proof::Suspected, true, vec![]),
        (
            (Some(ALICE), Some(ALICES)),
            Proof::IdAndSecret,
            true,
            vec![ALICE],
        ),
        ((None, Some(ALICES)), Proof::Secret, true, vec![ALICE]),
        ((Some(ALICE), Some(NOBODYS)), Proof::Suspected, true, vec![]),
        ((None, Some(NOBODYS)), Proof::Suspected, false, vec![]),
        ((Some(unknown), None), Proof::Suspected, false, vec![]),
        (
            (Some(unknown), Some(NOBODYS)),
            Proof::Suspected,
            false,
            vec![],
        ),
        // The secret is another's: that one is leaked, and the named one is not.
        ((Some(ALICE), Some(BOBS)), Proof::Secret, true, vec![BOB]),
        ((Some(unknown), Some(BOBS)), Proof::Secret, true, vec![BOB]),
    ] {
        let database = TestDatabase::new().await;
        let pool = database.pool();
        key(pool, ALICE, ALICES).await;
        key(pool, BOB, BOBS).await;
        let before = revision(pool).await;
        let recorded = one(pool, found(shown.0, shown.1, ".env")).await;
        assert_eq!(
            (recorded.proof, recorded.is_known),
            (proof, is_known),
            "{shown:?}"
        );
        assert_eq!(recorded.restriction.is_some(), proof.restricts());
        assert_eq!(restricted(pool).await, whose, "{shown:?}");
        let moved = revision(pool).await - before;
        assert_eq!(moved, i64::from(!whose.is_empty()), "{shown:?}");
    }
}

#[tokio::test]
async fn report_without_id_and_secret_is_ignored() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    let recorded = deliver(pool, &[found(None, None, ".env")]).await;
    assert_eq!(recorded, [None]);
    assert!(all(pool).await.is_empty());
}

#[tokio::test]
async fn sighting_counts_once_and_a_new_sighting_after_a_lift_restricts_again() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    let pair = || found(Some(ALICE), Some(ALICES), ".env");
    let first = one(pool, pair()).await;
    let restriction = first.restriction.unwrap();
    assert!(first.is_new);
    let again = one(pool, pair()).await;
    assert_eq!((again.report_id, again.is_new), (first.report_id, false));
    // Another place joins it.
    let joined = one(pool, found(None, Some(ALICES), "copy.env")).await;
    assert_eq!(joined.restriction, Some(restriction));

    free(pool, restriction.restriction_id).await;
    let before = revision(pool).await;
    for replay in [
        pair(),
        found(None, Some(ALICES), ".env"),
        found(Some(ALICE), None, ".env"),
        found(Some(ALICE), Some(ALICES), "copy.env"),
    ] {
        let recorded = one(pool, replay).await;
        assert!(!recorded.is_new);
        assert!(recorded.proof.restricts(), "what was proven stays proven");
    }
    assert!(restricted(pool).await.is_empty());
    assert_eq!(revision(pool).await, before);
    assert_eq!(all(pool).await.len(), 2);

    let fresh = one(pool, found(Some(ALICE), Some(ALICES), "new.env")).await;
    assert_ne!(
        fresh.restriction.unwrap().restriction_id,
        restriction.restriction_id
    );
    assert_eq!(restricted(pool).await, [ALICE]);
}

#[tokio::test]
async fn suspicion_is_proven_by_the_same_sighting_later() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    let suspected = one(pool, found(Some(ALICE), None, ".env")).await;
    assert!(restricted(pool).await.is_empty());
    let proven = one(pool, found(None, Some(ALICES), ".env")).await;
    assert_eq!(proven.report_id, suspected.report_id);
    assert_eq!((proven.proof, proven.is_new), (Proof::Secret, false));
    assert_eq!(restricted(pool).await, [ALICE]);
    let [report] = all(pool).await.try_into().unwrap();
    assert_eq!(report.proof, "Secret");
    assert_eq!(report.secret_matches, Some(true));
    assert_eq!(
        report.restriction_id,
        proven.restriction.map(|one| one.restriction_id)
    );
}

#[tokio::test]
async fn id_and_secret_in_two_elements_are_one_sighting() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    let elements = [
        found(Some(ALICE), None, ".env"),
        found(None, Some(ALICES), ".env"),
        found(Some(ALICE), None, "readme"),
    ];
    let recorded = deliver(pool, &elements).await;
    let proofs: Vec<Proof> = recorded.iter().map(|one| one.unwrap().proof).collect();
    assert_eq!(proofs, [Proof::Secret, Proof::Secret, Proof::Suspected]);
    assert_eq!(all(pool).await.len(), 2);
    assert_eq!(restricted(pool).await, [ALICE]);
}

#[tokio::test]
async fn secret_is_proven_when_its_access_key_becomes_known() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    one(pool, found(Some(ALICE), Some(ALICES), ".env")).await;
    one(pool, found(None, Some(BOBS), "bob.env")).await;
    assert!(restricted(pool).await.is_empty());
    key(pool, ALICE, ALICES).await;
    assert_eq!(restricted(pool).await, [ALICE]);
    key(pool, BOB, BOBS).await;
    assert_eq!(restricted(pool).await, [ALICE, BOB]);
    let reports = all(pool).await;
    assert_eq!(reports.len(), 2, "{reports:?}");
    for report in &reports {
        assert_eq!(report.proof, "Secret");
        assert_eq!(report.reported_by, "source:github");
    }
    // And what was told then is told again: nothing changes.
    let before = revision(pool).await;
    assert!(
        !one(pool, found(Some(ALICE), Some(ALICES), ".env"))
            .await
            .is_new
    );
    assert!(!one(pool, found(None, Some(BOBS), "bob.env")).await.is_new);
    assert_eq!(revision(pool).await, before);
}

#[tokio::test]
async fn secret_is_proven_when_its_access_key_gets_it_later() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, "FakeSecretThatWasWronglyImport").await;
    let recorded = one(pool, found(Some(ALICE), Some(ALICES), ".env")).await;
    assert_eq!(recorded.proof, Proof::Suspected);
    key(pool, ALICE, ALICES).await;
    assert_eq!(restricted(pool).await, [ALICE]);
}

#[tokio::test]
async fn delivery_restricts_each_key_once_at_one_revision() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    key(pool, BOB, BOBS).await;
    let before = revision(pool).await;
    let mut reports: Vec<LeakReport> = (0..1000)
        .map(|n| found(Some(&format!("LTAI5tFakeThrowAway{n:04}")), None, ".env"))
        .collect();
    for n in 0..20 {
        reports.push(found(Some(ALICE), Some(ALICES), &format!("{n}.env")));
        reports.push(found(None, Some(BOBS), &format!("{n}.env")));
    }
    let recorded = deliver(pool, &reports).await;
    assert_eq!(recorded.len(), reports.len());
    assert_eq!(restricted(pool).await, [ALICE, BOB]);
    assert_eq!(revision(pool).await, before + 1);
    let actions: Vec<(String, i64)> = sqlx::query_as(
        "SELECT action, count(*) FROM audit_records GROUP BY action ORDER BY action",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let expected = [("Impose".to_owned(), 2), ("ReportLeak".to_owned(), 40)];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn deleted_access_key_is_restricted_too() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    commit_key_status(pool, &id(ALICE), KeyStatus::Deleted, NOW)
        .await
        .unwrap();
    let recorded = one(pool, found(None, Some(ALICES), ".env")).await;
    assert_eq!(recorded.proof, Proof::Secret);
    assert_eq!(restricted(pool).await, [ALICE]);
}

#[tokio::test]
async fn delivery_is_recorded_once_and_no_text_contains_a_secret() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    let address = format!("https://h.example/{ALICES}?q={NOBODYS}#{ALICES}");
    let place = LeakPlace::new(Some(&address), Some(NOBODYS), Some(ALICES));
    let reports = [
        LeakReport {
            access_key_id: Some(id(ALICE)),
            place: place.clone(),
            ..LeakReport::default()
        },
        LeakReport {
            secret: Some(secret(NOBODYS)),
            place,
            ..LeakReport::default()
        },
    ];
    for times in 1..=3 {
        let delivery = Delivery {
            source: "github",
            actor: &Actor::Source("github".into()),
            grounds: ReportGrounds::Proof,
            suspicions: SuspicionPolicy::default(),
            descendants: akgate_rules::lineage::DescendantPolicy::default(),
            ledger: Some(DeliveryOrigin::Body {
                sha256: &[7; 32],
                key_identifier: Some("90a4"),
            }),
        };
        record_reports(
            pool,
            &ring(),
            &delivery,
            &reports,
            NOW + time::Duration::HOUR * times,
        )
        .await
        .unwrap();
        let ledger: Vec<(i32, OffsetDateTime)> =
            sqlx::query_as("SELECT times, received_at FROM deliveries")
                .fetch_all(pool)
                .await
                .unwrap();
        assert_eq!(ledger, [(times, NOW + time::Duration::HOUR)]);
    }
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT l::text FROM leak_reports l
         UNION ALL
         SELECT a::text FROM audit_records a",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        for secret in [ALICES, NOBODYS] {
            for window in secret.as_bytes().windows(8) {
                let window = std::str::from_utf8(window).unwrap();
                assert!(!row.contains(window), "{window}: {row}");
            }
        }
    }
}

#[tokio::test]
async fn leaked_session_restricts_its_parent_key() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = role(&node, &root, "deployer").await;
    let first = assume(&node, &alice, &role).await;
    let second = assume(&node, &first, &role).await;
    let [id, text] = [&second.access_key_id, &second.access_key_secret];

    let suspected = one(&node.pool, found(Some(id), None, "id.env")).await;
    assert_eq!(
        (suspected.proof, suspected.is_known),
        (Proof::Suspected, true)
    );
    let wrong = one(&node.pool, found(Some(id), Some(NOBODYS), "wrong.env")).await;
    assert_eq!(wrong.proof, Proof::Suspected);
    assert!(restricted(&node.pool).await.is_empty());

    let proven = one(&node.pool, found(Some(id), Some(text), "pair.env")).await;
    assert_eq!(proven.proof, Proof::IdAndSecret);
    assert_eq!(restricted(&node.pool).await, ["LTAI5tFakeAlice"]);
    let joined = one(&node.pool, found(None, Some(text), "secret.env")).await;
    assert_eq!(joined.restriction, proven.restriction);
    let of_alice = reports::ReportCriteria {
        access_key_id: Some("LTAI5tFakeAlice".into()),
        limit: 10,
        ..reports::ReportCriteria::default()
    };
    let reports = reports::list_reports(&node.pool, &of_alice).await.unwrap();
    assert_eq!(reports.len(), 4);
    assert!(
        reports
            .iter()
            .all(|one| one.access_key_id.as_deref() == Some(id))
    );

    node.node.feed().poll().await.unwrap();
    for key in [&alice, &first, &second] {
        let reply = node
            .call(key, RAM, "CreateUser", &[("UserName", "no")])
            .await;
        assert_eq!(reply.code(), "Forbidden", "{}", reply.text);
    }
}

#[tokio::test]
async fn expired_session_proves_nothing() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeAlice", Some("alice")).await;
    let role = role(&node, &root, "deployer").await;
    let session = assume(&node, &alice, &role).await;
    sqlx::query("UPDATE sessions SET expires_at = $1")
        .bind(NOW)
        .execute(&node.pool)
        .await
        .unwrap();
    let [id, text] = [&session.access_key_id, &session.access_key_secret];
    for shown in [
        (Some(id.as_str()), Some(text.as_str())),
        (None, Some(text.as_str())),
    ] {
        let recorded = one(&node.pool, found(shown.0, shown.1, ".env")).await;
        assert_eq!(
            (recorded.proof, recorded.is_known),
            (Proof::Suspected, true)
        );
    }
    assert!(restricted(&node.pool).await.is_empty());
}

#[tokio::test]
async fn source_with_too_many_suspicions_is_paused_and_its_proven_leaks_still_restrict() {
    let database = TestDatabase::new().await;
    let pool = database.pool();
    key(pool, ALICE, ALICES).await;
    let tell = async |reports: Vec<LeakReport>, now| {
        let delivery = Delivery {
            source: "github",
            actor: &Actor::Source("github".into()),
            grounds: ReportGrounds::Proof,
            suspicions: most(100),
            descendants: akgate_rules::lineage::DescendantPolicy::default(),
            ledger: None,
        };
        record_reports(pool, &ring(), &delivery, &reports, now)
            .await
            .unwrap()
    };
    let throw_away = |from: usize, count: usize| -> Vec<LeakReport> {
        (from..from + count)
            .map(|n| found(Some(&format!("LTAI5tFakeThrowAway{n:04}")), None, ".env"))
            .collect()
    };
    let held = async || {
        let all: Vec<(bool, i64)> =
            sqlx::query_as("SELECT held, count(*) FROM leak_reports GROUP BY held ORDER BY held")
                .fetch_all(pool)
                .await
                .unwrap();
        all
    };
    let next_hour = NOW + time::Duration::HOUR;
    tell(throw_away(0, 100), NOW).await;
    tell(throw_away(100, 100), next_hour).await;
    // Told again it is no more.
    tell(throw_away(0, 100), next_hour).await;
    assert!(
        tasks::list_tasks(pool, true, None, 10)
            .await
            .unwrap()
            .is_empty()
    );
    tell(throw_away(200, 1), next_hour).await;
    let [task] = tasks::list_tasks(pool, true, None, 10)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(
        (task.kind.as_str(), task.source.as_deref()),
        ("SourcePaused", Some("github"))
    );
    let mut more = throw_away(300, 50);
    more.push(found(None, Some(ALICES), ".env"));
    let recorded = tell(more, next_hour + time::Duration::HOUR).await;
    assert_eq!(recorded.last().unwrap().unwrap().proof, Proof::Secret);
    assert_eq!(
        restricted(pool).await,
        [ALICE],
        "what is proven is never held"
    );
    assert_eq!(held().await, [(false, 202), (true, 50)]);
    let open = tasks::list_tasks(pool, true, None, 10).await.unwrap();
    let about = open.iter().filter(|task| task.source.is_some()).count();
    assert_eq!(about, 1);
    // Another source goes on.
    let other = Delivery {
        source: "gitlab",
        actor: &Actor::Source("gitlab".into()),
        grounds: ReportGrounds::Proof,
        suspicions: most(100),
        descendants: akgate_rules::lineage::DescendantPolicy::default(),
        ledger: None,
    };
    record_reports(pool, &ring(), &other, &throw_away(0, 1), next_hour)
        .await
        .unwrap();
    assert_eq!(held().await, [(false, 203), (true, 50)]);
    let olga = Actor::Operator("olga".into());
    let about = tasks::close_task(pool, task.task_id, &olga, "a scanner's fault", next_hour);
    assert_eq!(
        about.await.unwrap().unwrap().source.as_deref(),
        Some("github")
    );
    assert_eq!(held().await, [(false, 253)]);
    tell(throw_away(400, 1), next_hour).await;
    assert_eq!(held().await, [(false, 254)]);
}
