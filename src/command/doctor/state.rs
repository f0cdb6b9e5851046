//! Checks of what a node needs in its database: the key ring, the migrations, the clock, operators who can approve, and
//! late letters.

use std::time::Instant;

use time::Duration;

use super::{
    finding::{CHECK_TIMEOUT, CheckFinding, with_timeout},
    server,
};
use crate::{
    config::{Config, ProcessRole},
    serve::ServeError,
};
use akgate_rules::verdict::Mode;
use akgate_state::{
    calls::reconcile::{self, OutcomeGaps},
    clock::{Clock, SystemClock},
    database::{self, Pool, PoolSettings, SchemaDifference},
    directory::{key_ring_check, listing, sealing::KeyRing},
    live::nodes,
    operators::store,
    outbox::list,
    restrictions::mode,
};

/// A clock that is off by more than this needs attention.
const CLOCK_SKEW_WARNING: Duration = Duration::seconds(2);

/// A clock that is off by more than this will soon refuse valid signatures, which are accepted for fifteen minutes.
const CLOCK_SKEW_FAILURE: Duration = Duration::minutes(5);

/// A letter that has been due for longer than this needs attention.
const LATE_LETTER_AGE: Duration = Duration::hours(1);

/// How many hours' changes are looked at.
const OUTCOME_HOURS: i32 = 24;

/// No further hour is looked at after this time.
const OUTCOME_BUDGET: std::time::Duration = std::time::Duration::from_secs(5);

/// How much later than due an outcome may be marked as unknown: workers look every minute.
const OUTCOME_GRACE: Duration = Duration::minutes(2);

pub(super) fn check_key_ring(config: &Config, findings: &mut Vec<CheckFinding>) -> Option<KeyRing> {
    match KeyRing::parse(config.key_ring.expose()) {
        Ok(ring) => {
            let found = format!("its newest key is {}", ring.newest());
            findings.push(CheckFinding::good("key ring", found));
            Some(ring)
        }
        Err(fault) => {
            findings.push(CheckFinding::wrong(
                "key ring",
                fault.to_string(),
                "restore the key ring that this database was sealed with; secrets cannot be opened without it",
            ));
            None
        }
    }
}

pub(super) async fn check_database(
    config: &Config,
    ring: Option<&KeyRing>,
    findings: &mut Vec<CheckFinding>,
) {
    if !server::check_sessions(config.database_url.expose(), findings).await {
        return;
    }
    let pool = match with_timeout(connect_database(config)).await {
        Ok((pool, found)) => {
            findings.push(CheckFinding::good("database", found));
            pool
        }
        Err(fault) => {
            findings.push(CheckFinding::wrong(
                "database",
                fault,
                "check database.url, and whether PostgreSQL runs there and accepts connections from this machine",
            ));
            return;
        }
    };
    let is_migrated = check_migrations(&pool, findings).await;
    check_clock(&pool, findings).await;
    server::check_durability(&pool, config, findings).await;
    if is_migrated {
        server::check_connections(&pool, config, findings).await;
        check_nodes(&pool, findings).await;
        if let Some(ring) = ring {
            check_secrets(&pool, ring, findings).await;
            check_node_rings(&pool, ring, findings).await;
        }
        check_policy(&pool, config, findings).await;
        check_operators(&pool, config, findings).await;
        check_letters(&pool, findings).await;
        check_outcomes(&pool, findings).await;
    }
    pool.close().await;
}

async fn connect_database(config: &Config) -> Result<(Pool, String), ServeError> {
    let settings = PoolSettings {
        connections: 1,
        acquire_timeout: CHECK_TIMEOUT,
        statement_timeout: CHECK_TIMEOUT,
        ..PoolSettings::default()
    };
    let url = config.database_url.expose();
    let pool = database::connect_pool(url, "akgate doctor", settings).await?;
    let version = database::server_version(&pool).await?;
    let began = Instant::now();
    database::ping_database(&pool).await?;
    let took = began.elapsed();
    Ok((pool, format!("PostgreSQL {version}, answers in {took:.1?}")))
}

/// Checks that the database has the migrations of this build.
async fn check_migrations(pool: &Pool, findings: &mut Vec<CheckFinding>) -> bool {
    let compared = with_timeout(database::compare_schema(pool)).await;
    let SchemaDifference { missing, newer } = match compared {
        Ok(difference) => difference,
        Err(fault) => {
            let next = "allow the database user to read the tables";
            findings.push(CheckFinding::wrong("migrations", fault, next));
            return false;
        }
    };
    let known = database::known_migrations();
    let finding = match (missing, newer) {
        (0, 0) => CheckFinding::good("migrations", format!("all {} are applied", known.len())),
        (0, newer) => CheckFinding::care(
            "migrations",
            format!("{newer} are from a newer akgate"),
            "upgrade this node",
        ),
        (missing, _) => CheckFinding::wrong(
            "migrations",
            format!("{missing} of {} are missing", known.len()),
            "run `akgate serve` once with database.migrate = true, or ask the database's owner to do so",
        ),
    };
    findings.push(finding);
    missing == 0
}

