//! Load generator for broadcast over WebSocket. See README.md, or `damso-bench help`.

mod audience;
mod bare;
mod beside;
mod chaos;
mod commands;
mod compare;
mod connect;
mod disk;
mod docs;
mod durable;
mod fanout;
mod faults;
mod floor;
mod generator;
mod histogram;
mod history;
mod hold;
mod idle;
mod link;
mod load;
mod loads;
mod member;
mod namespace;
mod nats;
mod outbox;
mod peer;
mod proxy;
mod random;
mod reference;
mod report;
mod resume;
mod search;
mod server;
mod storm;
mod table;
mod text;
mod usage;
mod wire;

use std::process::ExitCode;
use std::str::FromStr;

use connect::Target;
use fanout::{Load, Watch};
use generator::Wait;
use peer::Running;
use report::Json;

const INTRODUCTION: &str =
    "damso-bench: broadcast over WebSocket, measured from the outside; every delivery is checked";

const HELP: &str = "\
damso-bench fanout TARGET      one run against a server
    --subscribers N            1000
    --publishers N             1: connections that send; they listen too
    --bytes N                  64: the text of a message
    --in-flight N              1: messages sent and not yet with everybody
    --seconds S                5, after --warm-up S (1)
    --pid N                    a process of the server, for its CPU; may be repeated
    --json FILE

damso-bench hold TARGET        opens connections, keeps them, sends one message to all
    --connections N            10000
    --seconds S                2
    --bytes N                  64
    --pid N                    a process of the server, for its memory

damso-bench floor              a bare broadcast server: on epoll
    --uring                    on io_uring
    --listen ADDR:PORT         127.0.0.1:0
    --lose-every N             of N buffers, one isn't sent to one subscriber: shows that the check finds it

TARGET is ws://HOST:PORT/PATH, HOST:PORT (path /ws), or the name of a server to start: damso (--engine event, its
log in memory), damso-uring, damso-auto (the other engines), damso-data (log on disk), damso-v1 (on disk, over
damso.v1), damso-v1-memory; bun, socketify, ws, tokio-tungstenite, axum, fastwebsockets, tokio-websockets, websockets,
nats; floor, floor-uring.
    --header 'Name: value'     in the opening handshake; may be repeated
    --cores SERVER,GENERATOR   the cores to pin to; none: nothing is pinned. Default for servers started here: the first two.
    --wait spin|block          how to wait for the server; block when the generator's core is shared
";

