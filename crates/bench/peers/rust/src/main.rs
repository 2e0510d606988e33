//! Broadcast servers on Rust's WebSocket libraries, each written as its own documentation does it: everybody who is
//! connected gets every text message, its sender too, with `ip:port :: ` before it.
//!
//! Where a library can write several messages in one go, it does; where its documentation names a setting for many
//! connections, it is set. The runtime is tokio's usual one.

mod axum_ws;
mod fast;
mod tungstenite;
mod websockets;

use std::error::Error;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// Messages a receiver may be behind: more than are ever in flight.
const BEHIND_MAX: usize = 8192;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result {
    let library = std::env::args().nth(1).unwrap_or_default();
    match &*library {
        "axum" => axum_ws::serve().await,
        "fastwebsockets" => fast::serve().await,
        "tokio-tungstenite" => tungstenite::serve().await,
        "tokio-websockets" => websockets::serve().await,
        _ => Err(format!("{library}: no such library").into()),
    }
}

async fn listen(library: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{library} listening on http://{}", listener.local_addr()?);
    Ok(listener)
}

fn named(peer: SocketAddr, text: &str) -> String {
    format!("{peer} :: {text}")
}

/// A channel that gives everybody every message.
fn channel<T: Clone>() -> broadcast::Sender<T> {
    broadcast::channel(BEHIND_MAX).0
}
