//! What Cargo holds, and what it cannot: the direction of the crates of `docs/ARCHITECTURE.md`, who speaks to the database,
//! and that no files import each other in a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The crates under `src/`, each with the ones that it may name. The binary, in `src/` itself, may name all of them.
const DIRECTION: [(&str, &[&str]); 12] = [
    ("rules", &[]),
    ("api", &["rules"]),
    ("net", &["rules"]),
    ("state", &["rules", "api"]),
    ("gateway", &["rules", "api", "state", "net"]),
    ("scan", &["rules"]),
    ("intake", &["rules", "scan", "api", "state", "net"]),
    ("admin", &["rules", "api", "state", "net"]),
    ("owners", &["rules", "api", "state", "net"]),
    ("hooks", &["rules", "api", "state", "net"]),
    ("sandbox", &["rules", "state", "net"]),
    ("client", &["rules", "api", "net"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    let table = manifest["dependencies"].as_table().unwrap();
    table.keys().cloned().collect()
}

#[test]
fn crate_names_only_crates_below_it() {
    let mut folders: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("Cargo.toml").exists())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    folders.sort();
    let mut listed: Vec<&str> = DIRECTION.iter().map(|(name, _)| *name).collect();
    listed.sort_unstable();
    assert_eq!(folders, listed, "a crate that the direction does not list");
    for (name, below) in DIRECTION {
        let manifest = root().join("src").join(name).join("Cargo.toml");
        for dependency in dependencies(&manifest) {
            if let Some(other) = dependency.strip_prefix("akgate-") {
                assert!(below.contains(&other), "{name} knows of {other}");
            }
            assert_ne!(dependency, "akgate", "{name} knows of the binary");
        }
    }
}

#[test]
fn database_descriptions_and_flags_each_have_their_crates() {
    for (library, may) in [
        ("sqlx", &["state", "sandbox"][..]),
        ("utoipa", &["api", "admin"]),
        ("utoipa-axum", &["admin"]),
        ("clap", &[]),
        ("lettre", &["owners", "state"]),
    ] {
        for (name, _) in DIRECTION {
            let manifest = root().join("src").join(name).join("Cargo.toml");
            let has = dependencies(&manifest).contains(library);
            assert!(!has || may.contains(&name), "{name} uses {library}");
        }
    }
    let binary = dependencies(&root().join("Cargo.toml"));
    assert!(!binary.contains("sqlx") && !binary.contains("utoipa"));
}

#[test]
fn rules_depend_on_no_runtime_server_database_or_clock() {
    let names = dependencies(&root().join("src/rules/Cargo.toml"));
    for name in ["tokio", "axum", "tower", "hyper", "sqlx", "lettre", "rand"] {
        assert!(!names.contains(name), "{name}");
    }
    let files: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.path.starts_with("src/rules"))
        .collect();
    assert!(files.len() >= 20, "{} files", files.len());
    for source in files {
        for clock in ["now_utc", "SystemTime::now", "Instant::now", "rand::"] {
            let path = source.path.display();
            assert!(!source.text.contains(clock), "{path}: {clock}");
        }
    }
}

/// A file of production code.
struct Source {
    /// From the repository root.
    path: PathBuf,
    /// The crate and the module path in it.
    module: Vec<String>,
    /// Its text without comments and tests.
    text: String,
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every file of production code: tests, `main.rs` and build scripts left out.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    let crates: Vec<&str> = DIRECTION.iter().map(|(name, _)| *name).collect();
    let mut sources = Vec::new();
    for file in files {
        let path = file.strip_prefix(root()).unwrap().to_owned();
        let mut module: Vec<String> = path
            .with_extension("")
            .iter()
            .skip(1)
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if !crates.contains(&module[0].as_str()) || module.len() == 1 {
            module.insert(0, "binary".to_owned());
        }
        match module.last().unwrap().as_str() {
            "main" | "build" | "tests" => continue,
            "lib" | "mod" => drop(module.pop()),
            _ => {}
        }
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        let lines = production
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        sources.push(Source {
            path,
            module,
            text: lines.collect::<Vec<_>>().join("\n"),
        });
    }
    sources
}

