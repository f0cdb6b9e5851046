//! What is looked for after the kills: in the database, at the mail server, and at every node.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use sqlx::PgConnection;
use tokio::time::{Instant, sleep};

use super::{IMPORTED, PATIENCE, Restricted, Stage};
use crate::{
    Result,
    signer::{Answer, Kind},
    summary::Row,
};

const NAME: &str = "processes killed";

/// What the ids of imported keys begin with.
pub(super) const IMPORTED_PREFIX: &str = "LTAI5tKilled";

/// How long the letters that are due may take.
const LETTERS_PATIENCE: Duration = Duration::from_secs(120);

/// For how long no letter is sent before the leases that are left are those of killed workers.
const QUIET: Duration = Duration::from_secs(4);

/// How many keys are tried at each node.
const TRIED: usize = 50;

/// Looks for what was acknowledged.
pub(super) async fn verify(stage: &Stage, kills: usize) -> Result<Vec<Row>> {
    let cluster = &stage.cluster;
    let mut connection = cluster.postgres.lock().await.connect().await?;
    let mut rows = vec![Row {
        scene: NAME,
        promised: "kill points".to_owned(),
        measured: kills.to_string(),
        ok: kills > 0,
    }];
    let told = std::mem::take(&mut *stage.acknowledged());
    rows.extend(verify_calls_and_imports(&mut connection, &told.mutations, &told.imported).await?);
    let begun: BTreeSet<_> = told.lifts.iter().map(|(one, _)| one.key).collect();
    let kept = told
        .restricted
        .iter()
        .filter(|one| !begun.contains(&one.key));
    let kept: Vec<Restricted> = kept.copied().collect();
    let lifted = told.lifts.iter().filter(|(_, acknowledged)| *acknowledged);
    let lifted: Vec<Restricted> = lifted.map(|(one, _)| *one).collect();
    rows.extend(verify_restrictions(&mut connection, &kept, &lifted).await?);
    rows.extend(try_keys(stage, &kept, &lifted).await?);
    rows.extend(verify_letters(&mut connection, stage, &told.restricted).await?);
    Ok(rows)
}

fn lost(wanted: &[String], there: &[String]) -> usize {
    let there: BTreeSet<&String> = there.iter().collect();
    wanted.iter().filter(|one| !there.contains(one)).count()
}

async fn verify_calls_and_imports(
    connection: &mut PgConnection,
    mutations: &[String],
    imported: &[String],
) -> Result<[Row; 3]> {
    let written: Vec<String> =
        sqlx::query_scalar("SELECT names->>'UserName' FROM intents WHERE names ? 'UserName'")
            .fetch_all(&mut *connection)
            .await?;
    let known: Vec<String> = sqlx::query_scalar("SELECT access_key_id FROM access_keys")
        .fetch_all(&mut *connection)
        .await?;
    let partial: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM (
             SELECT split_part(access_key_id, 'x', 1)
             FROM access_keys
             WHERE starts_with(access_key_id, $1)
             GROUP BY 1
             HAVING count(*) <> $2
         ) AS partial",
    )
    .bind(IMPORTED_PREFIX)
    .bind(i64::try_from(IMPORTED)?)
    .fetch_one(&mut *connection)
    .await?;
    Ok([
        Row::none(
            NAME,
            "mutations acknowledged and lost",
            lost(mutations, &written),
            mutations.len(),
        ),
        Row::none(
            NAME,
            "imported keys acknowledged and lost",
            lost(imported, &known),
            imported.len(),
        ),
        Row::none(
            NAME,
            "imports that were done in part",
            usize::try_from(partial)?,
            known.len(),
        ),
    ])
}

async fn verify_restrictions(
    connection: &mut PgConnection,
    kept: &[Restricted],
    lifted: &[Restricted],
) -> Result<[Row; 2]> {
    let mut ids_in = async |is_lifted: bool| -> Result<Vec<String>> {
        let ids = sqlx::query_scalar(
            "SELECT restriction_id::text FROM restrictions WHERE (state = 'Lifted') = $1",
        );
        Ok(ids.bind(is_lifted).fetch_all(&mut *connection).await?)
    };
    let ids = |some: &[Restricted]| -> Vec<String> {
        let ids = some.iter().map(|one| one.restriction_id.to_string());
        ids.collect()
    };
    Ok([
        Row::none(
            NAME,
            "reports acknowledged and lost",
            lost(&ids(kept), &ids_in(false).await?),
            kept.len(),
        ),
        Row::none(
            NAME,
            "lifts acknowledged and lost",
            lost(&ids(lifted), &ids_in(true).await?),
            lifted.len(),
        ),
    ])
}

