//! `cargo xtask conformance`: the Autobahn TestSuite as referee over all engines and the client
//! role. The suite is made by `autobahn/port.py` and run by `autobahn/referee.py`.

use crate::run::{self, Failure, cargo, release, root, target};
use crate::tools;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Peer {
    /// `damso echo --engine event`, tested by the fuzzing client.
    Event,
    /// `damso echo --engine threads`, likewise.
    Threads,
    /// `damso echo --engine uring`, likewise.
    Uring,
    /// The example `autobahn_client`, tested by the fuzzing server.
    Client,
}

impl Peer {
    pub const ALL: [Peer; 4] = [Peer::Event, Peer::Threads, Peer::Uring, Peer::Client];

    fn name(self) -> &'static str {
        match self {
            Peer::Event => "event",
            Peer::Threads => "threads",
            Peer::Uring => "uring",
            Peer::Client => "client",
        }
    }
}

const ALL_CASES: &str = "*";

/// How long damso may take to say where it listens, and to end when asked.
const SERVER_PATIENCE: Duration = Duration::from_secs(20);

const CLIENT: &str = "autobahn_client";

pub fn command(args: &[String]) -> run::Result {
    let Arguments { peers, cases, strict } = parse(args)?;
    if peers.iter().any(|peer| *peer != Peer::Client) {
        build_program()?;
    }
    referee(&peers, &cases, strict)
}

#[derive(Debug, PartialEq)]
struct Arguments {
    peers: Vec<Peer>,
    cases: String,
    strict: bool,
}

fn parse(args: &[String]) -> run::Result<Arguments> {
    let mut parsed =
        Arguments { peers: Peer::ALL.to_vec(), cases: ALL_CASES.to_owned(), strict: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value =
            || args.next().ok_or_else(|| Failure::usage(format!("{arg} wants a value")));
        match arg.as_str() {
            "--engine" => {
                let name = value()?;
                let peer = Peer::ALL.into_iter().find(|peer| peer.name() == name);
                let unknown = || {
                    Failure::usage(format!(
                        "no engine {name}; there are event, threads, uring, client"
                    ))
                };
                parsed.peers = vec![peer.ok_or_else(unknown)?];
            }
            "--cases" => parsed.cases = value()?.clone(),
            "--strict" => parsed.strict = true,
            other => {
                return Err(Failure::usage(format!(
                    "conformance doesn't know {other}; see cargo xtask help"
                )));
            }
        }
    }
    Ok(parsed)
}

pub fn build_program() -> run::Result {
    run::run(&mut cargo(["build", "--release", "-p", "damso"]))
}

/// Runs the cases on each peer, also after one has failed: the verdicts belong together.
/// Expects the program to be built.
pub fn referee(peers: &[Peer], cases: &str, strict: bool) -> run::Result {
    let suite = tools::autobahn()?;
    if peers.contains(&Peer::Client) {
        run::run(&mut cargo(["build", "--release", "-p", "damso", "--example", CLIENT]))?;
    }
    let mut failures = Vec::new();
    for &peer in peers {
        println!("--- {}", peer.name());
        let mut referee = Command::new("python3");
        referee.arg("xtask/autobahn/referee.py").current_dir(root());
        referee.arg("--suite").arg(&suite).args(["--cases", cases, "--agent", peer.name()]);
        referee.arg("--out").arg(target().join("autobahn").join(peer.name()));
        if strict {
            referee.arg("--strict");
        }
        let outcome = match peer {
            Peer::Event | Peer::Threads | Peer::Uring => test_server(peer, referee),
            Peer::Client => judge(referee.arg("--").arg(release("examples").join(CLIENT))),
        };
        failures.extend(outcome.err().map(|failure| (peer, failure)));
    }
    if failures.is_empty() {
        return Ok(());
    }
    let sentences: Vec<_> =
        failures.iter().map(|(peer, why)| format!("{}: {why}", peer.name())).collect();
    let one = if let [(peer, _)] = failures[..] {
        format!(" --engine {}", peer.name())
    } else {
        String::new()
    };
    let strict = if strict { " --strict" } else { "" };
    let again = format!("cargo xtask conformance{one} --cases '{cases}'{strict}");
    Err(Failure::new(sentences.join("; ")).again(again))
}

