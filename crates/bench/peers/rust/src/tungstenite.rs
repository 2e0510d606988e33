//! tokio-tungstenite as in its `examples/server.rs`: a channel for each peer, forwarded to its socket, which is flushed
//! when the channel is empty. The read buffer is what the documentation of `WebSocketConfig` says for many connections.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::mpsc::{UnboundedSender, unbounded};
use futures_util::{StreamExt, TryStreamExt, future, pin_mut};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};

use crate::{Result, named};

type Peers = Arc<Mutex<HashMap<SocketAddr, UnboundedSender<Message>>>>;

pub async fn serve() -> Result {
    let listener = crate::listen("tokio-tungstenite").await?;
    let peers = Peers::default();
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(connection(peers.clone(), stream, peer));
    }
}

async fn connection(peers: Peers, stream: TcpStream, peer: SocketAddr) -> Result {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(4 * 1024);
    let socket = accept_async_with_config(stream, Some(config)).await?;
    let everybody = || peers.lock().unwrap_or_else(PoisonError::into_inner);
    let (sender, receiver) = unbounded();
    everybody().insert(peer, sender);
    let (outgoing, incoming) = socket.split();
    let publish = incoming.try_for_each(|message| {
        if let Message::Text(text) = message {
            let message = Message::text(named(peer, &text));
            for sender in everybody().values() {
                // One that has just gone doesn't want it.
                let _ = sender.unbounded_send(message.clone());
            }
        }
        future::ok(())
    });
    let forward = receiver.map(Ok).forward(outgoing);
    pin_mut!(publish, forward);
    future::select(publish, forward).await;
    everybody().remove(&peer);
    Ok(())
}
