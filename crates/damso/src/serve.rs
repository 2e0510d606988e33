//! `damso serve`: builds the parts, joins them, runs them until it is asked to stop.

use crate::args::ServeArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::console::{self, Console};
use crate::engine::{self, Links};
use crate::feed::Published;
use crate::http::{self, upgrade::Door};
use crate::lang::Lang;
use crate::process::{self, Failure};
use crate::session::Context;
use crate::shard::{ShardHandle, ToShard};
use damso_chat::hub::{Hub, Input, Output};
use damso_protocol::Limits;
use damso_store::{Log, Memory};
use damso_websocket as websocket;
use std::future::Future;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Inputs the hub takes in before it hands its outputs on.
const INPUTS_MAX: usize = 4096;

/// How long stopping may take in all.
const STOP_MAX: Duration = Duration::from_secs(4);

/// Runs the chat until it is asked to stop.
///
/// # Errors
/// What kept it from starting.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = Config::of_serve(args)?;
    process::log_to_stderr(config.log);
    process::raise_descriptor_limit();
    process::end_on_panic();
    let lang = Lang::of_environment();
    let listening = crate::listen::listen(&config.listen, config.lan)?;
    let websocket = websocket_config(&config.limits);
    let door = Door::Chat(config.policy);
    let context = Arc::new(Context::new(door, websocket, config.limits.clone()));

    let (to_hub, from_shards) = mpsc::channel::<Vec<Input>>();
    let (to_http, http_queue) = http::channel();
    let links = Links {
        context: context.clone(),
        hub: {
            let to_hub = to_hub.clone();
            // A hub that has ended takes nothing, and nothing is owed to it.
            Arc::new(move |inputs| drop(to_hub.send(inputs)))
        },
        http: Arc::new(move |newcomer, received| to_http.give(newcomer, received)),
    };
    let running = engine::start(config.engine, config.shards, listening.listeners, links)
        .map_err(|error| Failure::other(format!("the engine can't start: {error}")))?;

    let (stop, stopped) = mpsc::channel();
    let (watching, watched) = mpsc::channel();
    let (handles, asked) = (running.shards.clone(), stop.clone());
    spawn_runtime("http", async move {
        tokio::spawn(process::watch_signals(asked, watching));
        http::serve(http_queue, context, handles).await;
        // Signals are watched to the end.
        std::future::pending::<()>().await;
    })?;
    // Fails only where signals can't be watched, and then they do what they do by default.
    let _ = watched.recv();
    // From here on scripts may stop it, and the console may answer.
    announce(&listening.urls);
    process::print(&console::greeting(lang, config.console, listening.lan_url.as_deref()));

    let mut shards = running.shards;
    if config.console {
        let console = Console::start(shards.len() as u16, lang, to_hub.clone(), stop);
        shards.push(console);
    }
    let log = Memory::new();
    let hub = Hub::new(log.state().clone(), config.limits);
    let mut threads = running.threads;
    threads.push(spawn("hub", move || run_hub(hub, log, &from_shards, &shards))?);

    // The sender lives as long as the signals are watched.
    let _ = stopped.recv();
    let _ = to_hub.send(vec![Input::Stop]);
    join(threads);
    process::print(stopped_sentence(lang));
    Ok(())
}

/// The hub's thread: drains what is there, judges and records it, and hands everything on.
fn run_hub(
    mut hub: Hub,
    mut log: impl Log,
    inputs: &mpsc::Receiver<Vec<Input>>,
    shards: &[ShardHandle],
) {
    let clock = Clock::start();
    let mut batches: Vec<Vec<ToShard>> = shards.iter().map(|_| Vec::new()).collect();
    while let Ok(mut batch) = inputs.recv() {
        let now = clock.now_ms();
        let (mut count, mut stop) = (0, false);
        loop {
            count += batch.len();
            for input in batch {
                stop |= input == Input::Stop;
                hub.handle(input, now);
            }
            if stop || count >= INPUTS_MAX {
                break;
            }
            match inputs.try_recv() {
                Ok(next) => batch = next,
                Err(_) => break,
            }
        }
        let entries = hub.take_entries();
        if !entries.is_empty() {
            hub.recorded(log.append(entries, now));
        }
        for output in hub.take_outputs() {
            let (session, message) = match output {
                Output::Deliver { shards, event } => {
                    if let Some(published) = Published::new(event).map(Arc::new) {
                        for shard in shards {
                            if let Some(batch) = batches.get_mut(usize::from(shard)) {
                                batch.push(ToShard::Deliver(published.clone()));
                            }
                        }
                    }
                    continue;
                }
                Output::Subscribe { session, room, next } => {
                    (session, ToShard::Subscribe { session, room, next })
                }
                Output::Answer { session, answer } => (session, ToShard::Answer(session, answer)),
                Output::Credit { session, count } => (session, ToShard::Credit(session, count)),
                Output::Close { session, ending } => (session, ToShard::Close(session, ending)),
            };
            if let Some(batch) = batches.get_mut(usize::from(session.shard)) {
                batch.push(message);
            }
        }
        for (shard, batch) in shards.iter().zip(&mut batches) {
            if stop {
                batch.push(ToShard::Stop);
            }
            shard.give(std::mem::take(batch));
        }
        if stop {
            return;
        }
    }
}

/// The engine's numbers for these limits.
pub fn websocket_config(limits: &Limits) -> websocket::Config {
    let mut config = websocket::Config::default();
    config.limits.frame_bytes = u64::from(limits.frame_bytes);
    config.limits.message_bytes = limits.frame_bytes as usize;
    config.timing.ping_after = Duration::from_secs(u64::from(limits.ping_seconds));
    config.timing.silent_max = Duration::from_secs(u64::from(limits.silent_seconds));
    config
}

/// Prints the ready lines that scripts wait for.
pub fn announce(urls: &[String]) {
    let lines: String = urls.iter().map(|url| format!("damso listening on {url}\n")).collect();
    process::print(&lines);
}

/// What is said last.
pub fn stopped_sentence(lang: Lang) -> &'static str {
    match lang {
        Lang::En => "damso has stopped\n",
        Lang::Ko => "담소를 종료했습니다\n",
    }
}

/// Runs a future on a runtime of one thread.
///
/// # Errors
/// The system has no thread or descriptor for it.
pub fn spawn_runtime(
    name: &str,
    future: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("the {name} thread can't start: {error}")))?;
    spawn(name, move || runtime.block_on(future))?;
    Ok(())
}

/// Waits for threads that were told to stop, but not for ever.
pub fn join(threads: Vec<JoinHandle<()>>) {
    let by = Instant::now() + STOP_MAX;
    let (sender, done) = mpsc::channel();
    let count = threads.len();
    for thread in threads {
        let sender = sender.clone();
        let waiter = spawn("stop", move || {
            let _ = thread.join();
            let _ = sender.send(());
        });
        if waiter.is_err() {
            return;
        }
    }
    for _ in 0..count {
        if done.recv_timeout(by.saturating_duration_since(Instant::now())).is_err() {
            return;
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    thread::Builder::new()
        .name(name.into())
        .spawn(work)
        .map_err(|error| Failure::other(format!("the {name} thread can't start: {error}")))
}