async fn check_clock(pool: &Pool, findings: &mut Vec<CheckFinding>) {
    let before = SystemClock.now();
    let theirs = match with_timeout(database::server_time(pool)).await {
        Ok(theirs) => theirs,
        Err(fault) => {
            let next = "check the database";
            findings.push(CheckFinding::wrong("clock", fault, next));
            return;
        }
    };
    let middle = before + (SystemClock.now() - before) / 2;
    findings.push(judge_skew(
        "clock, compared with the database",
        middle - theirs,
    ));
}

/// The finding about a difference between two clocks.
pub(super) fn judge_skew(what: &str, difference: Duration) -> CheckFinding {
    let found = format!("{:+.1} s", difference.as_seconds_f64());
    let next = "synchronize both machines with a time server (chrony, systemd-timesyncd)";
    match difference.abs() {
        off if off > CLOCK_SKEW_FAILURE => CheckFinding::wrong(what, found, next),
        off if off > CLOCK_SKEW_WARNING => CheckFinding::care(what, found, next),
        _ => CheckFinding::good(what, found),
    }
}

/// Checks that the nodes hold a lease and that their clocks agree.
async fn check_nodes(pool: &Pool, findings: &mut Vec<CheckFinding>) {
    let listed = match with_timeout(nodes::list_nodes(pool)).await {
        Ok(listed) => listed,
        Err(fault) => {
            findings.push(CheckFinding::wrong("nodes", fault, "check the database"));
            return;
        }
    };
    let unwell = listed.iter().filter(|node| {
        let state = node.state.as_str();
        state == "Fenced" || state == "Silent"
    });
    let unwell: Vec<&str> = unwell.map(|node| node.name.as_str()).collect();
    findings.push(match unwell.as_slice() {
        [] => CheckFinding::good("nodes", format!("{} running", listed.len())),
        unwell => CheckFinding::care(
            "nodes",
            format!("without a lease: {}", unwell.join(", ")),
            "check whether they run and can reach the database: akgate nodes list",
        ),
    });
    let offsets = listed.iter().filter_map(|node| node.clock_offset_ms);
    if let Some(worst) = offsets.max_by_key(|offset| offset.abs()) {
        let worst = Duration::milliseconds(worst);
        findings.push(judge_skew(
            "clocks of the nodes, compared with the database",
            worst,
        ));
    }
}

async fn check_secrets(pool: &Pool, ring: &KeyRing, findings: &mut Vec<CheckFinding>) {
    match with_timeout(key_ring_check::check_key_ring(pool, ring)).await {
        Ok(()) => {}
        Err(fault) => {
            findings.push(CheckFinding::wrong(
                "sealed secrets",
                fault,
                "restore the key ring that belongs to this database",
            ));
            return;
        }
    }
    let sealed = with_timeout(listing::list_seal_key_ids(pool)).await;
    let what = "sealed secrets";
    findings.push(match sealed {
        Err(fault) => CheckFinding::wrong(what, fault, "check the database"),
        Ok(sealed) => {
            let keys: Vec<String> = sealed.iter().map(i32::to_string).collect();
            let strange: Vec<String> = sealed
                .iter()
                .filter(|key| !ring.has(**key))
                .map(i32::to_string)
                .collect();
            match (keys.as_slice(), strange.as_slice()) {
                ([], _) => CheckFinding::good(what, "none yet"),
                (_, []) => CheckFinding::good(what, format!("sealed with key {}", keys.join(", "))),
                (_, strange) => CheckFinding::wrong(
                    what,
                    format!("key {} is not in the key ring", strange.join(", ")),
                    "restore the missing `seal` lines: the secrets they sealed cannot be opened without them",
                ),
            }
        }
    });
}

/// Whether the newest key seals, or waits for nodes that lack it.
async fn check_node_rings(pool: &Pool, ring: &KeyRing, findings: &mut Vec<CheckFinding>) {
    let what = "key rings of the nodes";
    let running = match with_timeout(nodes::list_running_nodes(pool)).await {
        Ok(running) if running.is_empty() => return,
        Ok(running) => running,
        Err(fault) => {
            findings.push(CheckFinding::wrong(what, fault, "check the database"));
            return;
        }
    };
    let newest = ring.newest();
    let lacking = running
        .iter()
        .filter(|node| !node.seal_key_ids.contains(&newest));
    let lacking: Vec<&str> = lacking.map(|node| node.name.as_str()).collect();
    findings.push(match lacking.as_slice() {
        [] => CheckFinding::good(what, format!("all have key {newest}")),
        lacking => CheckFinding::care(
            what,
            format!("key {newest} does not seal yet; without it: {}", lacking.join(", ")),
            "add its line to the key ring of every node; a node that was killed is forgotten after ten minutes",
        ),
    });
}

