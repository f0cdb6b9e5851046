//! `akgate config check` on a configuration of every product of the vendor's public metadata.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::process::{Scratch, akgate, secrets};

/// A configuration in which every product outside the catalogue has an upstream, with or without hosts.
fn every_product(scratch: &Scratch, has_hosts: bool) -> String {
    let mut products: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for line in include_str!("../vectors/public_actions.csv").lines() {
        if let [product, version, _, action] = line.split(',').collect::<Vec<_>>()[..]
            && version.starts_with('2')
            && !["Ram", "Ims", "Sts", "ResourceManager"].contains(&product)
        {
            products.entry((product, version)).or_default().push(action);
        }
    }
    assert!(products.len() > 150, "{}", products.len());
    let mut text = secrets(scratch, "postgresql://localhost/akgate");
    for ((product, version), actions) in products {
        let url = format!("https://{product}.example").to_lowercase();
        writeln!(
            text,
            "[[upstreams.other]]\nproduct = {product:?}\nversion = {version:?}\nactions = {actions:?}\nurl = {url:?}\n\
             credentials = \"keep\""
        )
        .unwrap();
        if has_hosts {
            writeln!(text, "hosts = [\"{}.example\"]", product.to_lowercase()).unwrap();
        }
    }
    text
}

fn check(has_hosts: bool) -> (Option<i32>, String, String) {
    let scratch = Scratch::new();
    let text = every_product(&scratch, has_hosts);
    let config = scratch.write("akgate.toml", &text);
    let done = akgate(&["config", "check", "--roles", "gateway"], &config);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn configuration_of_every_product_names_each_operation_that_two_have() {
    let (status, out, err) = check(true);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let named: Vec<&str> = out
        .lines()
        .filter(|line| line.starts_with("warning:"))
        .collect();
    assert!(
        named
            .iter()
            .any(|line| line.contains("PAIPlugin and PaiStudio both have")),
        "{named:#?}"
    );
    assert!((21..30).contains(&named.len()), "{named:#?}");
}

#[test]
fn operation_of_two_products_without_a_host_is_an_error() {
    let (status, _, err) = check(false);
    assert_eq!(status, Some(2));
    assert!(
        err.contains("both have") && err.contains("`hosts`"),
        "{err}"
    );
}
