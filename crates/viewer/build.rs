//! A release build embeds `ui/dist`: it is compiled again when the UI was built again. A debug
//! build reads the files as it runs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo::rerun-if-changed=../../ui/dist");
    }
}
