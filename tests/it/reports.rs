//! `akgate reports import`: files of scanners, rehearsed, taken, taken again, and taken back.

use akgate_state::{
    approvals::{ChangeOutcome, FourEyes},
    audit::Actor,
    leaks::undo::{UndoFault, undo_delivery},
    restrictions::confirm::confirm_by_ticket,
};
use http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    database::TestDatabase,
    harness::{Behind, NOW, TestNode, approve},
    process::{AKGATE, Scratch, akgate, secrets},
    road::{RAM, STS, assume, role},
};

const KEYS: &str = "account_id,user_name,access_key_id,access_key_secret,status,owner_email
5123456789012345,alice,LTAI5tFakeOfAlice1,FakeSecretOfAliceForTests01xYz,Active,alice@example.com
5123456789012345,bob,LTAI5tFakeOfBob001,FakeSecretOfBobForTestsOnly1xY,Active,
6123456789012345,carol,LTAI5tFakeOfCarol1,FakeSecretOfCarolForTests01xYz,Active,
";

/// A database with three keys, and a folder with a configuration for it.
struct Desk {
    _database: TestDatabase,
    pool: PgPool,
    scratch: Scratch,
    config: std::path::PathBuf,
}

impl Desk {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        database.leaves_letters("reports are imported by command, and no worker runs");
        let scratch = Scratch::new();
        let config = scratch.write("akgate.toml", &secrets(&scratch, &database.url()));
        let keys = scratch.write("keys.csv", KEYS);
        let output = akgate(&["keys", "import", keys.to_str().unwrap()], &config);
        assert!(output.status.success(), "{output:?}");
        Self {
            pool: database.pool().clone(),
            _database: database,
            scratch,
            config,
        }
    }

    /// Exit status, output, errors.
    fn import(&self, file: &str, text: &str, arguments: &[&str]) -> (i32, String, String) {
        let path = self.scratch.write(file, text);
        let head = ["reports", "import", path.to_str().unwrap()];
        let output = akgate(&[&head, arguments].concat(), &self.config);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn import_json(&self, file: &str, text: &str, arguments: &[&str]) -> Value {
        let (code, out, err) = self.import(file, text, &[arguments, &["--json"]].concat());
        assert!(matches!(code, 0 | 3), "{err}");
        serde_json::from_str(&out).unwrap()
    }

    async fn restricted(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT access_key_id FROM restrictions WHERE state <> 'Lifted' ORDER BY access_key_id",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }
}

fn gitleaks() -> String {
    json!([
        { "RuleID": "alibaba-access-key-id", "Secret": "LTAI5tFakeOfAlice1", "File": ".env", "Commit": "c0ffee" },
        { "RuleID": "alibaba-secret-key", "Secret": "FakeSecretOfAliceForTests01xYz", "File": ".env", "Commit": "c0ffee" },
        { "RuleID": "alibaba-access-key-id", "Secret": "LTAI5tFakeOfBob001", "File": "bob", "Commit": "c0ffee" },
        { "RuleID": "aws", "Secret": "AKIAFAKEFAKEFAKEFAKE" },
    ])
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn import_reads_every_format_and_counts_a_repeat_once() {
    let desk = Desk::new().await;
    let secret = "FakeSecretOfCarolForTests01xYz";
    let id = "LTAI5tFakeOfCarol1";
    for (file, text, source) in [
        ("leaks.json", gitleaks(), "gitleaks"),
        (
            "results.sarif",
            json!({ "runs": [{ "results": [{ "ruleId": "alibaba-secret-key", "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": "carol" }, "region": { "snippet": { "text": secret } } } }] }] }] })
            .to_string(),
            "sarif",
        ),
        (
            "hog.ndjson",
            json!({ "SourceMetadata": { "Data": { "Git": { "file": "x" } } }, "DetectorName": "Alibaba", "Raw": id, "RawV2": format!("{id}{secret}") })
                .to_string(),
            "trufflehog",
        ),
        ("mine.csv", format!("access_key_id,url\n{id},https://h.example\n"), "import"),
        ("mine.txt", json!({ "access_key_secret": secret, "path": "y" }).to_string(), "import"),
    ] {
        let (code, out, err) = desk.import(file, &text, &[]);
        assert_eq!(code, 0, "{file}: {err}");
        assert!(out.contains(" 0 already recorded, 0 unreadable"), "{out}");
        let before: i64 = revision(&desk.pool).await;
        let again = desk.import_json(file, &text, &[]);
        assert_eq!(again["source"], source);
        assert_eq!(again["known"], again["findings"], "{file}: {again}");
        assert_eq!(again["restricted"], 0);
        assert_eq!(revision(&desk.pool).await, before);
    }
    assert_eq!(desk.restricted().await, ["LTAI5tFakeOfAlice1", id]);
}

