//! What documents tell to type is typed, and the tests that they name exist.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{
    process::{AKGATE, Scratch},
    wait::holds_in_time,
};

/// A demo that stays up; ended at the end of the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // SIGINT: it stops its PostgreSQL.
        drop(
            Command::new("kill")
                .args(["-INT", &self.0.id().to_string()])
                .status(),
        );
        if !holds_in_time(|| self.0.try_wait().unwrap().is_some()) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

/// Starts a demo whose state is in `demo-data` of the folder, and waits until its scenario is over.
fn demo(folder: &Path) -> Demo {
    let any = "127.0.0.1:0";
    let mut child = Command::new(AKGATE)
        .args(["demo", "--data", "demo-data"])
        .args([
            "--listen",
            any,
            "--public-listen",
            any,
            "--admin-listen",
            any,
        ])
        .current_dir(folder)
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (said, heard) = std::sync::mpsc::channel();
    for output in [
        Box::new(child.stdout.take().unwrap()) as Box<dyn std::io::Read + Send>,
        Box::new(child.stderr.take().unwrap()),
    ] {
        let said = said.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(said.send(line));
            }
        });
    }
    let demo = Demo(child);
    loop {
        let line = heard.recv_timeout(Duration::from_secs(120)).unwrap();
        if line.contains("Ctrl-C") {
            return demo;
        }
    }
}

/// The blocks of a document that are for a shell.
fn blocks(text: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    for part in text.split("\n```sh\n").skip(1) {
        blocks.push(part.split("\n```").next().unwrap());
    }
    blocks
}

#[test]
fn sources_page_commands_work_as_written() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sources.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = blocks(&page);
    assert!(blocks.len() >= 8, "{}", blocks.len());
    let scratch = Scratch::new();
    let _demo = demo(scratch.path());
    let programs = Path::new(AKGATE).parent().unwrap().display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    for block in blocks {
        let done = Command::new("sh")
            .args(["-e", "-c", block])
            .current_dir(scratch.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        assert!(done.status.success(), "{block}\n{done:?}");
    }
}

/// Reads a file of the tree.
fn read(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(whole).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// The texts between backquotes.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether a source text holds a test of this name that is run: its attributes stand above it without a blank line.
fn holds_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let head = format!("fn {name}(");
    let is_head =
        |line: &str| line.starts_with(&head) || line.starts_with(&format!("async {head}"));
    lines.iter().enumerate().any(|(at, line)| {
        let above = || lines[..at].iter().rev().take_while(|line| !line.is_empty());
        let is_test =
            |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_head(line) && above().any(is_test) && !above().any(|line| line.starts_with("#[ignore"))
    })
}

/// What is wrong with a code span that names a test (`road::name`, `src/rules/identity::name`) or a path of the tree.
fn fault_of_reference(span: &str) -> Option<String> {
    let is_path = ["src/", "tests/", "config/", "docs/"]
        .iter()
        .any(|folder| span.starts_with(folder));
    let Some((file, name)) = span.rsplit_once("::") else {
        let exists = Path::new(env!("CARGO_MANIFEST_DIR")).join(span).exists();
        return (is_path && !exists).then(|| format!("{span}: no such path"));
    };
    let file = match is_path {
        true => format!("{file}.rs"),
        false => format!("tests/it/{file}.rs"),
    };
    let holds = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file))
        .is_ok_and(|source| holds_test(&source, name));
    (!holds).then(|| format!("{span}: no such test in {file}"))
}

#[test]
fn tests_and_paths_named_by_security_documents_exist() {
    let source = "    #[test]\n    #[ignore = \"slow\"]\n    fn one() {}\n\n    fn two() {}\n\n    #[tokio::test]\n    async fn three() {}";
    let held = ["one", "two", "three"].map(|name| holds_test(source, name));
    assert_eq!(held, [false, false, true]);
    for (document, least) in [("docs/SECURITY.md", 100), ("docs/asvs.md", 100)] {
        let text = read(document);
        let named = code_spans(&text).filter(|span| span.contains("::")).count();
        assert!(named >= least, "{document} names {named} tests");
        let faults: Vec<String> = code_spans(&text).filter_map(fault_of_reference).collect();
        assert!(faults.is_empty(), "{document}: {faults:#?}");
    }
}

/// ASVS 5.0 has 70 requirements of level 1 and 183 of level 2.
#[test]
fn asvs_table_answers_every_requirement_of_levels_1_and_2_once() {
    let text = read("docs/asvs.md");
    let mut answers: HashMap<&str, (&str, &str)> = HashMap::new();
    for row in text.lines().filter(|line| line.starts_with("| V")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, ids, level, applies, what, evidence, _] = cells[..] else {
            panic!("{row}");
        };
        let is_shown = evidence.contains('`') || evidence.contains("](");
        assert!(
            !what.is_empty() && (is_shown || !["met", "partly"].contains(&applies)),
            "{row}"
        );
        for id in ids.split(", ") {
            let before = answers.insert(id, (level, applies));
            assert_eq!(before, None, "{id} comes twice");
        }
    }
    let of = |level: &str, applies: &str| {
        let same = |answer: &&(&str, &str)| **answer == (level, applies);
        answers.values().filter(same).count()
    };
    let mut counted = [0, 0];
    for applies in ["met", "partly", "not met", "yours", "no"] {
        let [one, two] = [of("1", applies), of("2", applies)];
        let mut legend = text
            .lines()
            .filter(|line| line.starts_with(&format!("| {applies} |")));
        assert!(
            legend.any(|line| line.ends_with(&format!("| {one} | {two} |"))),
            "{applies}: {one}, {two}"
        );
        counted = [counted[0] + one, counted[1] + two];
    }
    assert_eq!((counted, answers.len()), ([70, 183], 253));
}
