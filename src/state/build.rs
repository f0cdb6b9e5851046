//! Tells cargo what the SQL macros read, which it cannot see by itself.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
    // Naming a folder that does not exist would mean a rebuild every time.
    if std::path::Path::new("../../.sqlx").exists() {
        println!("cargo::rerun-if-changed=../../.sqlx");
    }
    println!("cargo::rerun-if-env-changed=SQLX_OFFLINE");
    println!("cargo::rerun-if-env-changed=SQLX_OFFLINE_DIR");
}