async fn revision(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT revision FROM registry_revision")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn import_with_unreadable_entries_lists_them_and_is_a_partial_success() {
    let desk = Desk::new().await;
    let rejects = desk.scratch.path().join("rejects");
    let text = "access_key_id,access_key_secret\nLTAI5tFakeOfAlice1,FakeSecretOfAliceForTests01xYz\n,\n\"a b\",FakeSecretOfNobody\n";
    let (code, out, err) = desk.import("bad.csv", text, &["--rejects", rejects.to_str().unwrap()]);
    assert_eq!(code, 3);
    assert!(
        out.contains("1 proven, 0 suspected, 0 already recorded, 2 unreadable"),
        "{out}"
    );
    assert!(
        err.contains("line 3: access_key_id or access_key_secret is required"),
        "{err}"
    );
    assert!(
        err.contains("line 4: access_key_id: an AccessKeyId must be"),
        "{err}"
    );
    assert!(!err.contains("FakeSecret"), "{err}");
    assert_eq!(
        std::fs::read_to_string(&rejects).unwrap(),
        ",\na b,FakeSecretOfNobody\n"
    );
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&rejects).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it may hold secrets");
    for (text, arguments, said) in [
        ("hello", vec![], "pass --format"),
        (
            "[]",
            vec!["--delivery", "018f0000-0000-7000-8000-000000000000"],
            "does not exist",
        ),
        ("[]", vec!["--source", "a b"], "1 to 64 letters"),
    ] {
        let (code, _, err) = desk.import("x", text, &arguments);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(said), "{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_shows_what_would_be_refused_and_writes_nothing() {
    let desk = Desk::new().await;
    sqlx::query(
        "INSERT INTO call_counts (access_key_id, hour, product, version, action, forwarded, refused)
         VALUES
             ('LTAI5tFakeOfAlice1', now() - interval '2 hours', 'RAM', '2015-05-01', 'CreateUser', 7, 0),
             ('LTAI5tFakeOfAlice1', now() - interval '2 hours', 'RAM', '2015-05-01', 'ListUsers', 30, 0),
             ('LTAI5tFakeOfAlice1', now() - interval '9 days', 'RAM', '2015-05-01', 'CreateUser', 100, 0),
             ('STS.FakeSession', now() - interval '1 hour', 'RAM', '2015-05-01', 'NoSuchAction', 2, 0)",
    )
    .execute(&desk.pool)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO sessions (access_key_id, account_id, principal, ancestors, mint_revisions, mint_histories, account_ids, sealed_secret,
             seal_key_id, token_sha256, minted_at, expires_at, request_id, addition)
         VALUES ('STS.FakeSession', '5123456789012345', 'x', '{LTAI5tFakeOfAlice1}', '{1}', ARRAY[gen_random_uuid()], '{}', '', 1, '', now(), now(),
             gen_random_uuid(), 1)",
    )
    .execute(&desk.pool)
    .await
    .unwrap();
    let before = revision(&desk.pool).await;
    let told = desk.import_json("leaks.json", &gitleaks(), &["--dry-run"]);
    assert_eq!(told["delivery_id"], Value::Null);
    assert_eq!(told["impact"]["accounts"], 1);
    assert_eq!(
        told["impact"]["keys"],
        json!([{
            "access_key_id": "LTAI5tFakeOfAlice1",
            "account_id": "5123456789012345",
            "user_name": "alice",
            "calls": 39,
            "would_be_refused": 9,
        }])
    );
    let (code, out, _) = desk.import("leaks.json", &gitleaks(), &["--dry-run"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("Of their 39 calls in the last 7 days, 9 would have been refused."),
        "{out}"
    );
    assert_eq!(revision(&desk.pool).await, before);
    for table in [
        "leak_reports",
        "deliveries",
        "restrictions",
        "letters",
        "audit_records",
    ] {
        let count: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                .fetch_one(&desk.pool)
                .await
                .unwrap();
        assert_eq!(count, 0, "{table}");
    }
}

