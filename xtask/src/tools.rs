//! What the tests need beside cargo. A missing tool is installed or is an error, never a skipped
//! test.

use crate::run::{self, Failure, cargo, root, succeeds, target};
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Tool {
    name: &'static str,
    found: fn() -> bool,
    from: Source,
}

enum Source {
    /// Packages of Debian and its kin.
    Apt(&'static [&'static str]),
    Rustup(&'static str),
}

pub const RUSTFMT: Tool = Tool {
    name: "rustfmt",
    found: || succeeds(cargo(["fmt", "--version"]).arg("--quiet")),
    from: Source::Rustup("rustfmt"),
};

pub const CLIPPY: Tool = Tool {
    name: "clippy",
    found: || succeeds(&mut cargo(["clippy", "--version"])),
    from: Source::Rustup("clippy"),
};

pub const NODE: Tool = Tool {
    name: "node 20 or newer",
    found: || node_version() >= 20,
    from: Source::Apt(&["nodejs"]),
};

pub const NPM: Tool = Tool { name: "npm", found: || in_path("npm"), from: Source::Apt(&["npm"]) };

pub const CHROMIUM: Tool = Tool {
    name: "chromium",
    found: || ["chromium", "chromium-browser", "google-chrome"].into_iter().any(in_path),
    from: Source::Apt(&["chromium"]),
};

pub const FIREFOX: Tool = Tool {
    name: "firefox",
    found: || ["firefox-esr", "firefox"].into_iter().any(in_path),
    from: Source::Apt(&["firefox-esr"]),
};

/// Without one, screenshots of the Korean page show boxes.
pub const KOREAN_FONT: Tool = Tool {
    name: "a Korean font",
    found: || {
        cfg!(target_os = "macos")
            || Path::new("/usr/share/fonts/truetype/nanum").exists()
            || fontconfig_has("ko")
    },
    from: Source::Apt(&["fonts-nanum"]),
};

/// Debian's python3 comes without the two modules that make a virtual environment.
const PYTHON_VENV: Tool = Tool {
    name: "python3 with venv",
    found: || succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])),
    from: Source::Apt(&["python3", "python3-venv"]),
};

/// uWebSockets, as socketify packs it, wants it.
const LIBUV: Tool = Tool {
    name: "libuv.so.1",
    found: || {
        ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
            .into_iter()
            .map(Path::new)
            .chain([multiarch().as_path()])
            .any(|folder| folder.join("libuv.so.1").exists())
    },
    from: Source::Apt(&["libuv1"]),
};

/// What the servers that the bench measures need beside the packages that it installs itself.
pub const PEERS: [Tool; 4] = [NODE, NPM, PYTHON_VENV, LIBUV];

/// What client.py and bot.py import.
const WEBSOCKETS: &str = "websockets==17.4";

/// What judges the HTTP API.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// libFuzzer is C++.
pub const CXX: Tool = Tool {
    name: "a C++ compiler",
    found: || ["c++", "g++", "clang++"].into_iter().any(in_path),
    from: Source::Apt(&["g++"]),
};

/// Returns when all of these are there; installs what isn't.
pub fn need(tools: &[Tool]) -> run::Result {
    let mut packages = Vec::new();
    for tool in tools.iter().filter(|tool| !(tool.found)()) {
        println!("{} is missing", tool.name);
        match tool.from {
            Source::Apt(names) => packages.extend(names),
            Source::Rustup(component) => {
                run::run(
                    Command::new("rustup")
                        .args(["component", "add", component])
                        .current_dir(root()),
                )?;
            }
        }
    }
    if !packages.is_empty() {
        apt_install(&packages)?;
    }
    match tools.iter().find(|tool| !(tool.found)()) {
        None => Ok(()),
        Some(tool) => Err(Failure::new(format!(
            "{} is needed and isn't there after its installation",
            tool.name
        ))),
    }
}

/// The folder with the page's tests, whose packages are installed.
pub fn web() -> run::Result<PathBuf> {
    let folder = root().join("web");
    if !folder.join("package.json").exists() {
        return Err(Failure::new("there is no web/package.json"));
    }
    need(&[NODE, NPM, CHROMIUM, KOREAN_FONT, FIREFOX])?;
    run::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder))?;
    Ok(folder)
}

/// The folder with Autobahn's suite, made by `autobahn/port.py` when it is missing or older.
pub fn autobahn() -> run::Result<PathBuf> {
    need(&[PYTHON_VENV])?;
    let folder = target().join("tools/autobahn");
    let port = root().join("xtask/autobahn/port.py");
    let read = |file: &str| {
        let path = port.with_file_name(file);
        fs::read(&path)
            .map_err(|error| Failure::new(format!("{} is unreadable: {error}", path.display())))
    };
    let wanted = [read("port.py")?, read("octets.py")?].concat();
    // Written last, so that an installation cut short is made anew.
    let stamp = folder.join("made-by");
    let python = folder.join("venv/bin/python");
    if fs::read(&stamp).is_ok_and(|made_by| made_by == wanted)
        && succeeds(Command::new(&python).arg("--version"))
    {
        return Ok(folder);
    }
    run::run(
        Command::new("python3").arg("xtask/autobahn/port.py").arg(&folder).current_dir(root()),
    )?;
    fs::write(&stamp, wanted).map_err(|error| unwritable(&stamp, &error))?;
    Ok(folder)
}

