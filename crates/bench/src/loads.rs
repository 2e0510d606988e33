//! Loads besides the table's: at a rate, in many rooms, with readers who don't read, deflated, over TLS.

use std::path::Path;
use std::process::Command;

use crate::compare::{Case, Plan, Way};
use crate::fanout::{Load, Shape};
use crate::generator::Wait;
use crate::link::Trust;
use crate::namespace::{Made, Network};
use crate::peer::{self, Peer};
use crate::server::Folder;
use crate::table::thousands;

/// A section of Markdown, and whether all was delivered.
pub type Measured = Result<(String, bool), String>;

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

    /// Those of these servers that are wanted and can be had.
    fn peers(&self, names: &[&str]) -> Vec<Peer> {
        let mut peers = Vec::new();
        for name in names.iter().filter(|name| self.wants(name)) {
            match peer::find(name, self.damso.as_deref()) {
                Ok(peer) if *name == "damso-uring" && !has_uring(&peer) => {}
                Ok(peer) => peers.push(peer),
                Err(why) => eprintln!("{name} is missing: {why}"),
            }
        }
        peers
    }

    /// The same; if faults are wanted, those servers alone that can have some.
    fn peers_or_faulty(&self, names: &[&str]) -> Vec<Peer> {
        if !self.faulty {
            return self.peers(names);
        }
        let worse = |peer: Peer| match peer.name.as_str() {
            "floor" => peer.and(&["--lose-every", "20"]),
            _ => peer.and(&["faulty"]),
        };
        self.peers(&["floor", "bun"]).into_iter().map(worse).collect()
    }

    fn run(&self, text: &str, cases: Vec<Case>) -> Measured {
        if cases.is_empty() {
            return Err("no server to measure".into());
        }
        let (table, is_clean) = self.plan.run(&cases);
        Ok((format!("{text}\n\n{table}"), is_clean))
    }
}

/// Whether this damso has an engine on io_uring.
fn has_uring(damso: &Peer) -> bool {
    let help = damso.command().args(["help", "all"]).output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("uring"))
}

/// The servers that are measured plain.
const PLAIN: [&str; 3] = ["bun", "damso", "damso-uring"];

/// Messages at a rate to `subscribers`.
pub fn rate(common: &Common, rates: &[f64], subscribers: usize) -> Measured {
    let peers = common.peers_or_faulty(&PLAIN);
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
    let text = "One publisher sends so many messages a second, whatever became of those before. Each delivery counts \
        from when its message was meant to be sent: what waits for a server that falls behind isn't left out. The \
        generator's own delay is in all figures alike.";
    common.run(text, cases)
}

/// Of how many rooms, with how many subscribers each.
pub struct Rooms {
    pub few: [usize; 2],
    pub many: [usize; 2],
    /// The hot room's subscribers and messages in flight.
    pub hot: [usize; 2],
}