fn delivery_id(told: &Value) -> Uuid {
    told["delivery_id"].as_str().unwrap().parse().unwrap()
}

/// Takes a batch back: one operator asks, another approves. Where nothing is lifted, one is enough.
async fn take_back(pool: &sqlx::PgPool, batch: Uuid) -> Result<(i64, i64), UndoFault> {
    let eyes = FourEyes::default();
    let undone = undo_delivery(pool, batch, "an inventory, no leak", &olga(), eyes, NOW).await?;
    if let ChangeOutcome::AwaitsApproval(id) = undone {
        approve(pool, id, NOW).await;
    }
    let told = sqlx::query_as(
        "SELECT (detail->>'lifted')::bigint, (detail->>'kept')::bigint
         FROM audit_records
         WHERE action = 'UndoDelivery'
         ORDER BY audit_id DESC
         LIMIT 1",
    );
    Ok(told.fetch_one(pool).await?)
}

fn olga() -> Actor {
    Actor::Operator("olga".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn undone_delivery_leaves_no_restriction() {
    let desk = Desk::new().await;
    let all = KEYS.replace("account_id,user_name,", "x,y,");
    let csv: String = all
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            format!("{},{}\n", parts[2], parts[3])
        })
        .collect();
    // Carol's is leaked anyway.
    let carol = "access_key_secret,path\nFakeSecretOfCarolForTests01xYz,elsewhere\n";
    desk.import_json("carol.csv", carol, &[]);
    let told = desk.import_json("inventory.csv", &csv, &[]);
    assert_eq!(told["restricted"], 2, "{told}");
    assert_eq!(desk.restricted().await.len(), 3);
    // One of the two letters has gone out.
    let sent = sqlx::query(
        "UPDATE letters l
         SET state = 'Sent'
         FROM restrictions r
         WHERE r.restriction_id = l.restriction_id
           AND r.access_key_id = 'LTAI5tFakeOfAlice1'",
    )
    .execute(&desk.pool)
    .await
    .unwrap();
    assert_eq!(sent.rows_affected(), 1);
    let undone = take_back(&desk.pool, delivery_id(&told)).await.unwrap();
    assert_eq!(undone, (2, 1));
    assert_eq!(desk.restricted().await, ["LTAI5tFakeOfCarol1"]);
    let letters: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, state FROM letters ORDER BY kind")
            .fetch_all(&desk.pool)
            .await
            .unwrap();
    let expected = [("Imposed", "Sent"), ("Lifted", "Due")];
    assert_eq!(
        letters,
        expected.map(|(kind, state)| (kind.to_owned(), state.to_owned())),
        "what nobody has tried to send is not sent"
    );
    let again = take_back(&desk.pool, delivery_id(&told)).await;
    assert!(matches!(again, Err(UndoFault::Undone)));
    // The same file changes nothing.
    let told = desk.import_json("inventory.csv", &csv, &[]);
    assert_eq!(
        (&told["restricted"], &told["known"]),
        (&json!(0), &json!(3))
    );
    assert_eq!(desk.restricted().await, ["LTAI5tFakeOfCarol1"]);
    let none = take_back(&desk.pool, Uuid::nil()).await;
    assert!(matches!(none, Err(UndoFault::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_confirmed_by_an_owner_cannot_be_undone() {
    let desk = Desk::new().await;
    let told = desk.import_json("leaks.json", &gitleaks(), &[]);
    let restriction: Uuid = sqlx::query_scalar("SELECT restriction_id FROM restrictions")
        .fetch_one(&desk.pool)
        .await
        .unwrap();
    confirm_by_ticket(&desk.pool, restriction, &olga(), "T-1", None, NOW)
        .await
        .unwrap();
    let undone = take_back(&desk.pool, delivery_id(&told)).await;
    assert!(matches!(undone, Err(UndoFault::Confirmed(1))), "{undone:?}");
    assert_eq!(desk.restricted().await, ["LTAI5tFakeOfAlice1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_an_undone_restriction_are_unrestricted_too() {
    let node = TestNode::new(Behind::Sandbox).await;
    let root = node.key("LTAI5tFakeRoot", None).await;
    let alice = node.key("LTAI5tFakeOfAlice1", Some("alice")).await;
    let role = role(&node, &root, "deployer").await;
    let before = assume(&node, &alice, &role).await;
    let scratch = Scratch::new();
    let config = scratch.write("akgate.toml", &secrets(&scratch, &node.database.url()));
    let csv = format!("access_key_secret\n{}\n", alice.access_key_secret);
    let file = scratch.write("leaks.csv", &csv);
    let output = akgate(
        &["reports", "import", file.to_str().unwrap(), "--json"],
        &config,
    );
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["restricted"], 1, "{output:?}");
    node.node.feed().poll().await.unwrap();
    let during = assume(&node, &alice, &role).await;
    let create = async |key, name| {
        let name = [("UserName", name)];
        node.call(key, RAM, "CreateUser", &name).await.status
    };
    for key in [&alice, &before, &during] {
        assert_eq!(create(key, "no").await, StatusCode::FORBIDDEN);
    }
    take_back(&node.pool, delivery_id(&told)).await.unwrap();
    node.node.feed().poll().await.unwrap();
    for (key, name) in [(&alice, "a"), (&before, "b"), (&during, "c")] {
        let reply = node.call(key, STS, "GetCallerIdentity", &[]).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert_ne!(create(key, name).await, StatusCode::FORBIDDEN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_output_can_be_imported() {
    let desk = Desk::new().await;
    let folder = desk.scratch.path().join("app");
    std::fs::create_dir_all(folder.join(".git")).unwrap();
    let pair = "id = LTAI5tFakeOfAlice1\nsecret = FakeSecretOfAliceForTests01xYz\n";
    std::fs::write(folder.join("config.py"), pair).unwrap();
    std::fs::create_dir_all(folder.join(".git").join("objects")).unwrap();
    std::fs::write(folder.join(".git").join("objects").join("pack"), pair).unwrap();
    let scan = |arguments: &[&str]| {
        let path = folder.to_str().unwrap();
        let output = std::process::Command::new(AKGATE)
            .args(["scan", path])
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, shown) = scan(&[]);
    assert_eq!(code, 1);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(!shown.contains("FakeSecret"), "{shown}");
    let (code, reported) = scan(&["--report"]);
    assert_eq!(code, 0, "{reported}");
    let told = desk.import_json("found", &reported, &["--source", "scan"]);
    assert_eq!(
        (&told["proven"], &told["restricted"]),
        (&json!(2), &json!(1)),
        "{told}"
    );
    assert_eq!(desk.restricted().await, ["LTAI5tFakeOfAlice1"]);
}

/// Links, pipes, binary files and archives are read; what is not is counted, named with `-v`, and ends with 3.
#[test]
fn scan_reads_whatever_is_named_and_counts_what_it_leaves_out() {
    let scratch = Scratch::new();
    let pair = "id = LTAI5tFakeOfAlice1\nsecret = FakeSecretOfAliceForTests01xYz\n";
    let folder = scratch.path().join("mount");
    std::fs::create_dir_all(folder.join("..data_1")).unwrap();
    std::fs::write(folder.join("..data_1").join("app.env"), pair).unwrap();
    std::os::unix::fs::symlink("..data_1", folder.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/app.env", folder.join("app.env")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("broken")).unwrap();
    let outside = scratch.write("outside.env", pair);
    let scan = |arguments: &[&str], input: &str| {
        let mut child = std::process::Command::new(AKGATE)
            .arg("scan")
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    // A link that was named, a folder with links into itself, standard input by either name.
    for (arguments, input) in [
        (vec![path(&folder.join("app.env"))], ""),
        (vec![path(&folder.join("..data"))], ""),
        (vec![path(&folder)], ""),
        (vec!["-".to_owned()], pair),
        (vec!["/dev/stdin".to_owned()], pair),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, shown, err) = scan(&arguments, input);
        assert_eq!(
            (code, shown.lines().count()),
            (1, 2),
            "{arguments:?}: {shown}{err}"
        );
        assert!(err.contains("0 could not be read, 0 not searched"), "{err}");
    }
    let binary = scratch.path().join("x.bin");
    std::fs::write(
        &binary,
        [b"\0\x01\xff".as_slice(), pair.as_bytes()].concat(),
    )
    .unwrap();
    assert_eq!(scan(&[&path(&binary)], "").0, 1);
    // A link to elsewhere: left out, and said so, or followed.
    std::os::unix::fs::symlink(&outside, folder.join("link.env")).unwrap();
    let (code, shown, err) = scan(&[&path(&folder), "-v"], "");
    assert_eq!((code, shown.lines().count()), (3, 2), "{err}");
    assert!(err.contains("link.env: not searched: a link"), "{err}");
    let (code, shown, err) = scan(&[&path(&folder), "--follow-links"], "");
    assert_eq!(code, 1, "{err}");
    assert!(shown.contains("link.env:1"), "{shown}");
    // A pipe in a folder is not opened, and would block.
    let pipes = scratch.path().join("pipes");
    std::fs::create_dir_all(&pipes).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(pipes.join("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(scan(&[&path(&pipes)], "").0, 3);
    // What is packed in a way that is not read.
    let packed = scratch.path().join("x.xz");
    std::fs::write(&packed, b"\xfd7zXZ\0rest").unwrap();
    let (code, _, err) = scan(&[&path(&packed), "-v"], "");
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("x.xz: not searched: xz is not read"), "{err}");
    // Other lengths, where they are wanted.
    let short = scratch.write(
        "short.env",
        "aliyun_secret = FakeSecretOfBobOfLength28xYz\n",
    );
    assert_eq!(scan(&[&path(&short)], "").0, 0);
    assert_eq!(scan(&[&path(&short), "--secret-length", "28"], "").0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_of_another_length_is_told_at_import_and_found_where_configured() {
    let desk = Desk::new().await;
    let keys = "account_id,access_key_id,access_key_secret\n5123456789012345,LTAI5tFakeOfShort1,FakeSecretOfBobOfLength28xYz\n";
    let file = desk.scratch.write("short.csv", keys);
    let imported = |config: &std::path::Path| {
        let output = akgate(&["keys", "import", file.to_str().unwrap()], config);
        String::from_utf8(output.stderr).unwrap()
    };
    let err = imported(&desk.config);
    assert!(
        err.contains("1 secrets have 28 characters") && err.contains("sources.secret_lengths"),
        "{err}"
    );
    let report = json!([{ "RuleID": "generic-api-key", "Secret": "FakeSecretOfBobOfLength28xYz", "File": "x" }]).to_string();
    let told = desk.import_json("before.json", &report, &[]);
    assert_eq!(told["findings"], 0, "{told}");
    let config = std::fs::read_to_string(&desk.config).unwrap();
    let config = match config.contains("[sources]") {
        true => config.replace("[sources]", "[sources]\nsecret_lengths = [28]"),
        false => format!("{config}\n[sources]\nsecret_lengths = [28]\n"),
    };
    std::fs::write(&desk.config, config).unwrap();
    assert!(!imported(&desk.config).contains("warning"));
    let told = desk.import_json("after.json", &report, &[]);
    assert_eq!(
        (&told["proven"], &told["restricted"]),
        (&json!(1), &json!(1)),
        "{told}"
    );
}

/// Every sample of a report restricts the key that it shows.
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_of_a_report_restricts_its_key() {
    let desk = Desk::new().await;
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let pairs = std::fs::read_to_string(samples.join("pairs.tsv")).unwrap();
    let pairs: Vec<Vec<&str>> = pairs
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let mut keys = "account_id,access_key_id,access_key_secret\n".to_owned();
    for pair in &pairs {
        keys.push_str(&format!("5123456789012345,{},{}\n", pair[1], pair[2]));
    }
    let file = desk.scratch.write("pairs.csv", &keys);
    assert!(
        akgate(&["keys", "import", file.to_str().unwrap()], &desk.config)
            .status
            .success()
    );
    let expected = std::fs::read_to_string(samples.join("expected.tsv")).unwrap();
    let mut missed = Vec::new();
    for line in expected.lines().filter(|line| line.starts_with("reports/")) {
        let columns: Vec<&str> = line.split('\t').collect();
        let path = samples.join(columns[0]);
        let output = akgate(
            &[
                "reports",
                "import",
                path.to_str().unwrap(),
                "--dry-run",
                "--json",
            ],
            &desk.config,
        );
        let Some((name, _)) = columns[1].split_once(':') else {
            continue;
        };
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let pair = pairs.iter().find(|pair| pair[0] == name).unwrap();
        let is_restricted =
            told["impact"].to_string().contains(pair[1]) || told["proven"].as_u64() > Some(0);
        if !output.status.success() || !is_restricted {
            missed.push(format!(
                "{}: {told} {}",
                columns[0],
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    let hashes = samples.join("reports/detect_secrets.json");
    let output = akgate(
        &["reports", "import", hashes.to_str().unwrap()],
        &desk.config,
    );
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && err.contains("only hashes of secrets"),
        "{err}"
    );
}