/// What the clients of docs/clients need.
pub struct Clients {
    /// A Python that has `websockets`.
    pub python: PathBuf,
    /// A copy of client.mjs, beside an installed `ws`.
    pub client_mjs: PathBuf,
}

/// Installs the packages that the clients' own first lines name.
pub fn clients() -> run::Result<Clients> {
    need(&[PYTHON_VENV, NODE, NPM])?;
    let folder = target().join("tools/clients");
    let ws = format!("ws@{}", web_dependency("ws")?);
    let wanted = format!("{WEBSOCKETS} {ws}");
    // Written last, so that an installation cut short is made anew.
    let stamp = folder.join("made-by");
    let python = folder.join("venv/bin/python");
    if !fs::read_to_string(&stamp).is_ok_and(|made_by| made_by == wanted)
        || !succeeds(Command::new(&python).arg("--version"))
    {
        run::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "-q", WEBSOCKETS];
        run::run(Command::new(&python).args(pip))?;
        let quietly = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund"];
        run::run(
            Command::new("npm").args(["install", "--prefix"]).arg(&folder).args(quietly).arg(ws),
        )?;
        fs::write(&stamp, wanted).map_err(|error| unwritable(&stamp, &error))?;
    }
    let client_mjs = folder.join("client.mjs");
    fs::copy(root().join("docs/clients/client.mjs"), &client_mjs)
        .map_err(|error| unwritable(&client_mjs, &error))?;
    Ok(Clients { python, client_mjs })
}

/// A Python that has schemathesis.
pub fn schemathesis() -> run::Result<PathBuf> {
    need(&[PYTHON_VENV])?;
    let folder = target().join("tools/schemathesis");
    // Written last, so that an installation cut short is made anew.
    let stamp = folder.join("made-by");
    let python = folder.join("venv/bin/python");
    if !fs::read_to_string(&stamp).is_ok_and(|made_by| made_by == SCHEMATHESIS)
        || !succeeds(Command::new(&python).arg("--version"))
    {
        run::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder.join("venv")))?;
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "-q", SCHEMATHESIS];
        run::run(Command::new(&python).args(pip))?;
        fs::write(&stamp, SCHEMATHESIS).map_err(|error| unwritable(&stamp, &error))?;
    }
    Ok(python)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} can't be written: {error}", path.display()))
}

/// The version that web/package.json wants of a package.
fn web_dependency(name: &str) -> run::Result<String> {
    let path = root().join("web/package.json");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let entry = format!("\"{name}\": \"");
    let version = text.split_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    let lost = || Failure::new(format!("{} doesn't name {name}", path.display()));
    version.map(str::to_owned).ok_or_else(lost)
}

fn apt_install(packages: &[&str]) -> run::Result {
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !in_path("apt-get") {
        let sentence = "what is missing isn't installed by itself here; on Debian it would be:";
        return Err(Failure::new(format!("{sentence} sudo {by_hand}")));
    }
    let Some(superuser) = superuser() else {
        let sentence = "neither root nor sudo to install what is missing; as root:";
        return Err(Failure::new(format!("{sentence} {by_hand}")));
    };
    let apt_get = |args: &[&str]| {
        let words =
            [superuser, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], args].concat();
        run::run(Command::new(words[0]).args(&words[1..]))
    };
    let install = [&["install", "-q", "-y", "--no-install-recommends"], packages].concat();
    if !has_package_lists() {
        apt_get(&["update", "-q"])?;
        return apt_get(&install);
    }
    // The lists of an older image name versions that are no longer served.
    apt_get(&install).or_else(|_| apt_get(&["update", "-q"]).and_then(|()| apt_get(&install)))
}

/// The words before a command that makes the superuser run it; none where nothing does.
fn superuser() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let may_ask = std::io::stdin().is_terminal() && in_path("sudo");
    let needs_no_password = || succeeds(Command::new("sudo").args(["-n", "true"]));
    (may_ask || needs_no_password()).then_some(&["sudo"])
}

fn has_package_lists() -> bool {
    let Ok(lists) = fs::read_dir("/var/lib/apt/lists") else { return false };
    lists
        .flatten()
        .any(|entry| entry.file_name().to_str().is_some_and(|name| name.contains("_Packages")))
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Where Debian and its kin have this machine's libraries.
fn multiarch() -> PathBuf {
    Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH))
}

fn node_version() -> u32 {
    let Ok(output) = Command::new("node").arg("--version").output() else { return 0 };
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

fn fontconfig_has(language: &str) -> bool {
    let list = Command::new("fc-list").arg(format!(":lang={language}")).output();
    list.is_ok_and(|output| !output.stdout.is_empty())
}
