//! Tells cargo what the SQL macros read, which it cannot see by itself. Every crate with queries has this build script.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=SQLX_OFFLINE");
    println!("cargo::rerun-if-env-changed=SQLX_OFFLINE_DIR");
    let manifest = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    for folder in Path::new(&manifest).ancestors() {
        let (migrations, queries) = (folder.join("migrations"), folder.join(".sqlx"));
        if migrations.exists() {
            println!("cargo::rerun-if-changed={}", migrations.display());
            // Naming a folder that does not exist would mean a rebuild every time.
            if queries.exists() {
                println!("cargo::rerun-if-changed={}", queries.display());
            }
            break;
        }
    }
}
