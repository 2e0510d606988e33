//! fastwebsockets over hyper as in its `examples/echo_server_split.rs`, with a broadcast channel between. Its
//! `write_frame` writes at once, so that a buffer stands before the socket and is flushed when the channel is empty.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::BufWriter;
use tokio::sync::Mutex;
use tokio::sync::broadcast::Sender;

use crate::{Result, named};

pub async fn serve() -> Result {
    let listener = crate::listen("fastwebsockets").await?;
    let everybody = crate::channel::<Bytes>();
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let everybody = everybody.clone();
        let service = service_fn(move |request| answer(request, peer, everybody.clone()));
        let serving =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
        tokio::spawn(serving);
    }
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    everybody: Sender<Bytes>,
) -> std::result::Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(connection(upgraded, peer, everybody));
    Ok(response)
}

async fn connection(upgraded: UpgradeFut, peer: SocketAddr, everybody: Sender<Bytes>) -> Result {
    let mut receiver = everybody.subscribe();
    let (incoming, outgoing) = upgraded.await?.split(|stream| {
        let (read, write) = tokio::io::split(stream);
        (read, BufWriter::with_capacity(16 * 1024, write))
    });
    // For pongs and the closing handshake, which the reader asks for.
    let outgoing = Arc::new(Mutex::new(outgoing));
    let answers = outgoing.clone();
    let mut incoming = FragmentCollectorRead::new(incoming);
    let mut send = tokio::spawn(async move {
        while let Ok(text) = receiver.recv().await {
            let mut outgoing = outgoing.lock().await;
            outgoing.write_frame(Frame::text(Payload::Borrowed(&text))).await?;
            while let Ok(text) = receiver.try_recv() {
                outgoing.write_frame(Frame::text(Payload::Borrowed(&text))).await?;
            }
            outgoing.flush().await?;
        }
        Ok::<(), WebSocketError>(())
    });
    let mut answer = async |frame| {
        let mut outgoing = answers.lock().await;
        outgoing.write_frame(frame).await?;
        outgoing.flush().await
    };
    loop {
        let frame = tokio::select! {
            _ = &mut send => return Ok(()),
            frame = incoming.read_frame(&mut answer) => frame,
        };
        match frame {
            Ok(frame) if frame.opcode == OpCode::Text => {
                let text = str::from_utf8(&frame.payload)?;
                // There is a receiver: this connection's.
                let _ = everybody.send(named(peer, text).into());
            }
            Ok(frame) if frame.opcode != OpCode::Close => {}
            _ => {
                send.abort();
                return Ok(());
            }
        }
    }
}
