//! The commands that measure several servers beside each other.

use std::path::{Path, PathBuf};

use crate::fanout::Load;
use crate::link::Trust;
use crate::peer::{self, Measure, Peer};
use crate::server::Folder;
use crate::table::{Plan, ROWS, Row};
use crate::{
    Arguments, Clean, Failure, connect, docs, first_two_cores, idle, loads, pin_generator,
    possible, usage,
};

pub const HELP: &str = "\
damso-bench [table]            all servers, interleaved, as one markdown table
    --rounds N                 3
    --seconds S                1, for each run, after --warm-up S (0.5)
    --only NAME,NAME           of the names below and those of --peer
    --peer 'NAME=COMMAND'      one more server; {port} becomes a free port; may be repeated
    --damso FILE               the damso to measure (else DAMSO_BIN, else the one built beside this)
    --row SUBS,BYTES,INFLIGHT  instead of the usual rows; `,free` behind it pins nothing; may be repeated
    --repeats N                2: how often a run that other programs disturbed is made again
    --resume FILE              keeps each run there, and goes on from what is there
    --json FILE                the same, with every run, for programs
    --svg FILE                 CPU per delivery as a picture
    --docs FILE                puts the table between the marks of a document, and the picture beside it

damso-bench idle               memory of a connection, and CPU of its opening handshake, of all servers
    --rounds N                 3
    --connections FEW,MANY     1000,15000: where memory is read
    --handshakes N             10000
    --tls                      of damso and Bun, over TLS
    --only, --peer, --damso, --docs as above
";

/// Where the picture goes, beside the document.
const PICTURE: &str = "benchmarks-fanout.svg";

pub fn table(mut arguments: Arguments) -> Clean {
    let mut rows: Vec<Row> = Vec::new();
    for text in arguments.all::<String>("--row")? {
        let row = Row::parse(&text);
        rows.push(row.ok_or_else(|| {
            Failure::Usage(format!("--row {text}: expected N,N,N or N,N,N,free"))
        })?);
    }
    let is_usual = rows.is_empty();
    if is_usual {
        rows.extend(ROWS);
    }
    let cores = arguments.cores()?.unwrap_or_else(first_two_cores);
    let wait = arguments.wait(cores)?;
    let load = Load {
        subscribers: 0,
        publishers: arguments.one("--publishers")?.unwrap_or(1),
        bytes: 0,
        in_flight: 0,
        seconds: arguments.one("--seconds")?.unwrap_or(1.0),
        warm_up_seconds: arguments.one("--warm-up")?.unwrap_or(0.5),
        wait,
    };
    let rounds = arguments.one("--rounds")?.unwrap_or(3);
    let repeats = arguments.one("--repeats")?.unwrap_or(2);
    let [journal, json, svg, document] =
        ["--resume", "--json", "--svg", "--docs"].map(|name| arguments.one::<PathBuf>(name));
    let (journal, json, svg, document) = (journal?, json?, svg?, document?);
    let choice = Choice::take(&mut arguments)?;
    arguments.done()?;
    for row in &rows {
        possible(&Load {
            bytes: row.bytes,
            subscribers: row.subscribers,
            in_flight: row.in_flight,
            ..load.clone()
        })?;
    }

    connect::raise_descriptor_limit();
    let peers = choice.peers(&peer::usual(Measure::Table))?;
    let all_cores = usage::cores();
    let others_share_max = 0.05;
    let plan = Plan {
        rows,
        is_usual,
        peers,
        rounds,
        load,
        wait,
        cores,
        all_cores,
        others_share_max,
        repeats,
    };
    let table = plan.measure(journal.as_deref()).map_err(Failure::Run)?;
    let markdown = table.markdown();
    print!("{markdown}");
    if let Some(file) = json {
        write(&file, &table.json())?;
    }
    if let Some(file) = svg {
        write(&file, &table.svg())?;
    }
    if let Some(file) = document {
        let text = format!("![CPU per delivery of every server]({PICTURE})\n\n{markdown}");
        docs::write(&file, "fan-out", &text).map_err(Failure::Run)?;
        write(&file.with_file_name(PICTURE), &table.svg())?;
    }
    Ok(table.is_clean())
}

/// Those whose connections over TLS are held when nobody chooses.
const IDLE_TLS: [&str; 3] = ["damso", "damso-uring", "bun"];

