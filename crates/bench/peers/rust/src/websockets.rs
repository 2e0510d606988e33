//! tokio-websockets: a broadcast channel, one task a connection, what is queued flushed once.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::Sender;
use tokio_websockets::{Message, ServerBuilder};

use crate::{Result, named};

pub async fn serve() -> Result {
    let listener = crate::listen("tokio-websockets").await?;
    let everybody = crate::channel::<Message>();
    loop {
        let (stream, peer) = listener.accept().await?;
        tokio::spawn(connection(stream, peer, everybody.clone()));
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, everybody: Sender<Message>) -> Result {
    stream.set_nodelay(true)?;
    let (_, mut socket) = ServerBuilder::new().accept(stream).await?;
    let mut receiver = everybody.subscribe();
    loop {
        tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(message)) => {
                    if let Some(text) = message.as_text() {
                        // There is a receiver: this connection's.
                        let _ = everybody.send(Message::text(named(peer, text)));
                    }
                }
                _ => return Ok(()),
            },
            message = receiver.recv() => {
                socket.feed(message?).await?;
                while let Ok(message) = receiver.try_recv() {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
        }
    }
}
