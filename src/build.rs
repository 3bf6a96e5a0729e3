//! Build script: shrinks the program by options of the linker that rustc brings along.
//!
//! On x86_64 with glibc, rustc links with its own lld since 1.90. Identical functions are merged, and the
//! relocations of the position-independent program are packed, which needs glibc 2.36 at run time
//! (<https://lld.llvm.org/NEWS.html>, "RELR"). Elsewhere nothing is changed: the program is half a megabyte larger.

use std::env;
use std::process::Command;

/// First minor version of rustc that links with lld by default.
const FIRST_WITH_LLD: u32 = 90;

/// First minor version of glibc that applies packed relocations.
const FIRST_WITH_RELR: u32 = 36;

fn main() {
    println!("cargo::rerun-if-changed=src/build.rs");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if !is_release || !links_with_lld() {
        return;
    }
    println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    if minor_version("getconf", "GNU_LIBC_VERSION", "glibc 2.")
        .is_some_and(|minor| minor >= FIRST_WITH_RELR)
    {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Returns true if rustc links for this machine with its own lld, and no flag selects another linker.
fn links_with_lld() -> bool {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let names_linker =
        ["linker=", "link-self-contained", "fuse-ld"].iter().any(|flag| flags.contains(flag));
    let has_linker = env::var_os("RUSTC_LINKER").is_some();
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    is("TARGET", TARGET)
        && is("HOST", TARGET)
        && !names_linker
        && !has_linker
        && minor_version(&rustc, "--version", "rustc 1.")
            .is_some_and(|minor| minor >= FIRST_WITH_LLD)
}

/// Returns the number behind `prefix` in the output of a command.
fn minor_version(command: &str, argument: &str, prefix: &str) -> Option<u32> {
    let output = Command::new(command).arg(argument).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let rest = text.strip_prefix(prefix)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