fn main() -> ExitCode {
    let result = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| {
        let command = arguments.command.clone();
        match command.as_str() {
            "table" => beside::table(arguments),
            "idle" => beside::idle(arguments),
            "fanout" => fanout(arguments),
            "hold" => hold(arguments),
            "floor" => floor(arguments),
            "history" => commands::history(arguments),
            "search" => commands::search(arguments),
            "resume" => commands::resume(arguments),
            "store" | "half" => commands::store(arguments),
            "storm" => commands::storm(arguments),
            "rate" | "rooms" | "slow" | "deflate" | "tls" | "shards" | "network" => {
                commands::loads(arguments)
            }
            "chaos" => commands::chaos(arguments),
            "help" | "--help" | "-h" => {
                print!("{INTRODUCTION}\n{}\n{HELP}{}", beside::HELP, commands::HELP);
                Ok(true)
            }
            other => Err(Failure::Usage(format!("{other}: no such command"))),
        }
    });
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Failure::Usage(why)) => {
            eprintln!("damso-bench: {why}; see damso-bench help");
            ExitCode::from(2)
        }
        Err(Failure::Run(why)) => {
            eprintln!("damso-bench: {why}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Usage(String),
    Run(String),
}

/// Whether everything was as it should be.
type Clean = Result<bool, Failure>;

fn fanout(mut arguments: Arguments) -> Clean {
    let target = arguments.target()?;
    let cores = arguments.cores_for(&target)?;
    let load = Load {
        subscribers: arguments.one("--subscribers")?.unwrap_or(1000),
        publishers: arguments.one("--publishers")?.unwrap_or(1),
        bytes: arguments.one("--bytes")?.unwrap_or(64),
        in_flight: arguments.one("--in-flight")?.unwrap_or(1),
        seconds: arguments.one("--seconds")?.unwrap_or(5.0),
        warm_up_seconds: arguments.one("--warm-up")?.unwrap_or(1.0),
        wait: arguments.wait(cores)?,
    };
    let mut processes = arguments.all("--pid")?;
    let headers = arguments.all("--header")?;
    let json: Option<String> = arguments.one("--json")?;
    arguments.done()?;
    possible(&load)?;

    connect::raise_descriptor_limit();
    let (target, running) = reach(&target, headers, cores)?;
    processes.extend(running.as_ref().map(Running::process));
    pin_generator(cores)?;
    let watch = Watch {
        processes,
        server_core: cores.map(|[server, _]| server),
        generator_core: cores.map(|[_, generator]| generator),
    };
    let run = fanout::run(&target, &load, &watch).map_err(Failure::Run)?;
    report::print(&run);
    if let Some(file) = json {
        let mut json = Json::default();
        json.object(|json| report::outcome(json, &run));
        std::fs::write(&file, json.finish())
            .map_err(|error| Failure::Run(format!("{file}: {error}")))?;
    }
    Ok(run.faults.count() == 0)
}

fn hold(mut arguments: Arguments) -> Clean {
    let target = arguments.target()?;
    let cores = arguments.cores_for(&target)?;
    let connections = arguments.one("--connections")?.unwrap_or(10_000);
    let seconds = arguments.one("--seconds")?.unwrap_or(2.0);
    let bytes = arguments.one("--bytes")?.unwrap_or(64);
    let mut processes = arguments.all("--pid")?;
    let headers = arguments.all("--header")?;
    arguments.done()?;
    if connections == 0 || bytes < text::MARKER_BYTES {
        return Err(Failure::Usage(format!(
            "at least one connection and {} bytes are needed",
            text::MARKER_BYTES
        )));
    }

    connect::raise_descriptor_limit();
    let (target, running) = reach(&target, headers, cores)?;
    processes.extend(running.as_ref().map(Running::process));
    pin_generator(cores)?;
    let held = hold::run(&target, connections, seconds, bytes, &processes).map_err(Failure::Run)?;
    println!("opened            {connections} in {:.2} s", held.opened_in.as_secs_f64());
    println!("held              all, for {seconds} s");
    println!("delivered         to each, once, in {:.1} ms", 1e3 * held.delivered_in.as_secs_f64());
    if !processes.is_empty() {
        let [before, holding, after] = held.resident_kib;
        let each = 1024.0 * holding.saturating_sub(before) as f64 / connections as f64;
        println!(
            "server's memory   {before} KiB before, {holding} KiB holding ({each:.0} B a connection), {after} KiB after"
        );
    }
    if held.notices != 0 {
        println!("other messages    {}", held.notices);
    }
    Ok(true)
}

fn floor(mut arguments: Arguments) -> Clean {
    let listen: String = arguments.one("--listen")?.unwrap_or("127.0.0.1:0".into());
    let lose_every = arguments.one("--lose-every")?.unwrap_or(0);
    let is_uring = arguments.flag("--uring");
    arguments.done()?;
    let address =
        listen.parse().map_err(|error| Failure::Usage(format!("--listen {listen}: {error}")))?;
    connect::raise_descriptor_limit();
    let ended = match (is_uring, lose_every) {
        (false, _) => floor::on_epoll(address, lose_every),
        (true, 0) => floor::on_uring(address),
        (true, _) => return Err(Failure::Usage("--lose-every is the epoll floor's".into())),
    };
    ended.map_err(Failure::Run)?;
    Ok(true)
}

fn is_named(target: &str) -> bool {
    peer::names().any(|name| name == target)
}

/// The target, and the server behind it when it had to be started.
fn reach(
    target: &str,
    headers: Vec<String>,
    cores: Option<[usize; 2]>,
) -> Result<(Target, Option<Running>), Failure> {
    let (mut is_v1, mut is_nats) = (false, false);
    let running = if is_named(target) {
        let peer = peer::find(target, None).map_err(Failure::Run)?;
        (is_v1, is_nats) = (peer.is_v1, peer.is_nats);
        Some(peer.start(cores.map(|[server, _]| server)).map_err(Failure::Run)?)
    } else {
        None
    };
    let address = running.as_ref().map_or(target, |running| &running.address);
    let target = Target::parse(address).map_err(Failure::Usage)?;
    let target = Target { headers, is_v1, is_nats, ..target };
    Ok((target, running))
}

fn possible(load: &Load) -> Result<(), Failure> {
    let Load { subscribers, publishers, bytes, in_flight, .. } = *load;
    let complaint = if subscribers == 0 || publishers == 0 || publishers > 255 {
        "at least one subscriber and 1 to 255 publishers are needed".into()
    } else if bytes < text::MARKER_BYTES {
        format!("a message has to carry at least {} bytes", text::MARKER_BYTES)
    } else if in_flight < publishers || in_flight % publishers != 0 {
        format!("{in_flight} in flight can't be shared out among {publishers} publishers")
    } else {
        return Ok(());
    };
    Err(Failure::Usage(complaint))
}

fn first_two_cores() -> Option<[usize; 2]> {
    usage::cores().first_chunk().copied()
}

fn pin_generator(cores: Option<[usize; 2]>) -> Result<(), Failure> {
    cores.map_or(Ok(()), |[_, generator]| {
        usage::pin(generator).map_err(|error| Failure::Run(format!("core {generator}: {error}")))
    })
}

/// What was typed, given out piece by piece; what is left at the end is a mistake.
struct Arguments {
    command: String,
    rest: Vec<String>,
}

impl Arguments {
    fn parse(typed: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut rest: Vec<String> = typed.collect();
        let has_command =
            rest.first().is_some_and(|first| !first.starts_with("--") || first == "--help");
        let command = if has_command { rest.remove(0) } else { "table".into() };
        Ok(Self { command, rest })
    }

    fn target(&mut self) -> Result<String, Failure> {
        match self.rest.first() {
            Some(first) if !first.starts_with("--") => Ok(self.rest.remove(0)),
            _ => Err(Failure::Usage(format!("{} needs a target", self.command))),
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        let found = self.rest.iter().position(|word| word == name);
        found.map(|at| self.rest.remove(at)).is_some()
    }

    fn all<T: FromStr>(&mut self, name: &str) -> Result<Vec<T>, Failure> {
        let mut values = Vec::new();
        while let Some(at) = self.rest.iter().position(|word| word == name) {
            self.rest.remove(at);
            if at == self.rest.len() {
                return Err(Failure::Usage(format!("{name} needs a value")));
            }
            let value = self.rest.remove(at);
            values.push(
                value
                    .parse()
                    .map_err(|_| Failure::Usage(format!("{name} {value}: not understood")))?,
            );
        }
        Ok(values)
    }

    fn one<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        Ok(self.all(name)?.pop())
    }

    /// The outer `None`: not said.
    fn cores(&mut self) -> Result<Option<Option<[usize; 2]>>, Failure> {
        let Some(text) = self.one::<String>("--cores")? else { return Ok(None) };
        if text == "none" {
            return Ok(Some(None));
        }
        let cores = text
            .split_once(',')
            .and_then(|(server, generator)| Some([server.parse().ok()?, generator.parse().ok()?]));
        let complaint =
            || Failure::Usage(format!("--cores {text}: expected SERVER,GENERATOR or none"));
        Ok(Some(Some(cores.ok_or_else(complaint)?)))
    }

    fn cores_for(&mut self, target: &str) -> Result<Option<[usize; 2]>, Failure> {
        let default = || if is_named(target) { first_two_cores() } else { None };
        Ok(self.cores()?.unwrap_or_else(default))
    }

    fn wait(&mut self, cores: Option<[usize; 2]>) -> Result<Wait, Failure> {
        let text: Option<String> = self.one("--wait")?;
        match text.as_deref() {
            Some("spin") => Ok(Wait::Spin),
            Some("block") => Ok(Wait::Block),
            Some(other) => Err(Failure::Usage(format!("--wait {other}: expected spin or block"))),
            // Spinning needs a core of its own.
            None if cores.is_some_and(|[server, generator]| server != generator) => Ok(Wait::Spin),
            None => Ok(Wait::Block),
        }
    }

    fn done(&self) -> Result<(), Failure> {
        match self.rest.first() {
            Some(word) => Err(Failure::Usage(format!("{word}: not understood"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Arguments {
        Arguments::parse(line.split_whitespace().map(String::from)).ok().unwrap()
    }

    #[test]
    fn without_a_command_it_is_the_table() {
        assert_eq!(arguments("").command, "table");
        assert_eq!(arguments("--rounds 5").command, "table");
        assert_eq!(arguments("hold floor").command, "hold");
        assert_eq!(arguments("--help").command, "--help");
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let mut typed = arguments("fanout x:1 --pid 3 --pid 4 --bytes many --typo");
        assert_eq!(typed.target().ok().unwrap(), "x:1");
        assert_eq!(typed.all::<u32>("--pid").ok().unwrap(), [3, 4]);
        assert!(matches!(typed.one::<usize>("--bytes"), Err(Failure::Usage(_))));
        assert!(matches!(typed.done(), Err(Failure::Usage(_))));
    }
}