pub fn idle(mut arguments: Arguments) -> Clean {
    let text: String = arguments.one("--connections")?.unwrap_or("1000,15000".into());
    let connections = text
        .split_once(',')
        .and_then(|(few, many)| Some([few.parse().ok()?, many.parse().ok()?]))
        .filter(|[few, many]: &[usize; 2]| 0 < *few && few < many);
    let connections = connections.ok_or_else(|| {
        Failure::Usage(format!("--connections {text}: expected FEW,MANY, the second more"))
    })?;
    let rounds = arguments.one("--rounds")?.unwrap_or(3);
    let handshakes = arguments.one("--handshakes")?.unwrap_or(10_000).max(1);
    let cores = arguments.cores()?.unwrap_or_else(first_two_cores);
    let document: Option<PathBuf> = arguments.one("--docs")?;
    let is_tls = arguments.flag("--tls");
    let choice = Choice::take(&mut arguments)?;
    arguments.done()?;

    connect::raise_descriptor_limit();
    let usual = if is_tls { IDLE_TLS.to_vec() } else { peer::usual(Measure::Idle) };
    let mut peers = choice.peers(&usual)?;
    let folder = Folder::new("idle").map_err(Failure::Run)?;
    if is_tls {
        peers = secured(peers, &folder).map_err(Failure::Run)?;
    }
    pin_generator(cores)?;
    let table = idle::Plan { peers, rounds, connections, handshakes, cores }.measure();
    let markdown = table.markdown();
    print!("{markdown}");
    if let Some(file) = document {
        let section = if is_tls { "idle-tls" } else { "idle" };
        docs::write(&file, section, &markdown).map_err(Failure::Run)?;
    }
    Ok(table.is_clean())
}

/// The same servers over TLS, with a certificate made for this.
fn secured(peers: Vec<Peer>, folder: &Folder) -> Result<Vec<Peer>, String> {
    let [certificate, key, authority] = loads::certificates(folder)?;
    let trust = Trust::in_file(Path::new(&authority))?;
    let secure = |peer: Peer| {
        let mut secure = match &*peer.name {
            "bun" => peer.and(&["tls", &certificate, &key]),
            name if name.starts_with("damso") => {
                peer.and(&["--tls-cert", &certificate, "--tls-key", &key])
            }
            name => return Err(format!("{name} isn't started with TLS here")),
        };
        secure.name.push_str("-tls");
        secure.shown = secure.shown.replace(&*folder.path().to_string_lossy(), "FOLDER");
        secure.trust = Some(trust.clone());
        Ok(secure)
    };
    peers.into_iter().map(secure).collect()
}

/// Which servers: those of `--only`, else the usual ones, and those of `--peer`.
pub struct Choice {
    only: Option<Vec<String>>,
    customs: Vec<Peer>,
    damso: Option<String>,
}

impl Choice {
    pub fn take(arguments: &mut Arguments) -> Result<Self, Failure> {
        let only: Option<String> = arguments.one("--only")?;
        let customs: Vec<String> = arguments.all("--peer")?;
        let customs: Result<_, _> = customs.iter().map(|custom| Peer::custom(custom)).collect();
        let customs: Vec<Peer> = customs.map_err(Failure::Usage)?;
        let only = only.map(|names| names.split(',').map(String::from).collect::<Vec<_>>());
        let exists = |name: &String| {
            peer::names().any(|known| known == name)
                || customs.iter().any(|peer| peer.name == *name)
        };
        match only.iter().flatten().find(|name| !exists(name)) {
            Some(name) => Err(Failure::Usage(format!(
                "--only {name}: no such server; there are {}",
                peer::names().collect::<Vec<_>>().join(", ")
            ))),
            None => Ok(Self { only, customs, damso: arguments.one("--damso")? }),
        }
    }

    /// All of them, ready to be started. One that can't be had is an error, never left out.
    pub fn peers(self, usual: &[&str]) -> Result<Vec<Peer>, Failure> {
        let Self { only, customs, damso } = self;
        let is_custom = |name: &str| customs.iter().any(|peer| peer.name == name);
        let names: Vec<&str> = match &only {
            Some(only) => only.iter().map(String::as_str).collect(),
            None => usual.to_vec(),
        };
        let (mut peers, mut missing) = (Vec::new(), Vec::new());
        for name in names.iter().filter(|name| !is_custom(name)) {
            match peer::find(name, damso.as_deref()) {
                Ok(peer) => peers.push(peer),
                Err(why) => missing.push(format!("{name} is missing: {why}")),
            }
        }
        if !missing.is_empty() {
            missing.push("--only leaves out what isn't to be measured".into());
            return Err(Failure::Run(missing.join("\n")));
        }
        peers.extend(
            customs.iter().filter(|peer| only.is_none() || names.contains(&&*peer.name)).cloned(),
        );
        Ok(peers)
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| Failure::Run(format!("{}: {error}", file.display())))
}
