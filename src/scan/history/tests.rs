use super::*;

const ID: &str = "LTAI5tFakeKeyForTestsOnly01";
const SECRET: &str = "FakeSecretForTestsOnly0123abcD";
const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn found_in(text: &[u8]) -> Vec<String> {
    let form = is_history(text, true).unwrap();
    let mut found = Vec::new();
    let mut show = |finding: ScanFinding| {
        let what = if finding.credential.id().is_some() {
            "id"
        } else {
            "secret"
        };
        let commit = finding.commit.unwrap_or_default();
        let commit = commit.get(..4).unwrap_or_default().to_owned();
        let date = finding
            .first_seen
            .map(|at| at.date().to_string())
            .unwrap_or_default();
        found.push(format!(
            "{}:{} {what} {commit} {date}",
            finding.path.unwrap_or_default(),
            finding.line
        ));
    };
    scan_history(text, form, SecretLengths::default(), &mut show).unwrap();
    found
}

fn found(text: &str) -> Vec<String> {
    found_in(text.as_bytes())
}

fn change(header: &str, old: &str, new: &str) -> String {
    format!("{header}\nindex 1..2 100644\n--- {old}\n+++ {new}\n@@ -3,0 +4,1 @@ x\n+id = {ID}\n")
}

#[test]
fn finding_has_commit_file_line_and_date() {
    let text = format!(
        "commit {COMMIT} (HEAD -> main)\nAuthor: A <a@example.com>\nDate:   Thu Nov 5 10:00:00 2026 +0000\n\n    message\n\n\
         diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -7,3 +7,4 @@\n first\n-{ID}\n+id = {ID}\n+secret: {SECRET}\n context {ID}\n\
         commit {}\n\n    the secret is {SECRET}\n",
        "b".repeat(40)
    );
    assert_eq!(
        found(&text),
        [
            "x:8 id aaaa 2026-11-05",
            "x:9 secret aaaa 2026-11-05",
            ":2 secret bbbb "
        ]
    );
}

#[test]
fn lines_that_no_commit_adds_are_told_at_the_end() {
    let text = format!(
        "commit {COMMIT}\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n {ID}\n-secret={SECRET}\n"
    );
    assert_eq!(found(&text), ["x:1 id aaaa ", "x:2 secret aaaa "]);
}

#[test]
fn every_way_to_print_a_history_is_read() {
    let diff = change(
        "diff --git a/app/.env b/app/.env",
        "a/app/.env",
        "b/app/.env",
    );
    for text in [
        format!("commit {COMMIT}\n\n    m\n\n{diff}"),
        // -z, twice.
        format!(
            "commit {COMMIT}\n\n    m\n\n{diff}\0commit {}\n",
            "b".repeat(40)
        ),
        // -m
        format!(
            "commit {COMMIT} (from {})\nMerge: 1 2\n\n    m\n\n{diff}",
            "c".repeat(40)
        ),
        // --oneline, --format=%H
        format!("aaaaaaa (HEAD -> main) a message\n{diff}"),
        format!("{COMMIT}\n\n{diff}"),
        // format-patch
        format!(
            "From {COMMIT} Mon Sep 17 00:00:00 2001\nFrom: A <a@example.com>\nSubject: [PATCH] m\n\n---\n x | 1 +\n\n{diff}-- \n2.43.0\n"
        ),
        // --graph
        format!(
            "* commit {COMMIT}\n| Author: A\n|\n|     m\n|\n{}",
            diff.lines()
                .map(|line| format!("| {line}\n"))
                .collect::<String>()
        ),
        format!(
            "* aaaaaaa m\n{}",
            diff.lines()
                .map(|line| format!("| | {line}\n"))
                .collect::<String>()
        ),
        // --color
        format!(
            "\x1b[33mcommit {COMMIT}\x1b[m\n\n{}",
            diff.lines()
                .map(|line| format!("\x1b[1;32m{line}\x1b[m\n"))
                .collect::<String>()
        ),
        // CRLF
        format!("commit {COMMIT}\n\n{}", diff.replace('\n', "\r\n")),
    ] {
        assert_eq!(found(&text), ["app/.env:4 id aaaa "], "{text}");
    }
    assert_eq!(found(&diff), ["app/.env:4 id  "], "no commit");
}

#[test]
fn message_on_the_line_of_the_commit_is_read() {
    let diff = change("diff --git a/x b/x", "a/x", "b/x");
    let text = format!(
        "*   aaaaaaa (HEAD) the secret is {SECRET}\n| {}",
        diff.replace('\n', "\n| ")
    );
    assert_eq!(found(&text), [":1 secret aaaa ", "x:4 id aaaa "]);
}

#[test]
fn merges_are_read_by_their_columns() {
    let text = format!(
        "commit {COMMIT}\nMerge: 1 2\n\ndiff --cc app/.env\nindex 1,2..3\n--- a/app/.env\n+++ b/app/.env\n\
         @@@ -1,2 -1,2 +1,3 @@@\n  one\n -two\n- three\n++id = {ID}\n +secret={SECRET}\ndiff --git a/y b/y\n"
    );
    assert_eq!(
        found(&text),
        ["app/.env:2 id aaaa ", "app/.env:3 secret aaaa "]
    );
}

#[test]
fn paths_are_told_as_the_files_are_called() {
    for (header, old, new, path) in [
        (
            "diff --git \"a/\\345\\257\\206.env\" \"b/\\345\\257\\206.env\"",
            "\"a/\\345\\257\\206.env\"",
            "\"b/\\345\\257\\206.env\"",
            "密.env",
        ),
        (
            "diff --git \"a/a\\tb\" \"b/a\\tb\"",
            "/dev/null",
            "\"b/a\\tb\"",
            "a\tb",
        ),
        (
            "diff --git a/my file b/my file",
            "a/my file\t",
            "b/my file\t",
            "my file",
        ),
        ("diff --git a/x b/x", "/dev/null", "b/x", "x"),
        (
            "diff --git app/.env app/.env",
            "app/.env",
            "app/.env",
            "app/.env",
        ),
        ("diff --git b/.env b/.env", "/dev/null", "b/.env", "b/.env"),
        ("diff --git i/x w/x", "i/x", "w/x", "x"),
        ("diff --git a/x b/y", "a/x", "b/y", "y"),
        (
            "diff --git \"a/\\\"q\\\\\" \"b/\\\"q\\\\\"",
            "\"a/\\\"q\\\\\"",
            "\"b/\\\"q\\\\\"",
            "\"q\\",
        ),
    ] {
        let text = format!("commit {COMMIT}\n\n{}", change(header, old, new));
        assert_eq!(found(&text), [format!("{path}:4 id aaaa ")], "{header}");
    }
}

#[test]
fn added_line_that_looks_like_a_header_is_a_line() {
    let text = format!(
        "commit {COMMIT}\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,3 @@\n+++ b/other\n+-- y\n+{ID}\n"
    );
    assert_eq!(found(&text), ["x:3 id aaaa "]);
}

#[test]
fn other_text_is_no_history() {
    for text in [
        "",
        "hello\n",
        "commit message\n",
        "deadbeef is a word\n",
        "From alice\n",
        "tag x\n",
    ] {
        assert!(is_history(text.as_bytes(), true).is_none(), "{text}");
    }
}
