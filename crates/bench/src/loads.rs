//! Loads besides the table's: at a rate, in many rooms, with readers who don't read, deflated, over TLS.

use std::path::Path;
use std::process::Command;

use crate::compare::{Case, Plan, Way};
use crate::fanout::{Load, Shape};
use crate::generator::Wait;
use crate::link::Trust;
use crate::namespace::Network;
use crate::peer::{self, Peer};
use crate::server::Folder;
use crate::table::thousands;

/// What all loads have in common.
pub struct Common {
    pub plan: Plan,
    pub seconds: f64,
    pub warm_up_seconds: f64,
    pub wait: Wait,
    pub damso: Option<String>,
    /// Names of servers; empty: all.
    pub only: Vec<String>,
    /// Bun is to lose and double messages, which has to be found.
    pub faulty: bool,
}

impl Common {
    fn load(&self, subscribers: usize, bytes: usize, in_flight: usize) -> Load {
        Load {
            subscribers,
            publishers: 1,
            bytes,
            in_flight,
            seconds: self.seconds,
            warm_up_seconds: self.warm_up_seconds,
            wait: self.wait,
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    fn peer(&self, name: &str) -> Result<Peer, String> {
        peer::find(name, self.damso.as_deref())
    }

    /// damso on each of its engines that there is, plain, its log in memory.
    fn damsos(&self) -> Result<Vec<Peer>, String> {
        let mut peers = vec![self.peer("damso")?];
        let help = peers[0].command().args(["help", "all"]).output();
        let help = help.map_err(|error| format!("damso help all: {error}"))?;
        if String::from_utf8_lossy(&help.stdout).contains("uring") {
            peers.push(self.peer("damso-uring")?);
        }
        Ok(peers)
    }

    /// Bun, unless it can't be had.
    fn bun(&self, words: &[&str]) -> Option<Peer> {
        match self.peer("bun") {
            Ok(peer) if self.faulty => Some(peer.and(words).and(&["faulty"])),
            Ok(peer) => Some(peer.and(words)),
            Err(why) => {
                eprintln!("bun is missing: {why}");
                None
            }
        }
    }

    /// Keeps the cases of wanted servers, and runs them.
    fn run(&self, cases: Vec<Case>) -> Result<bool, String> {
        let mut kept = Vec::new();
        let mut places = vec![None; cases.len()];
        for (at, case) in cases.into_iter().enumerate() {
            if self.wants(&case.peer.name) {
                places[at] = Some(kept.len());
                kept.push(case);
            }
        }
        for (at, case) in kept.iter_mut().enumerate() {
            case.base = places[case.base].unwrap_or(at);
        }
        if kept.is_empty() {
            return Err("no server to measure".into());
        }
        Ok(self.plan.run(&kept))
    }
}

/// Messages at a rate to `subscribers`.
pub fn rate(common: &Common, rates: &[f64], subscribers: usize) -> Result<bool, String> {
    let mut peers: Vec<Peer> = common.bun(&[]).into_iter().collect();
    peers.extend(common.damsos()?);
    let mut cases = Vec::new();
    for per_second in rates {
        let base = cases.len();
        cases.extend(peers.iter().map(|peer| Case {
            load_name: format!("{per_second} messages/s to {}", thousands(subscribers as u64)),
            peer: peer.clone(),
            target: Way::default(),
            load: common.load(subscribers, 64, 1),
            shape: Shape { per_second: Some(*per_second), ..Shape::default() },
            base,
            network: None,
        }));
    }
    common.run(cases)
}

/// Of how many rooms, with how many subscribers each.
pub struct Rooms {
    pub few: [usize; 2],
    pub many: [usize; 2],
    /// The hot room's subscribers and messages in flight.
    pub hot: [usize; 2],
}

/// Many rooms at once, and a small one beside a hot one.
pub fn rooms(common: &Common, rooms: &Rooms) -> Result<bool, String> {
    let v1 = common.peer("damso-v1-memory")?;
    let mut peers = vec![(v1, None)];
    if let Some(bun) = common.bun(&[]) {
        let mut json = bun.clone();
        json.name = "bun-json".into();
        peers.push((json, Some("/json")));
        peers.push((bun, Some("/ws")));
    }
    let mut cases: Vec<Case> = Vec::new();
    let mut push = |title: &str, load: &Load, shape: &Shape, base: Option<usize>| {
        let first = cases.len();
        for (at, (peer, path)) in peers.iter().enumerate() {
            // Either to another load on the same server, or to Bun under the same load, which is the last.
            let base = base.map_or(first + peers.len() - 1, |base| base + at);
            cases.push(Case {
                load_name: title.into(),
                peer: peer.clone(),
                target: Way { path: path.map(String::from), ..Way::default() },
                load: load.clone(),
                shape: shape.clone(),
                base,
                network: None,
            });
        }
        first
    };
    let title = |rooms: usize, [_, each]: [usize; 2]| {
        let plural = if rooms == 1 { "" } else { "s" };
        format!("{} room{plural} × {}", thousands(rooms as u64), thousands(each as u64))
    };
    let in_rooms = |rooms: usize| Shape { rooms, ..Shape::default() };
    let closed = |each: usize, in_flight: usize| common.load(each, 64, in_flight);

    let [count, each] = rooms.few;
    let one = Load { publishers: count, ..closed(each, count) };
    let name = |rooms: usize| format!("{}, {count} publishers", title(rooms, [0, each]));
    let base = push(&name(1), &one, &in_rooms(1), None);
    push(&name(count), &closed(each, 1), &in_rooms(count), Some(base));

    let [count, each] = rooms.many;
    let name = format!("{}, 1 in flight each", title(count, [0, each]));
    push(&name, &closed(each - 1, 1), &in_rooms(count), None);

    let small = closed(9, 1);
    let alone = Shape { rooms: 1, per_second: Some(100.0), ..Shape::default() };
    let base = push("1 room × 10, 100 messages/s, alone", &small, &alone, None);
    let [subscribers, in_flight] = rooms.hot;
    let beside = Shape { beside: Some(closed(subscribers, in_flight)), ..alone };
    let name = format!(
        "the same beside a room × {}, {in_flight} in flight",
        thousands(subscribers as u64)
    );
    push(&name, &small, &beside, Some(base));
    common.run(cases)
}

/// Subscribers of whom a tenth never reads.
pub fn slow(common: &Common, subscribers: usize) -> Result<bool, String> {
    let mut peers = common.damsos()?;
    peers.push(common.peer("damso-v1-memory")?);
    peers.extend(common.bun(&[]));
    let deaf = subscribers / 10;
    let mut cases = Vec::new();
    for in_flight in [1, 64] {
        for peer in &peers {
            let base = cases.len();
            for (deaf, words) in [(0, "alone"), (deaf, "beside some who never read")] {
                let readers = subscribers - subscribers / 10;
                cases.push(Case {
                    load_name: format!("{readers} readers {words}, {in_flight} in flight"),
                    peer: peer.clone(),
                    target: Way::default(),
                    load: common.load(readers + deaf, 64, in_flight),
                    shape: Shape { deaf, rooms: 0, ..Shape::default() },
                    base,
                    network: None,
                });
            }
        }
    }
    common.run(cases)
}

/// Subscribers who agreed to permessage-deflate, beside those who didn't.
pub fn deflate(common: &Common, subscribers: usize, bytes: &[usize]) -> Result<bool, String> {
    let mut peers = common.damsos()?;
    peers.push(common.peer("damso-v1-memory")?);
    peers.extend(common.bun(&["deflate"]));
    let mut cases = Vec::new();
    for bytes in bytes {
        for peer in &peers {
            let base = cases.len();
            for deflate in [false, true] {
                let way = if deflate { "deflated" } else { "as it is" };
                cases.push(Case {
                    load_name: format!("{subscribers} subscribers, {bytes} B {way}, 1 in flight"),
                    peer: peer.clone(),
                    target: Way { deflate, ..Way::default() },
                    load: common.load(subscribers, *bytes, 1),
                    shape: Shape::default(),
                    base,
                    network: None,
                });
            }
        }
    }
    common.run(cases)
}

/// Subscribers over wss, beside those who aren't.
pub fn tls(common: &Common, subscribers: usize) -> Result<bool, String> {
    let folder = Folder::new("tls")?;
    let [certificate, key, authority] = certificates(&folder)?;
    let trust = Trust::in_file(Path::new(&authority))?;
    let words = ["--tls-cert", certificate.as_str(), "--tls-key", key.as_str()];
    let mut peers = Vec::new();
    if let Some(mut bun) = common.bun(&["tls", &certificate, &key]) {
        bun.name = "bun-tls".into();
        peers.push((bun, Some(trust.clone())));
    }
    for damso in common.damsos()? {
        let mut secure = damso.clone().and(&words);
        secure.name.push_str("-tls");
        peers.extend([(secure, Some(trust.clone())), (damso, None)]);
    }
    for (peer, _) in &mut peers {
        peer.shown = peer.shown.replace(&*folder.path().to_string_lossy(), "FOLDER");
    }
    let mut cases = Vec::new();
    for in_flight in [1, 64] {
        let base = cases.len();
        cases.extend(peers.iter().map(|(peer, trust)| Case {
            load_name: format!(
                "{} subscribers, 64 B, {in_flight} in flight",
                thousands(subscribers as u64)
            ),
            peer: peer.clone(),
            target: Way { trust: trust.clone(), ..Way::default() },
            load: common.load(subscribers, 64, in_flight),
            shape: Shape::default(),
            base,
            network: None,
        }));
    }
    common.run(cases)
}

/// A certificate for this machine, its key, and the one that vouches for it, made for this run.
fn certificates(folder: &Folder) -> Result<[String; 3], String> {
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (authority, authority_key) = (path("authority.pem"), path("authority.key"));
    let (certificate, key) = (path("certificate.pem"), path("certificate.key"));
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    let is_none = "basicConstraints=critical,CA:FALSE";
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let own = ["-subj", "/CN=bench", "-out", &authority, "-keyout", &authority_key];
    let vouched = ["-subj", "/CN=localhost", "-out", &certificate, "-keyout", &key];
    let by = ["-CA", &authority, "-CAkey", &authority_key, "-addext", is_none, "-addext", names];
    for words in [own.to_vec(), [&vouched[..], &by[..]].concat()] {
        let made = Command::new("openssl").args(make.split(' ')).args(words).output();
        let made = made.map_err(|error| format!("openssl: {error}"))?;
        if !made.status.success() {
            return Err(format!("openssl: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
    }
    Ok([certificate, key, authority])
}

/// One shard beside two, for readers who run free. Nothing is pinned: shards and readers share what cores there are.
pub fn shards(common: &Common, subscribers: usize, counts: &[usize]) -> Result<bool, String> {
    let damso = common.peer("damso")?;
    let mut cases = Vec::new();
    for in_flight in [1, 64] {
        let base = cases.len();
        for count in counts {
            let mut peer = damso.clone().and(&["--shards", &count.to_string()]);
            peer.name = format!("damso, {count} shard{}", if *count == 1 { "" } else { "s" });
            cases.push(Case {
                load_name: format!(
                    "{} free readers, 64 B, {in_flight} in flight",
                    thousands(subscribers as u64)
                ),
                peer,
                target: Way::default(),
                load: common.load(subscribers, 64, in_flight),
                shape: Shape { free: true, ..Shape::default() },
                base,
                network: None,
            });
        }
    }
    common.run(cases)
}

/// The same load over loopback as it is, with packets as on a network, and between two namespaces.
pub fn network(common: &Common, subscribers: usize) -> Result<bool, String> {
    let mut peers: Vec<Peer> = Vec::new();
    peers.extend(common.bun(&["host", "127.0.0.1"]));
    peers.extend(common.damsos()?);
    peers.push(common.peer("floor")?);
    let networks: [(&str, Option<fn() -> Result<Network, String>>); 3] = [
        ("lo", None),
        ("lo, MTU 1500", Some(Network::loopback)),
        ("veth pair", Some(Network::pair)),
    ];
    let mut cases = Vec::new();
    for in_flight in [1, 64] {
        for (name, network) in networks {
            let base = cases.len();
            cases.extend(peers.iter().map(|peer| Case {
                load_name: format!(
                    "{} subscribers, 64 B, {in_flight} in flight, {name}",
                    thousands(subscribers as u64)
                ),
                peer: peer.clone(),
                target: Way::default(),
                load: common.load(subscribers, 64, in_flight),
                shape: Shape::default(),
                base,
                network,
            }));
        }
    }
    common.run(cases)
}
