//! A hostile network: takes connections and passes their bytes on, until it cuts them in the middle
//! of a frame, delivers them byte by byte or late, or stops without a word.

use crate::random::Random;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// What it did.
#[derive(Default, Debug)]
pub struct Deeds {
    pub connections: AtomicU64,
    /// Connections closed after a number of bytes, wherever in a frame that was.
    pub cuts: AtomicU64,
    /// Connections on which nothing came any more, without being closed.
    pub half_open: AtomicU64,
    /// Connections whose bytes came one by one, for a while.
    pub crumbs: AtomicU64,
    /// Connections whose bytes came late.
    pub delays: AtomicU64,
}

/// It takes connections until the process ends.
pub struct Proxy {
    pub address: SocketAddr,
    pub deeds: Arc<Deeds>,
    mood: Arc<Mood>,
}

/// What it doesn't do any more.
#[derive(Default)]
struct Mood {
    /// Nothing worse than passing bytes on.
    calm: AtomicBool,
    /// Where it would fall silent it cuts.
    loud: AtomicBool,
}

/// What becomes of one direction of a connection.
#[derive(Clone, Debug)]
struct Plan {
    /// So many bytes go through.
    budget: u64,
    ending: Ending,
    /// So many bytes come one by one.
    crumbs: u64,
    delay: Duration,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Ending {
    Cut,
    Silence,
}

impl Plan {
    fn draw(random: &mut Random) -> Self {
        // Handshake, hello and welcome are some 1,500 bytes: cuts fall into them, and far behind.
        let budget = match random.between(0, 10) {
            0 | 1 => random.between(1, 2_000),
            2..6 => random.between(500, 20_000),
            _ => random.between(10_000, 300_000),
        };
        let ending = if random.chance(0.08) { Ending::Silence } else { Ending::Cut };
        let crumbs = if random.chance(0.25) { random.between(100, 4_000) } else { 0 };
        let delay = if random.chance(0.25) { random.between(5, 120) } else { 0 };
        Self { budget, ending, crumbs, delay: Duration::from_millis(delay) }
    }
}

impl Proxy {
    pub fn start(target: SocketAddr, random: Random) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the proxy can't listen: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (deeds, mood) = (Arc::new(Deeds::default()), Arc::new(Mood::default()));
        let (noted, moody) = (deeds.clone(), mood.clone());
        let accept = move || accept(&listener, target, random, &noted, &moody);
        thread::Builder::new().name("proxy".into()).spawn(accept).map_err(failed)?;
        Ok(Self { address, deeds, mood })
    }

    /// From now on it passes everything on, but for connections that fell silent before.
    pub fn calm(&self) {
        self.mood.calm.store(true, Ordering::Relaxed);
    }

    /// From now on no connection falls silent any more, which takes long to be noticed.
    pub fn loud(&self) {
        self.mood.loud.store(true, Ordering::Relaxed);
    }
}

fn accept(
    listener: &TcpListener,
    target: SocketAddr,
    mut random: Random,
    deeds: &Arc<Deeds>,
    mood: &Arc<Mood>,
) {
    while let Ok((client, _)) = listener.accept() {
        let plans = [Plan::draw(&mut random), Plan::draw(&mut random)];
        // A server that is down refuses, and so do we.
        let Ok(server) = TcpStream::connect(target) else { continue };
        deeds.connections.fetch_add(1, Ordering::Relaxed);
        let delays = plans.iter().any(|plan| !plan.delay.is_zero());
        deeds.delays.fetch_add(delays.into(), Ordering::Relaxed);
        let crumbs = plans.iter().any(|plan| plan.crumbs > 0);
        deeds.crumbs.fetch_add(crumbs.into(), Ordering::Relaxed);
        let _ = client.set_nodelay(true);
        let _ = server.set_nodelay(true);
        let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
            continue;
        };
        let silent = Arc::new(AtomicBool::new(false));
        let [up, down] = plans;
        for (from, to, plan) in [(client, server_too, up), (server, client_too, down)] {
            let (deeds, mood, silent) = (deeds.clone(), mood.clone(), silent.clone());
            // Without a thread the sockets are closed, which is one more cut.
            let _ = thread::Builder::new()
                .name("proxy-pump".into())
                .stack_size(128 * 1024)
                .spawn(move || pump(from, to, plan, &deeds, &mood, &silent));
        }
    }
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    mut plan: Plan,
    deeds: &Deeds,
    mood: &Mood,
    silent: &AtomicBool,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if silent.load(Ordering::Relaxed) {
            continue;
        }
        thread::sleep(plan.delay);
        let mut bytes = &buffer[..read];
        let is_over = !mood.calm.load(Ordering::Relaxed) && read as u64 > plan.budget;
        if is_over {
            bytes = &bytes[..plan.budget as usize];
        }
        plan.budget = plan.budget.saturating_sub(read as u64);
        if pass(&mut to, bytes, &mut plan.crumbs).is_err() {
            break;
        }
        if !is_over {
            continue;
        }
        if plan.ending == Ending::Cut || mood.loud.load(Ordering::Relaxed) {
            deeds.cuts.fetch_add(1, Ordering::Relaxed);
            break;
        }
        if !silent.swap(true, Ordering::Relaxed) {
            deeds.half_open.fetch_add(1, Ordering::Relaxed);
        }
    }
    // What one end does isn't told to the other any more.
    if !silent.load(Ordering::Relaxed) {
        let _ = to.shutdown(Shutdown::Both);
    }
    let _ = from.shutdown(Shutdown::Both);
}

fn pass(to: &mut TcpStream, bytes: &[u8], crumbs: &mut u64) -> std::io::Result<()> {
    let (single, rest) = bytes.split_at(bytes.len().min(*crumbs as usize));
    *crumbs -= single.len() as u64;
    for (at, byte) in single.chunks(1).enumerate() {
        to.write_all(byte)?;
        // Some of them alone in their segment.
        if at % 16 == 0 {
            thread::sleep(Duration::from_micros(200));
        }
    }
    to.write_all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calm_it_passes_everything_on_and_else_it_cuts() {
        let echo = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = echo.local_addr().unwrap();
        thread::spawn(move || {
            while let Ok((mut socket, _)) = echo.accept() {
                thread::spawn(move || {
                    let mut back = socket.try_clone().unwrap();
                    let _ = std::io::copy(&mut socket, &mut back);
                });
            }
        });
        let proxy = Proxy::start(target, Random::new(3)).unwrap();
        let all = vec![7; 1_000_000];
        let through = || {
            let mut socket = TcpStream::connect(proxy.address).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut writer = socket.try_clone().unwrap();
            let sent = all.clone();
            thread::spawn(move || writer.write_all(&sent));
            let mut back = vec![0; all.len()];
            socket.read_exact(&mut back).is_ok() && back == all
        };
        let cut = (0..4).filter(|_| !through()).count();
        assert_eq!(cut, 4, "no budget is that large");
        proxy.calm();
        assert!(through());
    }
}
