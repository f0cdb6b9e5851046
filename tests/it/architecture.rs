//! The dependency direction of `docs/ARCHITECTURE.md`, read from the `use` lines.

use std::{
    fs,
    path::{Path, PathBuf},
};

const RULES: [&str; 6] = [
    "access_key",
    "fault",
    "request",
    "signature",
    "operation",
    "verdict",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every module's source without its tests: (module, file, text).
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files
        .into_iter()
        .map(|file| {
            let relative = file.strip_prefix(&root).unwrap();
            let first = relative.iter().next().unwrap().to_string_lossy();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&file).unwrap();
            let production = text.split("#[cfg(test)]").next().unwrap().to_owned();
            (module, file, production)
        })
        .collect()
}

#[test]
fn rules_know_no_runtime_no_server_no_database_and_no_road() {
    let foreign = ["tokio", "axum", "tower", "hyper", "sqlx", "lettre"];
    let roads = ["directory", "gateway", "command", "clock", "postgres"];
    let mut seen = 0;
    for (module, file, text) in modules() {
        if !RULES.contains(&module.as_str()) {
            continue;
        }
        seen += 1;
        for name in foreign {
            assert!(
                !text.contains(&format!("{name}::")),
                "{}: {name}",
                file.display()
            );
        }
        for name in roads {
            assert!(
                !text.contains(&format!("crate::{name}")),
                "{}: {name}",
                file.display()
            );
            let grouped = text.split("use crate::{").skip(1).any(|group| {
                group
                    .split("};")
                    .next()
                    .unwrap()
                    .lines()
                    .any(|line| line.trim().starts_with(name))
            });
            assert!(!grouped, "{}: {name}", file.display());
        }
    }
    assert!(seen >= 12, "{seen} files: the rules have moved");
}

#[test]
fn state_knows_nothing_of_the_roads() {
    for (module, file, text) in modules() {
        if module == "directory" {
            assert!(!text.contains("gateway"), "{}", file.display());
        }
    }
}

#[test]
fn nobody_knows_the_commands() {
    for (module, file, text) in modules() {
        if !["command", "main", "lib"].contains(&module.as_str()) {
            assert!(!text.contains("crate::command"), "{}", file.display());
        }
    }
}