/// Many rooms at once, and a small one beside a hot one.
pub fn rooms(common: &Common, rooms: &Rooms) -> Measured {
    let faulty = |peer: Peer| if common.faulty { peer.and(&["faulty"]) } else { peer };
    let mut peers: Vec<(Peer, Option<&str>)> = Vec::new();
    if !common.faulty {
        peers.extend(common.peers(&["damso-v1-memory"]).into_iter().map(|peer| (peer, None)));
    }
    for bun in common.peers(&["bun"]).into_iter().map(faulty) {
        let mut json = bun.clone();
        json.name = "bun-json".into();
        peers.extend([(json, Some("/json")), (bun, Some("/ws"))]);
    }
    if peers.is_empty() {
        return Err("no server to measure".into());
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
    let title = |rooms: usize, each: usize| {
        let plural = if rooms == 1 { "" } else { "s" };
        format!("{} room{plural} × {}", thousands(rooms as u64), thousands(each as u64))
    };
    let in_rooms = |rooms: usize| Shape { rooms, ..Shape::default() };
    let closed = |each: usize, in_flight: usize| common.load(each, 64, in_flight);

    let [count, each] = rooms.few;
    for in_flight in [1, 16] {
        let name = |rooms: usize| format!("{}, {in_flight} in flight each", title(rooms, each));
        let load = closed(each, in_flight);
        let base = push(&name(1), &load, &in_rooms(1), None);
        push(&name(count), &load, &in_rooms(count), Some(base));
    }

    let [count, each] = rooms.many;
    let name = format!("{}, 1 in flight each", title(count, each));
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
    let text = "Over damso.v1, whose messages are longer, with the log in memory; `bun-json` is Bun that parses and \
        writes JSON of the same size, an `ok` for the author included, and `bun` Bun with plain lines. The CPU of the \
        last load is that of both rooms, for each delivery in the small one: only its times say something.";
    common.run(text, cases)
}

/// Subscribers of whom a tenth never reads.
pub fn slow(common: &Common, subscribers: usize) -> Measured {
    let peers = common.peers_or_faulty(&["damso", "damso-uring", "damso-v1-memory", "bun"]);
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
    let text = "A tenth of the subscribers never takes a byte. Their copies don't count as deliveries; what those who read \
        get is compared with what the same number of readers gets alone. Where a server dropped some of those who \
        don't read, the last column says how many.";
    common.run(text, cases)
}

/// Subscribers who agreed to permessage-deflate, beside those who didn't.
pub fn deflate(common: &Common, subscribers: usize, bytes: &[usize]) -> Measured {
    let peers = common.peers_or_faulty(&["damso", "damso-uring", "damso-v1-memory", "bun"]);
    let deflates = |peer: Peer| if peer.name == "bun" { peer.and(&["deflate"]) } else { peer };
    let peers: Vec<Peer> =
        peers.into_iter().filter(|peer| peer.name != "floor").map(deflates).collect();
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
    let text = "Every subscriber has agreed to permessage-deflate without a lasting context, or none has. The text is \
        English prose, which at 1 KB deflates to a half. The first copy of each message is inflated and checked, the \
        others have to be the same bytes or are inflated too.";
    common.run(text, cases)
}

/// Subscribers over wss, beside those who aren't.
pub fn tls(common: &Common, subscribers: usize) -> Measured {
    let folder = Folder::new("tls")?;
    let [certificate, key, authority] = certificates(&folder)?;
    let trust = Trust::in_file(Path::new(&authority))?;
    let mut peers = Vec::new();
    for peer in common.peers_or_faulty(&PLAIN) {
        let words: &[&str] = match peer.name.as_str() {
            "bun" => &["tls", &certificate, &key],
            "floor" => continue,
            _ => &["--tls-cert", &certificate, "--tls-key", &key],
        };
        let mut secure = peer.clone().and(words);
        secure.name.push_str("-tls");
        peers.push((secure, Some(trust.clone())));
        if peer.name != "bun" {
            peers.push((peer, None));
        }
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
    let text = "TLS 1.3 with a P-256 certificate. Each subscriber deciphers its own copies, which costs the generator about \
        as much as the server, and every copy is checked.";
    common.run(text, cases)
}

/// A certificate for this machine, its key, and the one that vouches for it, made for this run.
///
/// # Errors
/// A sentence, when openssl isn't there or refuses.
pub fn certificates(folder: &Folder) -> Result<[String; 3], String> {
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
pub fn shards(common: &Common, subscribers: usize, counts: &[usize]) -> Measured {
    let damsos = common.peers_or_faulty(&["damso", "damso-uring"]);
    let mut cases = Vec::new();
    for (in_flight, damso) in
        [1, 64].into_iter().flat_map(|n| damsos.iter().map(move |peer| (n, peer)))
    {
        let base = cases.len();
        for count in counts {
            let mut peer = damso.clone();
            if !common.faulty {
                peer = peer.and(&["--shards", &count.to_string()]);
                peer.name
                    .push_str(&format!(", {count} shard{}", if *count == 1 { "" } else { "s" }));
            }
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
    let text = "All but 16 readers run free: they throw away what they get without copying it, and nobody waits for them, so \
        that readers cost as little as they can. The 16 check every message; the others' bytes are counted, and in the \
        end have to come to as many messages (which doesn't show an order).";
    common.run(text, cases)
}

/// The same load over loopback as it is, with packets as on a network, and between two namespaces.
pub fn network(common: &Common, subscribers: usize) -> Measured {
    let hosted = |peer: Peer| match peer.name.as_str() {
        "bun" => peer.and(&["host", "127.0.0.1"]),
        _ => peer,
    };
    let names = ["bun", "damso", "damso-uring", "floor"];
    let peers: Vec<Peer> = common.peers_or_faulty(&names).into_iter().map(hosted).collect();
    let networks: [(&str, Option<Made>); 3] = [
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
    let text = "Over plain loopback the receiver's half of TCP is charged to the sender, and a packet holds 64 KB. So the same \
        also over a loopback device with Ethernet's MTU, and between two network namespaces with a pair of virtual \
        devices.";
    common.run(text, cases)
}
