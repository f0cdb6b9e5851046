//! What documents tell to type is typed.

use std::{
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
