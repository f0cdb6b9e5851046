//! The command line over the admin API, as a person types it and reads it.

use std::{
    io::{BufRead, BufReader},
    time::Duration,
};

use snapbox::{cmd::Command, str};

use crate::{
    desk::{Desk, ServedDesk},
    process::{AKGATE, Scratch},
};

const KEY: &str = "LTAI5tFakeAlice";

/// A desk that is served, and a key of it that is restricted.
async fn office() -> ServedDesk {
    let desk = Desk::new().await;
    desk.node.key(KEY, Some("alice")).await;
    desk.report(KEY, "finding-1").await;
    ServedDesk::of(desk).await
}

/// What a person types: words with `~` for a space.
fn akgate(office: &ServedDesk, token: &str, line: &str) -> Command {
    let words: Vec<String> = line
        .split_whitespace()
        .map(|word| word.replace('~', " "))
        .collect();
    let command = office.akgate(token, words.iter().map(String::as_str));
    Command::from_std(command)
        .stdin(Vec::<u8>::new())
        .timeout(Duration::from_secs(60))
}

#[tokio::test(flavor = "multi_thread")]
async fn restriction_is_listed_shown_confirmed_and_lifted_by_command() {
    let office = office().await;
    let olga = |line: &str| akgate(&office, &office.desk.operator, line);
    olga("restrictions list --state Imposed")
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌──────────────────────────────────────┬─────────────────┬──────────────────┬───────┬────────────┬─────────┬──────────────────────┐
│ restriction                          ┆ AccessKey       ┆ account          ┆ user  ┆ key status ┆ state   ┆ since                │
╞══════════════════════════════════════╪═════════════════╪══════════════════╪═══════╪════════════╪═════════╪══════════════════════╡
│ [..] ┆ LTAI5tFakeAlice ┆ 5123456789012345 ┆ alice ┆ Active     ┆ Imposed ┆ 2026-11-26 12:00:00Z │
└──────────────────────────────────────┴─────────────────┴──────────────────┴───────┴────────────┴─────────┴──────────────────────┘

"#]])
        .stderr_eq(str![]);
    olga("restrictions show LTAI5tFakeAlice")
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌─────────────┬──────────────────────────────────────┐
│ restriction ┆ [..] │
│ AccessKey   ┆ LTAI5tFakeAlice                      │
│ account     ┆ 5123456789012345                     │
│ user        ┆ alice                                │
│ key status  ┆ Active                               │
│ state       ┆ Imposed                              │
│ cause       ┆ Reported                             │
│ imposed     ┆ 2026-11-26 12:00:00Z                 │
└─────────────┴──────────────────────────────────────┘
┌──────────────────────┬────────┬─────────┬──────────────────────────────────────────────┬────────────┐
│ reported             ┆ source ┆ proof   ┆ found at                                     ┆ first seen │
╞══════════════════════╪════════╪═════════╪══════════════════════════════════════════════╪════════════╡
│ 2026-11-26 12:00:00Z ┆ github ┆ Decided ┆ https://github.com/example/app?secret=****** ┆ -          │
└──────────────────────┴────────┴─────────┴──────────────────────────────────────────────┴────────────┘

"#]])
        .stderr_eq(str![]);
    olga("restrictions confirm LTAI5tFakeAlice --ticket T-1")
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌──────────────┬──────────────────────────────────────┐
│ restriction  ┆ [..] │
│ AccessKey    ┆ LTAI5tFakeAlice                      │
│ account      ┆ 5123456789012345                     │
│ user         ┆ alice                                │
│ key status   ┆ Active                               │
│ state        ┆ Confirmed                            │
│ cause        ┆ Reported                             │
│ imposed      ┆ 2026-11-26 12:00:00Z                 │
│ confirmed    ┆ 2026-11-26 12:00:00Z                 │
│ confirmed by ┆ operator:olga                        │
│ ticket       ┆ T-1                                  │
└──────────────┴──────────────────────────────────────┘
┌──────────────────────┬────────┬─────────┬──────────────────────────────────────────────┬────────────┐
│ reported             ┆ source ┆ proof   ┆ found at                                     ┆ first seen │
╞══════════════════════╪════════╪═════════╪══════════════════════════════════════════════╪════════════╡
│ 2026-11-26 12:00:00Z ┆ github ┆ Decided ┆ https://github.com/example/app?secret=****** ┆ -          │
└──────────────────────┴────────┴─────────┴──────────────────────────────────────────────┴────────────┘

"#]])
        .stderr_eq(str![]);
    sqlx::query("UPDATE access_keys SET status = 'Inactive'")
        .execute(&office.desk.node.pool)
        .await
        .unwrap();
    // olga has recorded the confirmation.
    akgate(
        &office,
        &office.desk.approver,
        "restrictions lift LTAI5tFakeAlice --resolution disabled --reason cleaned~up --yes",
    )
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌──────────────┬──────────────────────────────────────┐
│ restriction  ┆ [..] │
│ AccessKey    ┆ LTAI5tFakeAlice                      │
│ account      ┆ 5123456789012345                     │
│ user         ┆ alice                                │
│ key status   ┆ Inactive                             │
│ state        ┆ Lifted                               │
│ cause        ┆ Reported                             │
│ imposed      ┆ 2026-11-26 12:00:00Z                 │
│ confirmed    ┆ 2026-11-26 12:00:00Z                 │
│ confirmed by ┆ operator:olga                        │
│ ticket       ┆ T-1                                  │
│ lifted       ┆ 2026-11-26 12:00:00Z                 │
│ lifted by    ┆ operator:anna                        │
│ resolution   ┆ Disabled                             │
│ reason       ┆ cleaned up                           │
└──────────────┴──────────────────────────────────────┘
┌──────────────────────┬────────┬─────────┬──────────────────────────────────────────────┬────────────┐
│ reported             ┆ source ┆ proof   ┆ found at                                     ┆ first seen │
╞══════════════════════╪════════╪═════════╪══════════════════════════════════════════════╪════════════╡
│ 2026-11-26 12:00:00Z ┆ github ┆ Decided ┆ https://github.com/example/app?secret=****** ┆ -          │
└──────────────────────┴────────┴─────────┴──────────────────────────────────────────────┴────────────┘

"#]])
        .stderr_eq(str![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lift_that_needs_approval_prints_the_next_command() {
    let office = office().await;
    let olga = |line: &str| akgate(&office, &office.desk.operator, line);
    let anna = |line: &str| akgate(&office, &office.desk.approver, line);
    let lift =
        "restrictions lift LTAI5tFakeAlice --resolution acceptedrisk --reason the~owner~insists";
    // Nobody is asked where there is no terminal, and nothing is done.
    olga(lift)
        .assert()
        .code(2)
        .stdout_eq(str![])
        .stderr_eq(str![[r#"
error: Lift the restriction of LTAI5tFakeAlice? Standard input is not a terminal, so nobody can answer.
next: repeat the command with --yes to confirm

"#]]);
    olga(&format!("{lift} --yes"))
        .assert()
        .code(1)
        .stdout_eq(str![])
        .stderr_eq(str![[r#"
error: The clean-up has not been confirmed. Wait for the owner, record the owner's confirmation with :confirm and its ticket number, or request approval with "accept_no_confirmation": true.
next: akgate restrictions confirm ID --ticket NUMBER, or lift with --accept-no-confirmation

"#]]);
    olga(&format!("{lift} --yes --accept-no-confirmation"))
        .assert()
        .code(1)
        .stdout_eq(str![])
        .stderr_eq(str![[r#"
error: The leaked access key is still active. Ask the owner to disable or delete it, or request approval with "accept_active_key": true.
next: akgate restrictions lift ID … --accept-active-key

"#]]);
    olga(&format!("{lift} --dry-run"))
        .assert()
        .success()
        .stderr_eq(str![[r#"
Dry run: this would be lifted with the resolution AcceptedRisk.

"#]]);
    olga(&format!(
        "{lift} --yes --accept-no-confirmation --accept-active-key"
    ))
    .assert()
    .success()
    .stdout_eq(str![[r#"
┌───────────┬──────────────────────────────────────────────────────┐
│ approval  ┆ [..]                 │
│ change    ┆ Lift                                                 │
│ subject   ┆ [..]                 │
│ AccessKey ┆ LTAI5tFakeAlice                                      │
│ details   ┆ active_key: true                                     │
│           ┆ no_confirmation: true                                │
│           ┆ kind: Lift                                           │
│           ┆ reason: the owner insists                            │
│           ┆ resolution: AcceptedRisk                             │
│           ┆ restriction_id: [..] │
│           ┆ with_descendants: false                              │
│ reason    ┆ the owner insists                                    │
│ requester ┆ operator:olga                                        │
│ requested ┆ 2026-11-26 12:00:00Z                                 │
│ expires   ┆ 2026-11-27 12:00:00Z                                 │
│ state     ┆ Pending                                              │
└───────────┴──────────────────────────────────────────────────────┘

"#]])
    .stderr_eq(str![[r#"
A second operator must approve: akgate approvals approve [..]

"#]]);
    let waiting = office.desk.get("approvals").await;
    let id = waiting["approvals"][0]["approval_id"].as_str().unwrap();
    anna("approvals list")
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌──────────────────────────────────────┬────────┬─────────────────┬───────────────┬───────────────────┬──────────────────────┬─────────┐
│ approval                             ┆ change ┆ AccessKey       ┆ requester     ┆ reason            ┆ expires              ┆ state   │
╞══════════════════════════════════════╪════════╪═════════════════╪═══════════════╪═══════════════════╪══════════════════════╪═════════╡
│ [..] ┆ Lift   ┆ LTAI5tFakeAlice ┆ operator:olga ┆ the owner insists ┆ 2026-11-27 12:00:00Z ┆ Pending │
└──────────────────────────────────────┴────────┴─────────────────┴───────────────┴───────────────────┴──────────────────────┴─────────┘

"#]])
        .stderr_eq(str![]);
    olga(&format!("approvals approve {id}"))
        .assert()
        .code(4)
        .stdout_eq(str![])
        .stderr_eq(str![[r#"
error: Your role does not allow this. This needs the role `approver` or higher; the token's role is `operator`.
next: ask an admin to run `akgate operators token NAME --role ROLE`, or run `akgate operators add` on a node

"#]]);
    anna(&format!(
        "approvals approve {id} --remark asked~the~owner -o yaml"
    ))
    .assert()
    .success()
    .stdout_eq(str![[r#"
access_key_id: LTAI5tFakeAlice
approval_id: [..]
decided_at: "2026-11-26T12:00:00Z"
decided_by: operator:anna
expires_at: "2026-11-27T12:00:00Z"
kind: Lift
reason: the owner insists
remark: asked the owner
request:
  accepts:
    active_key: true
    no_confirmation: true
  kind: Lift
  reason: the owner insists
  resolution: AcceptedRisk
  restriction_id: [..]
  with_descendants: false
requested_at: "2026-11-26T12:00:00Z"
requested_by: operator:olga
state: Approved
subject_id: [..]

"#]])
    .stderr_eq(str![]);
    anna(&format!("approvals reject {id} --remark no"))
        .assert()
        .code(1)
        .stdout_eq(str![])
        .stderr_eq(str![[r#"
error: The approval is no longer pending. It is Approved. Request it again if it is still needed.
next: akgate approvals list

"#]]);
    anna("approvals list")
        .assert()
        .success()
        .stdout_eq(str![[r#"
No pending approvals.

"#]])
        .stderr_eq(str![]);
    olga("restrictions show LTAI5tFakeAlice -o json")
        .assert()
        .success()
        .stdout_eq(str![[r#"
{
  "access_key_id": "LTAI5tFakeAlice",
  "account_id": "5123456789012345",
  "ancestor_restriction_id": null,
  "approved_by": "operator:anna",
  "cause": "Reported",
  "confirmed_at": null,
  "confirmed_by": null,
  "descendants_since": null,
  "disabling_proposed_at": null,
  "first_seen": null,
  "imposed_at": "2026-11-26T12:00:00Z",
  "key_status": "Active",
  "lift_reason": "the owner insists",
  "lifted_at": "2026-11-26T12:00:00Z",
  "lifted_by": "operator:olga",
  "next_contacts_at": null,
  "notified_at": null,
  "report_count": 1,
  "reports": [
    {
      "access_key_id": "LTAI5tFakeAlice",
      "commit": null,
      "delivery_id": null,
      "first_seen": null,
      "held": false,
      "parent_access_key_id": null,
      "path": null,
      "proof": "Decided",
      "reference": "finding-1",
      "report_id": "[..]",
      "reported_at": "2026-11-26T12:00:00Z",
      "reported_by": "operator:olga",
      "restriction_id": "[..]",
      "secret_matches": false,
      "source": "github",
      "url": "https://github.com/example/app?secret=******"
    }
  ],
  "resolution": "AcceptedRisk",
  "restriction_id": "[..]",
  "state": "Lifted",
  "ticket": null,
  "tombstone": false,
  "undone": false,
  "user_name": "alice",
  "widened_at": null
}

"#]])
        .stderr_eq(str![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_lists_operators_and_creates_and_revokes_tokens() {
    let office = office().await;
    let ada = |line: &str| akgate(&office, &office.desk.admin, line);
    ada("operators list --limit 5")
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌────────────────┬──────────┬─────────┬────────────┬────────────┬──────────────────────┬───────┬──────────────────────┬──────────────┐
│ operator       ┆ role     ┆ revoked ┆ token      ┆ token role ┆ expires              ┆ ended ┆ last used            ┆ last address │
╞════════════════╪══════════╪═════════╪════════════╪════════════╪══════════════════════╪═══════╪══════════════════════╪══════════════╡
│ ada            ┆ admin    ┆ -       ┆ [..] ┆ admin      ┆ 2027-02-24 12:00:00Z ┆ -     ┆ 2026-11-26 12:00:00Z ┆ 0.0.0.0      │
│ anna           ┆ approver ┆ -       ┆ [..] ┆ approver   ┆ 2027-02-24 12:00:00Z ┆ -     ┆ -                    ┆ -            │
│ message-centre ┆ service  ┆ -       ┆ [..] ┆ service    ┆ 2027-02-24 12:00:00Z ┆ -     ┆ -                    ┆ -            │
│ olga           ┆ operator ┆ -       ┆ [..] ┆ operator   ┆ 2027-02-24 12:00:00Z ┆ -     ┆ 2026-11-26 12:00:00Z ┆ 0.0.0.0      │
│ victor         ┆ viewer   ┆ -       ┆ [..] ┆ viewer     ┆ 2027-02-24 12:00:00Z ┆ -     ┆ -                    ┆ -            │
└────────────────┴──────────┴─────────┴────────────┴────────────┴──────────────────────┴───────┴──────────────────────┴──────────────┘

"#]])
        .stderr_eq(str![]);
    ada("operators me")
        .assert()
        .success()
        .stdout_eq(str![[r#"
┌──────────┬────────────────────────────────────┐
│ operator ┆ ada                                │
│ role     ┆ admin                              │
│ token    ┆ created_at: 2026-11-26 12:00:00Z   │
│          ┆ created_by: akgate                 │
│          ┆ expires_at: 2027-02-24 12:00:00Z   │
│          ┆ last_used_at: 2026-11-26 12:00:00Z │
│          ┆ last_used_from: 0.0.0.0            │
│          ┆ role: admin                        │
│          ┆ token_id: [..]               │
└──────────┴────────────────────────────────────┘

"#]])
        .stderr_eq(str![]);
    let made = ada("operators token olga --role viewer --token-days 7")
        .assert()
        .success()
        .stderr_eq(str![[r#"
Token for olga as viewer, valid until 2026-12-03T12:00:00Z. It is shown only once:

"#]]);
    let token = String::from_utf8(made.get_output().stdout.clone()).unwrap();
    let token = token.trim();
    akgate(&office, token, "approvals list").assert().success();
    let id = token.split('_').nth(1).unwrap();
    akgate(&office, token, &format!("operators revoke-token {id}"))
        .assert()
        .success()
        .stderr_eq(str![[r#"
The token [..] is revoked.

"#]]);
    akgate(&office, token, "approvals list")
        .assert()
        .code(4)
        .stderr_eq(str![[r#"
error: An operator token is required. The token was revoked: ask an admin for a new one.
next: ask an admin to run `akgate operators token NAME --role ROLE`, or run `akgate operators add` on a node

"#]]);
    ada("operators revoke olga")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: Revoke olga and all their tokens? Standard input is not a terminal, so nobody can answer.
next: repeat the command with --yes to confirm

"#]]);
    ada("operators revoke olga --yes")
        .assert()
        .success()
        .stderr_eq(str![[r#"
olga is revoked.

"#]]);
    ada("operators revoke ../operators/ada --yes")
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: Not found. The operator or token does not exist, or is already revoked.

"#]]);
    ada("operators revoke ada --yes")
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: This is the last admin. Add another admin first.

"#]]);
}

#[test]
fn completions_and_man_pages_cover_every_command() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish"] {
        let done = Command::new(AKGATE)
            .args(["completions", shell])
            .assert()
            .success();
        let text = String::from_utf8(done.get_output().stdout.clone()).unwrap();
        assert!(text.contains("accept-active-key"), "{shell}");
    }
    let folder = scratch.path().join("man1");
    Command::new(AKGATE)
        .arg("man")
        .arg(&folder)
        .assert()
        .success();
    let page = std::fs::read_to_string(folder.join("akgate-restrictions-lift.1")).unwrap();
    assert!(page.contains("second operator"), "{page}");
    assert!(folder.join("akgate.1").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_end_with_the_next_command() {
    let office = office().await;
    let desk = &office.desk;
    let victor = |line: &str| akgate(&office, &desk.viewer, line);
    victor("restrictions impose LTAI5tFakeBob --source me --reference r --yes")
        .assert()
        .code(4)
        .stderr_eq(str![[r#"
error: Your role does not allow this. This needs the role `operator` or higher; the token's role is `viewer`.
next: ask an admin to run `akgate operators token NAME --role ROLE`, or run `akgate operators add` on a node

"#]]);
    victor("login").assert().code(1).stderr_eq(str![[r#"
error: Not found. Sign-in is not configured (admin.oidc): get a token with `akgate operators add`.

"#]]);
    victor("restrictions show LTAI5tFakeBob")
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: `LTAI5tFakeBob` has no restriction.
next: akgate restrictions list

"#]]);
    victor("restrictions list --state Open")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: The request is not valid. `state` must be Imposed, Confirmed or Lifted.

"#]]);
    victor("restrictions lift LTAI5tFakeAlice --resolution gone --reason x")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: invalid value 'gone' for '--resolution <RESOLUTION>': must be one of Rotated, Disabled, Deleted, FalsePositive, UsedInTests, AcceptedRisk

For more information, try '--help'.

"#]]);
    akgate(&office, "akg_nonsense", "approvals list")
        .assert()
        .code(4)
        .stderr_eq(str![[r#"
error: AKGATE_TOKEN: this is not an operator token: it must be akg_…, 61 characters long

"#]]);
    victor("approvals list --server http://192.0.2.1:8082")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: `http://192.0.2.1:8082` would send the token unencrypted: use https (http is allowed only for this machine)

"#]]);
    victor("approvals list --server http://127.0.0.1:1")
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: http://127.0.0.1:1 does not respond: Connection refused (os error 111)
next: check --server, and whether `akgate serve` runs there

"#]]);
    victor("approvals list --profile work")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: [..]/.config/akgate/profiles.toml has no profile `work`

"#]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_selects_server_and_token() {
    let office = office().await;
    let token = office
        .scratch
        .write("token", &format!("{}\n", office.desk.viewer));
    let profiles = office.scratch.write(
        "profiles.toml",
        &format!(
            "[default]\nserver = {:?}\ntoken_file = {token:?}\n",
            office.server
        ),
    );
    let bare = |line: &str| {
        Command::new(AKGATE)
            .args(line.split(' '))
            .env_clear()
            .env("AKGATE_PROFILES", &profiles)
    };
    bare("approvals list")
        .assert()
        .success()
        .stdout_eq(str![[r#"
No pending approvals.

"#]])
        .stderr_eq(str![]);
    bare("approvals list --profile home")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: [..]/profiles.toml has no profile `home`

"#]]);
    Command::new(AKGATE)
        .args(["approvals", "list"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: no server given: pass --server URL, set AKGATE_SERVER, or add a profile with `server` to /nonexistent/.config/akgate/profiles.toml

"#]]);
}

#[test]
fn help_lists_every_command() {
    Command::new(AKGATE)
        .args(["restrictions", "--help"])
        .env_clear()
        .assert()
        .success()
        .stdout_eq(str![[r#"
List, impose, confirm and lift restrictions

Usage: akgate restrictions <COMMAND>

Commands:
  list                  List restrictions, newest first
  show                  Show one restriction with its leak reports
  timeline              Show the events of a restriction, in order
  watch                 Follow changes of restrictions, one line each; Ctrl-C to stop
  impose                Restrict an AccessKey, with or without proof of a leak
  confirm               Record an owner's confirmation that did not come through the link in the
                        letter
  descendants           List what the leaked key made, or what came through that: AccessKeys,
                        sessions, users, roles and everything else
  restrict-descendants  Restrict all AccessKeys and sessions that descend from the leaked key, now
                        and from now on; a second operator must approve if they are many
  lift                  Lift a restriction; a second operator must approve if the owner has not
                        confirmed or the key is still active
  help                  Print this message or the help of the given subcommand(s)

Options:
  -h, --help  Print help

"#]]);
    Command::new(AKGATE)
        .args(["approvals", "--help"])
        .env_clear()
        .assert()
        .success()
        .stdout_eq(str![[r#"
Approve or reject changes that need a second operator

Usage: akgate approvals <COMMAND>

Commands:
  list      List pending approvals
  show      Show one approval
  approve   Approve another operator's request; the change is made at once
  reject    Reject another operator's request
  withdraw  Withdraw your own request
  help      Print this message or the help of the given subcommand(s)

Options:
  -h, --help  Print help

"#]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_events_as_they_happen() {
    let office = office().await;
    let arguments = ["restrictions", "watch", "--count", "2"];
    let mut watch = office
        .akgate(&office.desk.viewer, arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut said = BufReader::new(watch.stderr.take().unwrap()).lines();
    assert_eq!(
        said.next().unwrap().unwrap(),
        "Watching; press Ctrl-C to stop."
    );
    // What is about no restriction is no line.
    crate::desk::token(
        &office.desk.node,
        "nina",
        akgate_api::operators::Role::Viewer,
    )
    .await;
    office.desk.node.key("LTAI5tFakeBob", Some("bob")).await;
    let (_, bob) = office.desk.report("LTAI5tFakeBob", "finding-2").await;
    let imposed = [lines.next(), lines.next()].map(|line| line.unwrap().unwrap());
    for (line, action) in imposed.iter().zip(["Impose", "ReportLeak"]) {
        let words: Vec<&str> = line.split_whitespace().skip(2).collect();
        assert_eq!(
            words,
            [action, "LTAI5tFakeBob", "operator:olga", &bob],
            "{line}"
        );
    }
    assert!(lines.next().is_none());
    assert!(watch.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_about_exceptions_keys_and_letters_end_with_the_next_command() {
    let office = office().await;
    let olga = |line: &str| akgate(&office, &office.desk.operator, line);
    let wide = "--operation RAM:CreateUser --network 0.0.0.0/0 --hours 1 --reason x --yes";
    olga(&format!("exceptions add LTAI5tFakeAlice {wide}"))
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: The request is not valid. 0.0.0.0/0 is too wide: use the owner's own networks, at most a /16 (IPv6: /32).

"#]]);
    let narrow = "--operation RAM:CreateUser --network 192.0.2.7 --hours 1 --reason x --yes";
    olga(&format!("exceptions add LTAI5tFakeNobody {narrow}"))
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: The key is not restricted. Report the leak first (POST /admin/v1/leak-reports); see GET /admin/v1/restrictions?access_key_id=ID.
next: akgate restrictions list --key ID

"#]]);
    olga(&format!("exceptions add LTAI5tFakeAlice {narrow}").replace(" --yes", ""))
        .assert()
        .code(2)
        .stderr_eq(str![[r#"
error: Allow the leaked key LTAI5tFakeAlice to call RAM:CreateUser for 1 h? Standard input is not a terminal, so nobody can answer.
next: repeat the command with --yes to confirm

"#]]);
    olga("keys show LTAI5tFakeNobody")
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: Not found. No AccessKey in the directory has this id. For a session, see /lineage and /activity.

"#]]);
    olga("keys list --status Gone").assert().code(2);
    olga("letters resend 019ac000-0000-7000-8000-000000000000")
        .assert()
        .code(1)
        .stderr_eq(str![[r#"
error: Not found. No letter has this id.

"#]]);
    olga("restrictions list alice -o json")
        .assert()
        .success()
        .stdout_eq(str![[r#"
[
  {
...
    "access_key_id": "LTAI5tFakeAlice",
...
  }
]

"#]]);
    olga("restrictions list mallory")
        .assert()
        .success()
        .stdout_eq(str![[r#"
No matching restrictions.

"#]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_list_fits_80_columns() {
    let office = office().await;
    let olga = |line: &str| akgate(&office, &office.desk.operator, line);
    office.desk.node.node.membership().round().await.unwrap();
    let listed = olga("nodes list -o json").assert().success();
    let listed: serde_json::Value = serde_json::from_slice(&listed.get_output().stdout).unwrap();
    let node = &listed[0];
    assert_eq!(node["state"], "Leased", "{listed}");
    assert_eq!(node["behind"], 0, "{listed}");
    assert_eq!(node["seal_key_ids"], serde_json::json!([1]), "{listed}");
    let table = olga("nodes list").assert().success();
    let table = String::from_utf8(table.get_output().stdout.clone()).unwrap();
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(
        widest.unwrap() <= 80 + office.desk.node.node.membership().node_info().name.len(),
        "{table}"
    );
    let imposed = olga("restrictions impose LTAI5tFakeBob --source olga --reference 1 --yes")
        .assert()
        .success();
    let said = String::from_utf8(imposed.get_output().stderr.clone()).unwrap();
    assert!(said.starts_with("enforced at 1 node in "), "{said}");
}
