//! `damso echo`: every WebSocket message goes back to its sender. For conformance suites.

use crate::args::EchoArgs;
use crate::config::Config;
use crate::engine::{self, Links};
use crate::http::upgrade::Door;
use crate::lang::Lang;
use crate::process::{self, Failure};
use crate::readers::Readers;
use crate::serve;
use crate::session::Context;
use crate::shard::ToShard;
use std::sync::{Arc, mpsc};

/// The longest message an echo takes, in bytes: conformance suites send 16 MiB.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// Runs the echo server until it is asked to stop.
///
/// # Errors
/// What kept it from starting.
pub fn run(args: &EchoArgs) -> Result<(), Failure> {
    let config = Config::of_echo(args)?;
    process::begin_serving(config.log);
    let listening = crate::listen::listen(&config.listen, false, false)?;
    let mut engine_config = serve::websocket_config(&config.limits);
    engine_config.limits.frame_bytes = MESSAGE_BYTES_MAX as u64;
    engine_config.limits.message_bytes = MESSAGE_BYTES_MAX;
    let context = Arc::new(Context::new(Door::Echo, engine_config, config.limits));
    let links = Links {
        context,
        hub: Arc::new(|_| {}),
        readers: Readers::new(|_| {}),
        // An echo answers pages itself, so nothing is handed over.
        http: Arc::new(|newcomer, _| drop(newcomer)),
        tls: None,
    };
    let running = engine::start(config.engine, config.shards, listening.listeners, links)
        .map_err(|error| Failure::other(format!("the engine can't start: {error}")))?;
    let (stop, stopped) = mpsc::channel();
    let (watching, watched) = mpsc::channel();
    serve::spawn_runtime("signals", process::watch_signals(stop, watching))?;
    // Fails only where signals can't be watched, and then they do what they do by default.
    let _ = watched.recv();
    serve::announce(&listening.urls);
    // The sender lives as long as the signals are watched.
    let _ = stopped.recv();
    for shard in &running.shards {
        shard.give(vec![ToShard::Stop]);
    }
    serve::join(running.threads);
    process::print_last(serve::stopped_sentence(Lang::of_environment()));
    Ok(())
}