async fn check_policy(pool: &Pool, config: &Config, findings: &mut Vec<CheckFinding>) {
    if !config.has(ProcessRole::Gateway) {
        return;
    }
    let policy = &config.sections.policy;
    let switched = match with_timeout(mode::find_switched_mode(pool)).await {
        Ok(switched) => switched,
        Err(fault) => {
            let next = "check the database";
            findings.push(CheckFinding::wrong("policy", fault, next));
            return;
        }
    };
    let by = match switched {
        Some(_) => "operators have switched the mode to",
        None => "the configured mode is",
    };
    let mode = switched.unwrap_or(policy.mode);
    let later = policy.enforce_from.map(|from| from.0);
    let later = later.filter(|from| *from > SystemClock.now());
    findings.push(match (mode, later) {
        (Mode::Enforce, None) => CheckFinding::good(
            "policy",
            format!("leaked keys are restricted, with the profile {}", policy.profile),
        ),
        (Mode::Enforce, Some(from)) => CheckFinding::care(
            "policy",
            format!("leaked keys are not restricted before {from}"),
            "nothing to do if this date was announced (policy.enforce_from)",
        ),
        (mode @ (Mode::Shadow | Mode::Off), _) => CheckFinding::care(
            "policy",
            format!("leaked keys are NOT restricted: {by} {mode}"),
            "when you have finished observing: policy.mode = \"enforce\", or akgate policy mode enforce",
        ),
    });
}

async fn check_operators(pool: &Pool, config: &Config, findings: &mut Vec<CheckFinding>) {
    let admin = &config.sections.admin;
    let by_token_alone = admin.client_ca.is_none() && admin.oidc.issuer.is_none();
    let deciding = store::count_approvers(pool, by_token_alone, SystemClock.now());
    findings.push(match with_timeout(deciding).await {
        Err(fault) => CheckFinding::wrong("operators", fault, "check the database"),
        Ok(0) => CheckFinding::care(
            "operators",
            "no operator has a token that can approve requests",
            "run akgate operators add NAME --role admin on a node, for at least two people",
        ),
        Ok(1) => CheckFinding::care(
            "operators",
            "only one operator can approve requests: nobody can approve that operator's own requests",
            "akgate operators add NAME --role approver",
        ),
        Ok(count) => CheckFinding::good("operators", format!("{count} can approve requests")),
    });
}

async fn check_letters(pool: &Pool, findings: &mut Vec<CheckFinding>) {
    let now = SystemClock.now();
    let backlog = list::count_backlog(pool, now - LATE_LETTER_AGE, now - Duration::weeks(1));
    findings.push(match with_timeout(backlog).await {
        Err(fault) => CheckFinding::wrong("letters", fault, "check the database"),
        Ok(backlog) if backlog.late > 0 => CheckFinding::care(
            "letters",
            format!("{} have been due for more than an hour", backlog.late),
            "check that a process with the role worker runs; akgate letters list --state Due shows the errors",
        ),
        Ok(backlog) if backlog.failed > 0 => CheckFinding::care(
            "letters",
            format!("{} failed in the last week", backlog.failed),
            "run akgate letters list --state Failed, and contact those owners in another way",
        ),
        Ok(_) => CheckFinding::good("letters", "none are late"),
    });
}

/// Whether it is known what came of the changes of the last day; of fewer hours where a day has too many.
async fn check_outcomes(pool: &Pool, findings: &mut Vec<CheckFinding>) {
    let what = "outcomes";
    let until = SystemClock.now() - reconcile::OUTCOME_DEADLINE - OUTCOME_GRACE;
    let began = Instant::now();
    let mut gaps = OutcomeGaps::default();
    let mut hours = 0;
    while hours < OUTCOME_HOURS && began.elapsed() < OUTCOME_BUDGET {
        let end = until - Duration::HOUR * hours;
        let counting = reconcile::count_outcome_gaps(pool, end - Duration::HOUR, end);
        match with_timeout(counting).await {
            Ok(more) => {
                gaps.unknown += more.unknown;
                gaps.missing += more.missing;
            }
            Err(fault) => {
                findings.push(CheckFinding::wrong(what, fault, "check the database"));
                return;
            }
        }
        hours += 1;
    }
    findings.push(match gaps {
        OutcomeGaps { missing: 1.., .. } => CheckFinding::care(
            what,
            format!(
                "{} changes of the last {hours} hours have no outcome, {} an unknown one",
                gaps.missing, gaps.unknown
            ),
            "check that a process with the role worker runs: it marks them within minutes",
        ),
        OutcomeGaps { unknown: 1.., .. } => CheckFinding::care(
            what,
            format!(
                "{} changes of the last {hours} hours have an unknown outcome",
                gaps.unknown
            ),
            "a node was killed, or an upstream did not answer: compare with the service's own records; akgate keys activity KEY lists the changes of a key",
        ),
        _ => CheckFinding::good(
            what,
            format!("known of all changes of the last {hours} hours"),
        ),
    });
}
