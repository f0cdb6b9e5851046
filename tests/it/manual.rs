//! `docs/operators.md`: every command of it is run, and prints what stands there.
//!
//! Ids are made anew each time: the first one that is printed where the page has its first one is taken for it from then on,
//! and so forth. `SNAPSHOTS=overwrite` writes what was printed.

use std::{collections::HashMap, fmt::Write as _, fs};

use crate::desk::{Desk, ServedDesk};

const PAGE: &str = "docs/operators.md";

/// The ids and token ids in a text, in their order.
fn ids(text: &str) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = text.split(|c| !word(c)).map(str::to_owned);
    words
        .filter(|word| uuid::Uuid::parse_str(word).is_ok() && word.len() == 36)
        .collect()
}

fn replaced(text: &str, names: &HashMap<String, String>) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[tokio::test(flavor = "multi_thread")]
async fn command_prints_what_the_manual_shows() {
    let desk = Desk::new().await;
    let mut alice = None;
    for name in ["Bob", "Alice"] {
        let key = format!("LTAI5tFake{name}");
        alice = Some(desk.node.key(&key, Some(&name.to_lowercase())).await);
        desk.report(&key, name).await;
    }
    let alice = alice.unwrap();
    let mut refused = None;
    let office = ServedDesk::of(desk).await;
    let desk = &office.desk;
    let page = fs::read_to_string(PAGE).unwrap();
    let tokens: Vec<String> = [
        &desk.operator,
        &desk.approver,
        &desk.admin,
        &desk.service,
        &desk.viewer,
    ]
    .map(|token| token[4..14].to_owned())
    .into();

    // The page's ids by those of this run, and the other way round.
    let (mut real, mut shown) = (HashMap::new(), HashMap::new());
    let (mut written, mut ran) = (String::new(), 0);
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        writeln!(written, "{line}").unwrap();
        if let Some(sql) = line.strip_prefix("<!-- meanwhile: ") {
            let sql = sql.trim_end_matches(" -->").to_owned();
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&desk.node.pool)
                .await
                .unwrap();
        }
        if let Some(action) = line.strip_prefix("<!-- alice calls: ") {
            let action = action.trim_end_matches(" -->");
            let user = [("UserName", "mallory")];
            let reply = desk.node.call(&alice, "2015-05-01", action, &user).await;
            desk.node.node.recorder().flush().await.unwrap();
            refused = Some(reply.body["RequestId"].as_str().unwrap().to_owned());
        }
        if line != "```console" {
            continue;
        }
        let command = lines.next().unwrap();
        let mut expected = String::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            writeln!(expected, "{line}").unwrap();
        }
        let (who, rest) = command.split_once("$ akgate ").unwrap();
        let token = match who {
            "olga" => &desk.operator,
            "anna" => &desk.approver,
            "ada" => &desk.admin,
            other => panic!("{other}"),
        };
        if let Some(refused) = refused.take() {
            let page = ids(rest).pop().unwrap();
            shown.insert(refused.clone(), page.clone());
            shown.insert(refused.to_lowercase(), page.clone());
            real.insert(page, refused);
        }
        // How long the nodes were waited for differs each time, and with it the width of the timeline.
        sqlx::query("UPDATE receipts SET waited_ms = 3")
            .execute(&desk.node.pool)
            .await
            .unwrap();
        let typed = replaced(rest, &real);
        let done = office
            .akgate(token, typed.split_whitespace())
            .output()
            .unwrap();
        ran += 1;
        let printed = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        let printed = in_no_time(&printed);
        // Token ids differ each time, and are as long.
        let printed = tokens
            .iter()
            .fold(printed, |text, id| text.replace(id, "0123456789"));
        for (page, run) in ids(&expected).into_iter().zip(ids(&printed)) {
            if !shown.contains_key(&run) && !real.contains_key(&page) {
                real.insert(page.clone(), run.clone());
                shown.insert(run, page);
            }
        }
        let printed = replaced(&printed, &shown);
        if std::env::var("SNAPSHOTS").is_ok_and(|how| how == "overwrite") {
            writeln!(written, "{command}\n{printed}```").unwrap();
        } else {
            assert_eq!(printed, expected, "{command}");
        }
    }
    assert!(ran >= 12, "{ran}");
    if std::env::var("SNAPSHOTS").is_ok_and(|how| how == "overwrite") {
        fs::write(PAGE, written).unwrap();
    }
}

/// How long the nodes were waited for differs each time.
fn in_no_time(printed: &str) -> String {
    let line = |line: &str| match line.split_once(" in ").zip(line.split_once(" ms")) {
        Some(((before, _), (_, after))) if line.starts_with("enforced at ") => {
            format!("{before} in 3 ms{after}\n")
        }
        _ => format!("{line}\n"),
    };
    printed.lines().map(line).collect()
}