/// Tries reported and lifted keys at every node.
async fn try_keys(stage: &Stage, kept: &[Restricted], lifted: &[Restricted]) -> Result<[Row; 2]> {
    let cluster = &stage.cluster;
    let mut wrong = [0; 2];
    let mut tried = [0; 2];
    for (_, node) in cluster.up() {
        for (place, (some, wanted)) in [(kept, 403), (lifted, 200)].into_iter().enumerate() {
            for one in some.iter().rev().take(TRIED) {
                let call = cluster
                    .signer
                    .call(node.gateway, one.key, Kind::CreateUser, PATIENCE);
                let answer = call.await?.answer;
                let is_right = matches!(answer, Answer::Answered(status, _) if status == wanted);
                if let (Some(wrong), Some(tried)) = (wrong.get_mut(place), tried.get_mut(place)) {
                    *wrong += usize::from(!is_right);
                    *tried += 1;
                }
            }
        }
    }
    let [passed, refused] = wrong;
    let [of_kept, of_lifted] = tried;
    Ok([
        Row::none(NAME, "reported keys not refused", passed, of_kept),
        Row::none(NAME, "lifted keys refused", refused, of_lifted),
    ])
}

/// A letter of the outbox.
#[derive(sqlx::FromRow)]
struct Letter {
    letter_id: String,
    restriction_id: Option<String>,
    state: String,
}

/// Every restriction has its letter, every letter was taken, and none more than twice.
async fn verify_letters(
    connection: &mut PgConnection,
    stage: &Stage,
    restricted: &[Restricted],
) -> Result<[Row; 3]> {
    let mail = stage
        .cluster
        .mail
        .as_ref()
        .ok_or("there is no mail server")?;
    wait_for_letters(connection).await?;
    let letters: Vec<Letter> =
        sqlx::query_as("SELECT letter_id::text, restriction_id::text, state FROM letters")
            .fetch_all(&mut *connection)
            .await?;
    let copies = mail.copies();
    let copies: HashMap<&str, usize> = copies
        .iter()
        .filter_map(|(message_id, copies)| Some((message_id.split('@').next()?, *copies)))
        .collect();
    let copies_of = |letter: &Letter| {
        let copies = copies.get(letter.letter_id.as_str());
        copies.copied().unwrap_or_default()
    };
    let told: Vec<String> = letters
        .iter()
        .filter_map(|letter| letter.restriction_id.clone())
        .collect();
    let ids = restricted.iter().map(|one| one.restriction_id.to_string());
    let untold = lost(&ids.collect::<Vec<_>>(), &told);
    let unsent = letters
        .iter()
        .filter(|letter| letter.state != "Sent" || copies_of(letter) == 0);
    let repeated = letters.iter().filter(|letter| copies_of(letter) == 2);
    let too_often = letters.iter().filter(|letter| copies_of(letter) > 2);
    // A letter that the outbox does not know has another Message-ID than it was to have.
    let strange = copies.len().saturating_sub(letters.len());
    Ok([
        Row::none(
            NAME,
            "restrictions without a letter",
            untold,
            restricted.len(),
        ),
        Row::none(NAME, "letters not sent", unsent.count(), letters.len()),
        Row {
            measured: format!(
                "{} of {}; {} twice, with one Message-ID",
                too_often.count() + strange,
                letters.len(),
                repeated.count()
            ),
            ..Row::none(
                NAME,
                "letters sent more than twice",
                letters
                    .iter()
                    .filter(|letter| copies_of(letter) > 2)
                    .count()
                    + strange,
                letters.len(),
            )
        },
    ])
}

/// Waits until every letter is sent. A letter that a killed worker had is due when its lease ends, minutes later: that is
/// brought forward as soon as nobody living can have it.
async fn wait_for_letters(connection: &mut PgConnection) -> Result<()> {
    let due = "SELECT count(*) FROM letters WHERE state = 'Due'";
    let until = Instant::now() + LETTERS_PATIENCE;
    let mut last = (i64::MAX, Instant::now());
    loop {
        let left: i64 = sqlx::query_scalar(due).fetch_one(&mut *connection).await?;
        if left == 0 || Instant::now() > until {
            return Ok(());
        }
        if left != last.0 {
            last = (left, Instant::now());
        } else if last.1.elapsed() > QUIET {
            sqlx::query("UPDATE letters SET due_at = now() WHERE state = 'Due'")
                .execute(&mut *connection)
                .await?;
            last.1 = Instant::now();
        }
        sleep(Duration::from_millis(200)).await;
    }
}
