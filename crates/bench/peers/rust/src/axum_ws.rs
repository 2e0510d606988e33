//! axum's `ws` as in its `examples/chat`: a broadcast channel, one task that receives and one that sends. What is
//! queued is flushed once, and the read buffer is what axum's documentation says for many connections.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::broadcast::Sender;

use crate::{Result, named};

pub async fn serve() -> Result {
    let listener = crate::listen("axum").await?.tap_io(|stream| {
        // It works without, too.
        let _ = stream.set_nodelay(true);
    });
    let app = Router::new().route("/ws", any(upgrade)).with_state(crate::channel::<Utf8Bytes>());
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn upgrade(
    request: WebSocketUpgrade,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(everybody): State<Sender<Utf8Bytes>>,
) -> Response {
    request.read_buffer_size(4 * 1024).on_upgrade(move |socket| connection(socket, peer, everybody))
}

async fn connection(socket: WebSocket, peer: SocketAddr, everybody: Sender<Utf8Bytes>) {
    let mut receiver = everybody.subscribe();
    let (mut outgoing, mut incoming) = socket.split();
    let mut send = tokio::spawn(async move {
        while let Ok(text) = receiver.recv().await {
            outgoing.feed(Message::Text(text)).await?;
            while let Ok(text) = receiver.try_recv() {
                outgoing.feed(Message::Text(text)).await?;
            }
            outgoing.flush().await?;
        }
        Ok::<(), axum::Error>(())
    });
    let mut receive = tokio::spawn(async move {
        while let Some(Ok(message)) = incoming.next().await {
            if let Message::Text(text) = message {
                // There is a receiver: its own.
                let _ = everybody.send(named(peer, &text).into());
            }
        }
    });
    tokio::select! {
        _ = &mut send => receive.abort(),
        _ = &mut receive => send.abort(),
    }
}