fn test_server(peer: Peer, mut referee: Command) -> run::Result {
    let server = Server::start(&["echo", "--engine", peer.name()])?;
    let verdict = judge(referee.arg(format!("ws{}/", &server.url["http".len()..])));
    // A server that is gone is the better reason, where both fail.
    server.stop()?;
    verdict
}

fn judge(referee: &mut Command) -> run::Result {
    run::run(referee).map_err(|_| Failure::new("the referee found what it tells above"))
}

/// A running damso; killed when dropped, whatever happened.
pub struct Server {
    child: Child,
    /// As it printed it, without a slash at its end.
    pub url: String,
}

impl Server {
    /// Starts the program with these arguments, on a port of its own.
    pub fn start(args: &[&str]) -> run::Result<Server> {
        let mut command = Command::new(release("damso"));
        command.args(args).args(["--listen", "127.0.0.1:0"]);
        println!("$ {}", run::shell_line(&command));
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child =
            spawned.map_err(|error| Failure::new(format!("damso doesn't start: {error}")))?;
        let stdout = child.stdout.take();
        let mut server = Server { child, url: String::new() };
        let (sender, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            // To the end, lest the server stops in a full pipe; only the first line has a reader.
            for line in stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).lines())
                .map_while(Result::ok)
            {
                let _ = sender.send(line);
            }
        });
        let line = first_line.recv_timeout(SERVER_PATIENCE).map_err(|_| {
            Failure::new("damso doesn't say where it listens: no line on its standard output")
        })?;
        server.url = own_url(&line).ok_or_else(|| {
            Failure::new(format!(
                "damso's first line is {line:?}, not `damso listening on http://ADDR:PORT`"
            ))
        })?;
        Ok(server)
    }

    /// Asks it to end, as an operator does, and wants the 0 that the command line promises.
    pub fn stop(mut self) -> run::Result {
        let unwaitable = |error| Failure::new(format!("damso can't be waited for: {error}"));
        if let Some(status) = self.child.try_wait().map_err(unwaitable)? {
            return Err(Failure::new(format!(
                "damso ended by itself during the test, with {status}"
            )));
        }
        run::succeeds(Command::new("kill").arg("-TERM").arg(self.child.id().to_string()));
        let asked = Instant::now();
        while asked.elapsed() < SERVER_PATIENCE {
            match self.child.try_wait().map_err(unwaitable)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(Failure::new(format!(
                        "damso ended with {status} when asked by SIGTERM, not with 0"
                    )));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        Err(Failure::new("damso doesn't end when asked by SIGTERM"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn own_url(line: &str) -> Option<String> {
    let url = line.strip_prefix("damso listening on ")?;
    url.starts_with("http://").then(|| url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_url() {
        assert_eq!(
            own_url("damso listening on http://127.0.0.1:81").as_deref(),
            Some("http://127.0.0.1:81")
        );
        assert_eq!(
            own_url("damso listening on http://[::1]:81/").as_deref(),
            Some("http://[::1]:81")
        );
        assert_eq!(own_url("warming up"), None);
    }

    #[test]
    fn arguments_choose_engine_and_cases() {
        let parse_words =
            |words: &str| parse(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let all = Arguments { peers: Peer::ALL.to_vec(), cases: "*".into(), strict: false };
        assert_eq!(parse_words("").ok(), Some(all));
        let one = Arguments { peers: vec![Peer::Threads], cases: "7.*".into(), strict: true };
        assert_eq!(parse_words("--engine threads --cases 7.* --strict").ok(), Some(one));
        assert!(parse_words("--engine steam").is_err());
        assert!(parse_words("--cases").is_err());
    }
}
