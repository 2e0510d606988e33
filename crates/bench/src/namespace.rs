//! Networks of a measurement's own: Linux network namespaces, made with `ip` and gone after it. Needs root.

use std::process::Command;

use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where server and generator are, and the server's address there.
pub struct Network {
    /// The server's and the generator's.
    names: [String; 2],
    pub server_address: &'static str,
}

/// How one is made.
pub type Made = fn() -> Result<Network, String>;

const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

impl Network {
    /// Both on one loopback device whose packets are as long as Ethernet's.
    pub fn loopback() -> Result<Self, String> {
        let name = format!("damso-bench-{}", std::process::id());
        let network = Self { names: [name.clone(), name.clone()], server_address: "127.0.0.1" };
        ip(&["netns", "add", &name])?;
        ip(&["-n", &name, "link", "set", "lo", "mtu", "1500", "up"])?;
        Ok(network)
    }

    /// Each in its own, with a pair of virtual Ethernet devices between them.
    pub fn pair() -> Result<Self, String> {
        let names = ["s", "g"].map(|end| format!("damso-bench-{}-{end}", std::process::id()));
        let network = Self { names: names.clone(), server_address: ADDRESSES[0] };
        for name in &names {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        let [server, generator] = &names;
        ip(&[
            "-n", server, "link", "add", "damso0", "type", "veth", "peer", "name", "damso0",
            "netns", generator,
        ])?;
        for (name, address) in names.iter().zip(ADDRESSES) {
            ip(&["-n", name, "address", "add", &format!("{address}/30"), "dev", "damso0"])?;
            ip(&["-n", name, "link", "set", "damso0", "up"])?;
        }
        Ok(network)
    }

    pub fn of_server(&self) -> &str {
        &self.names[0]
    }

    /// Moves the calling thread, and what it starts, to where the generator is.
    pub fn enter(&self) -> Result<(), String> {
        let path = format!("/run/netns/{}", self.names[1]);
        let failed = |error: rustix::io::Errno| format!("{path}: {error}");
        let file = rustix::fs::open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        let file = file.map_err(failed)?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(failed)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for name in &self.names {
            // The second of a network that has one alone isn't there any more.
            let _ = ip(&["netns", "delete", name]);
        }
    }
}

fn ip(words: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(words).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {} (root is needed)", words.join(" "), why.trim()))
}
