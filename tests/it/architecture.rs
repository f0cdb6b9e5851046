//! The dependency direction of `docs/ARCHITECTURE.md`, read from the `use` lines.

use std::{
    fs,
    path::{Path, PathBuf},
};

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

/// The modules that a file uses, by its `crate::` paths and grouped `use crate::{…}` lines.
fn used(text: &str) -> Vec<String> {
    let mut used: Vec<String> = text
        .split("crate::")
        .skip(1)
        .filter_map(|rest| {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            (!name.is_empty()).then_some(name)
        })
        .collect();
    for group in text.split("use crate::{").skip(1) {
        let mut depth = 0;
        let mut name = String::new();
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => used.push(std::mem::take(&mut name)),
                _ if depth == 0 && !c.is_whitespace() => name.push(c),
                _ => {}
            }
        }
        used.push(name);
    }
    used.iter()
        .filter_map(|path| path.split("::").next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn rules_depend_on_no_runtime_server_database_or_clock() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
    for name in [
        "tokio", "axum", "tower", "hyper", "sqlx", "lettre", "akgate ",
    ] {
        assert!(!dependencies.contains(&format!("\n{name}")), "{name}");
    }
    let mut seen = 0;
    for (module, file, text) in modules() {
        if module == "rules" {
            seen += 1;
            for clock in ["now_utc", "SystemTime::now", "Instant::now", "rand::"] {
                assert!(!text.contains(clock), "{}: {clock}", file.display());
            }
        }
    }
    assert!(seen >= 12, "{seen} files: the rules have moved");
}

/// Who may not know whom: state nothing of the roads, the registry nothing of the gateway, the roads in
/// nothing of the road out, the pages nothing of the admin API, and nobody of what wires everything.
#[test]
fn dependencies_run_one_way() {
    let roads = [
        "gateway", "intake", "admin", "console", "notify", "sandbox", "server",
    ];
    let wiring = ["app", "serve", "demo", "command", "config", "upstreams"];
    let mut forbidden: Vec<(&str, Vec<&str>)> = Vec::new();
    for state in [
        "directory",
        "registry",
        "audit",
        "outbox",
        "calls",
        "operator",
    ] {
        forbidden.push((state, [&roads[..], &wiring[..]].concat()));
    }
    forbidden.push(("directory", vec!["audit", "outbox", "calls", "operator"]));
    for road in roads {
        forbidden.push((road, wiring.to_vec()));
    }
    forbidden.push((
        "gateway",
        vec![
            "intake", "admin", "console", "notify", "outbox", "server", "sandbox",
        ],
    ));
    forbidden.push(("intake", vec!["gateway", "admin", "console", "notify"]));
    forbidden.push(("admin", vec!["gateway", "console", "notify"]));
    forbidden.push(("console", vec!["gateway", "admin", "notify"]));
    forbidden.push(("notify", vec!["gateway", "admin", "console"]));
    forbidden.push(("sandbox", vec!["directory", "registry", "calls", "admin"]));
    for (module, file, text) in modules() {
        if module == "sandbox" {
            let of_the_gateway = text.matches("gateway::").count();
            let of_the_identity = text.matches("gateway::identity").count();
            assert_eq!(of_the_gateway, of_the_identity, "{}", file.display());
        }
    }
    let mut seen = 0;
    for (module, file, text) in modules() {
        let used = used(&text);
        for (_, names) in forbidden.iter().filter(|(who, _)| *who == module) {
            seen += 1;
            for name in names {
                assert!(
                    !used.iter().any(|one| one == name),
                    "{} knows of {name}",
                    file.display()
                );
            }
        }
    }
    assert!(seen >= 60, "{seen} files: the modules have moved");
}
