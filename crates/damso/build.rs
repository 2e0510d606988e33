//! Puts the page's files into the binary: a list of their paths and bytes, made from `web/` as it is.

#[path = "src/http/pages/files.rs"]
mod files;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let cargo = |name| PathBuf::from(env::var_os(name).expect("cargo sets it"));
    let web = cargo("CARGO_MANIFEST_DIR").join("../../web");
    match list(&web) {
        Ok(list) => fs::write(cargo("OUT_DIR").join("web.rs"), list).expect("OUT_DIR is ours"),
        Err(sentence) => {
            println!("cargo::error={sentence}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/http/pages/files.rs");
    // Not all of web/: node_modules is large, and tests change nothing of what is given away.
    for path in files::watched(&web) {
        println!("cargo::rerun-if-changed={}", web.join(path).display());
    }
}

fn list(web: &Path) -> Result<String, String> {
    let mut list = String::from("&[\n");
    for path in files::list(web)? {
        let file = web.join(&path);
        let _ = writeln!(list, "({path:?}, include_bytes!({:?})),", file.display().to_string());
    }
    list.push_str("]\n");
    Ok(list)
}