/// The paths that a `use` names, its groups unfolded.
fn unfold(tree: &str) -> Vec<String> {
    let Some((head, group)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().to_owned()];
    };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in group.chars().chain([',']) {
        match c {
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                item.push(c);
            }
        }
    }
    let items = items.iter().filter(|item| !item.is_empty());
    items
        .flat_map(|item| unfold(&format!("{head}{item}")))
        .collect()
}

/// The paths that a file names, in `use` lines and elsewhere.
fn named_paths(text: &str) -> Vec<String> {
    let mut text = text.to_owned();
    for visible in ["pub", "pub(crate)", "pub(super)"] {
        text = text.replace(&format!("\n{visible} use "), "\nuse ");
    }
    let mut paths = Vec::new();
    let mut rest = String::new();
    let mut pieces = text.split("\nuse ");
    rest.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (tree, after) = piece.split_once(';').unwrap();
        let tree: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
        let tree = tree
            .replace(", ", ",")
            .replace("{ ", "{")
            .replace(" }", "}");
        paths.extend(unfold(&tree));
        rest.push_str(after);
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = rest.split(|c| !is_path(c));
    paths.extend(words.filter(|word| word.contains("::")).map(str::to_owned));
    paths
}

/// Which file names which, by index.
fn imports(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let by_module: BTreeMap<&[String], usize> = sources
        .iter()
        .enumerate()
        .map(|(index, source)| (source.module.as_slice(), index))
        .collect();
    // From the crate, the file's own module, or one that stands below it.
    let resolve = |source: &Source, path: &str| {
        let mut at: Vec<String> = source.module.clone();
        for (index, part) in path.split("::").enumerate() {
            match part {
                "crate" if index == 0 => at.truncate(1),
                "self" => {}
                "super" => drop(at.pop()),
                part => {
                    at.push(part.to_owned());
                    if index == 0 && !by_module.contains_key(at.as_slice()) {
                        return None;
                    }
                }
            }
        }
        while at.len() > 1 && !by_module.contains_key(at.as_slice()) {
            at.pop();
        }
        by_module.get(at.as_slice()).copied()
    };
    sources
        .iter()
        .enumerate()
        .map(|(index, source)| {
            let paths = named_paths(&source.text);
            let named = paths.iter().filter_map(|path| resolve(source, path));
            named.filter(|other| *other != index).collect()
        })
        .collect()
}

/// Everything that can be reached along the arrows.
fn reachable(from: usize, arrows: &[BTreeSet<usize>]) -> BTreeSet<usize> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(at) = open.pop() {
        for next in &arrows[at] {
            if seen.insert(*next) {
                open.push(*next);
            }
        }
    }
    seen
}

/// Circles that stay: the beginning of the paths of their files, and why.
const KNOWN_CIRCLES: [(&[&str], &str); 1] = [(
    &["src/rules/request/", "src/rules/signature/"],
    "a request is read by the scheme that signs it, and a scheme prints and verifies requests",
)];

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = sources();
    let arrows = imports(&sources);
    let count: usize = arrows.iter().map(BTreeSet::len).sum();
    assert!(count >= 1000, "{count} imports: they are not read any more");
    let reached: Vec<_> = (0..sources.len())
        .map(|at| reachable(at, &arrows))
        .collect();
    let mut circles = BTreeSet::new();
    let mut met = BTreeSet::new();
    for (from, named) in arrows.iter().enumerate() {
        for to in named.iter().filter(|to| reached[**to].contains(&from)) {
            let ends = [from, *to].map(|at| sources[at].path.display().to_string());
            let is_in = |files: &[&str]| {
                let is_one = |end: &String| files.iter().any(|head| end.starts_with(head));
                ends.iter().all(is_one)
            };
            match KNOWN_CIRCLES.iter().position(|(files, _)| is_in(files)) {
                Some(known) => drop(met.insert(known)),
                None => drop(circles.insert(ends.join(" -> "))),
            }
        }
    }
    assert!(circles.is_empty(), "{circles:#?}");
    for (known, (files, _)) in KNOWN_CIRCLES.iter().enumerate() {
        assert!(met.contains(&known), "{files:?} is no circle any more");
    }
}
