//! `damso serve`: builds the parts, joins them, runs them until it is asked to stop.

use crate::admin::console::{self, Console};
use crate::admin::control::Control;
use crate::args::ServeArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::engine::{self, Links};
use crate::http::health::{Health, Phase};
use crate::http::{self, api::Desk, upgrade::Door};
use crate::hub::{self, HubHandle, Recorder};
use crate::lang::Lang;
use crate::metrics::Figure;
use crate::metrics::text::Scene;
use crate::process::{self, Failure};
use crate::readers::{self, Job, Readers, Reading, Searching};
use crate::session::Context;
use crate::tls::Certificate;
use damso_chat::State;
use damso_chat::hub::{Hub, Input};
use damso_protocol::Limits;
use damso_store::{Folder, Log, Memory, Migrated, OpenError, Sqlite};
use damso_websocket as websocket;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::warn;

/// How many threads read the log back.
const READERS: usize = 2;

/// How long stopping may take in all.
const STOP_MAX: Duration = Duration::from_secs(4);

/// Runs the chat until it is asked to stop.
///
/// # Errors
/// What kept it from starting.
pub fn run(args: &ServeArgs) -> Result<(), Failure> {
    let config = Config::of_serve(args)?;
    process::begin_serving(config.log);
    let lang = Lang::of_environment();
    let tls = match config.tls {
        Some((certificate, key)) => {
            Some(Arc::new(Certificate::load(certificate, key).map_err(Failure::other)?))
        }
        None => None,
    };
    let listening = crate::listen::listen(&config.listen, config.lan, tls.is_some())?;
    let websocket = websocket_config(&config.limits);
    let door = Door::Chat(config.policy);
    let context = Arc::new(Context::new(door, websocket, config.limits.clone()));

    let store = Store::open(config.data.as_deref())?;
    let metrics = context.metrics.clone();
    let (to_hub, hub_inbox) = hub::channel(&metrics);
    let (to_http, http_queue) = http::channel();
    let lengths = [metrics.queue("readers"), metrics.queue("search")];
    let (readers, jobs, searches) = store.readers(&to_hub, &lengths);
    let [jobs_length, searches_length] = lengths;
    let links = Links {
        context: context.clone(),
        hub: {
            let to_hub = to_hub.clone();
            Arc::new(move |inputs| to_hub.give(inputs))
        },
        readers: readers.clone(),
        http: Arc::new(move |newcomer, received| to_http.give(newcomer, received)),
        tls,
    };
    let running = engine::start(config.engine, config.shards, listening.listeners, links)
        .map_err(|error| Failure::other(format!("the engine can't start: {error}")))?;

    // Beside the engine's: a shard for HTTP's requests, and perhaps one for the console.
    let mut shards = running.shards.clone();
    let desk = Desk::new(shards.len() as u16, to_hub.clone(), &listening.urls);
    let health = Health::new(
        Scene {
            metrics: metrics.clone(),
            engine: running.kind.name(),
            folder: config.data.clone(),
        },
        to_hub.clone(),
    );
    let state = health.clone();
    shards.push(desk.handle());

    let (stop, stopped) = mpsc::channel();
    let (watching, watched) = mpsc::channel();
    let (handles, asked) = (running.shards, stop.clone());
    spawn_runtime("http", async move {
        tokio::spawn(process::watch_signals(asked, watching));
        tokio::spawn(health.clone().watch_disk());
        http::serve(http_queue, context, handles, desk, health).await;
        // Signals are watched to the end.
        std::future::pending::<()>().await;
    })?;
    // What comes there before the hub runs waits for it.
    let control = match store.folder() {
        Some(folder) => {
            let (shard, hub) = (shards.len() as u16, to_hub.clone());
            match Control::start(folder, shard, lang, hub, stop.clone()) {
                Ok((control, shard)) => {
                    shards.push(shard);
                    Some(control)
                }
                Err(error) => {
                    warn!(%error, "damso room and damso user have no socket in the data folder");
                    None
                }
            }
        }
        None => None,
    };
    // Fails only where signals can't be watched, and then they do what they do by default.
    let _ = watched.recv();
    // From here on scripts may stop it, and the console may answer.
    announce(&listening.urls);
    let lan_url = listening.lan_url.as_deref();
    process::print(&console::greeting(lang, &store.describe(lang), config.console, lan_url));

    if config.console {
        let console = Console::start(shards.len() as u16, lang, to_hub.clone(), stop);
        shards.push(console);
    }
    let mut threads = running.threads;
    let clock = Clock::start(store.last_at());
    let epoch = store.epoch();
    let live = Hub::new(store.state().clone(), config.limits, epoch.into(), clock.now_ms());
    let recorder = match store {
        Store::Memory(log) => Recorder::Here(log),
        Store::Disk(mut log) => {
            let failed = |error: OpenError| Failure::other(error.to_string());
            let checkpointer = log.checkpointer().map_err(failed)?;
            // It ends after the log; what it can't do in time the next start does.
            threads.push(spawn("checkpoint", move || hub::run_checkpointer(checkpointer))?);
            let (indexer, searcher) = log.indexer().map_err(failed)?;
            threads.push(spawn("index", move || hub::run_indexer(indexer))?);
            let shards_of_search = shards.clone();
            spawn("search", move || {
                readers::run_search(&searcher, &searches, &shards_of_search, &searches_length);
            })?;
            let jobs = Arc::new(Mutex::new(jobs));
            for number in 0..READERS {
                let (reader, jobs) = (log.reader().map_err(failed)?, jobs.clone());
                let (shards, length) = (shards.clone(), jobs_length.clone());
                let name = format!("reader-{number}");
                spawn(&name, move || readers::run(&reader, &jobs, &shards, &length))?;
            }
            let (entries, queue) = mpsc::channel();
            let (answer, clock, metrics) = (to_hub.clone(), clock.clone(), metrics.clone());
            threads.push(spawn("log", move || {
                hub::run_log(*log, &clock, &queue, &answer, &metrics);
            })?);
            Recorder::There(entries)
        }
    };
    threads.push(spawn("hub", move || {
        hub::run(live, recorder, &clock, &hub_inbox, &shards, &readers, &metrics);
    })?);
    state.enter(Phase::Serving);

    // The sender lives as long as the signals are watched.
    let _ = stopped.recv();
    state.enter(Phase::Stopping);
    drop(control);
    to_hub.give(vec![Input::Stop]);
    join(threads);
    process::print_last(stopped_sentence(lang));
    Ok(())
}

/// The log, as it was opened.
enum Store {
    Memory(Box<Memory>),
    Disk(Box<Sqlite>),
}

impl Store {
    fn open(data: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = data else { return Ok(Self::Memory(Box::default())) };
        let log = Folder::hold(path).and_then(Sqlite::open);
        let log = log.map_err(|error| Failure::other(error.to_string()))?;
        if let Some(migrated) = log.migrated() {
            let Migrated { from, to, copy } = migrated;
            warn!(
                "the database was of the format {from} and is of {to} now; as it was before, it \
                 is in {}",
                copy.display()
            );
        }
        Ok(Self::Disk(Box::new(log)))
    }

    /// The data folder, if there is one.
    fn folder(&self) -> Option<&Path> {
        match self {
            Self::Memory(_) => None,
            Self::Disk(log) => Some(log.folder().path()),
        }
    }

    /// Whoever reads the log back and looks for messages in it, and what these wait on, whose
    /// lengths are counted.
    fn readers(
        &self,
        hub: &HubHandle,
        [jobs_length, searches_length]: &[Arc<Figure>; 2],
    ) -> (Readers, mpsc::Receiver<Vec<Reading>>, mpsc::Receiver<Searching>) {
        let (to_readers, readings) = mpsc::channel();
        let (to_search, searches) = mpsc::channel();
        let readers = match self {
            Self::Memory(_) => hub.readers(),
            Self::Disk(_) => {
                let (jobs_length, searches_length) = (jobs_length.clone(), searches_length.clone());
                Readers::new(move |batch: Vec<Job>| {
                    let mut rest = Vec::with_capacity(batch.len());
                    for job in batch {
                        match job {
                            Job::Read(reading) => rest.push(reading),
                            Job::Search(searching) => {
                                searches_length.add(1);
                                drop(to_search.send(searching));
                            }
                        }
                    }
                    if !rest.is_empty() {
                        jobs_length.add(rest.len() as u64);
                        drop(to_readers.send(rest));
                    }
                })
            }
        };
        (readers, readings, searches)
    }

    /// The name of the log's life: one in memory begins anew with each start.
    fn epoch(&self) -> String {
        match self {
            Self::Memory(_) => damso_store::new_epoch(),
            Self::Disk(log) => log.epoch().to_owned(),
        }
    }

    fn state(&self) -> &State {
        match self {
            Self::Memory(log) => log.state(),
            Self::Disk(log) => log.state(),
        }
    }

    /// The last event's time, in ms since 1970.
    fn last_at(&self) -> u64 {
        match self {
            Self::Memory(_) => 0,
            Self::Disk(log) => log.last_at(),
        }
    }

    /// Where messages are kept, as a line for the operator.
    fn describe(&self, lang: Lang) -> String {
        let Self::Disk(log) = self else {
            return match lang {
                Lang::En => "nothing is kept on disk: messages last as long as this process",
                Lang::Ko => "디스크에 남기지 않습니다. 메시지는 담소를 끌 때 사라집니다",
            }
            .into();
        };
        let path = log.folder().path().display();
        match (log.folder().is_new(), lang) {
            (true, Lang::En) => format!("data folder: {path} (new)"),
            (true, Lang::Ko) => format!("자료 폴더: {path} (새로 만듦)"),
            (false, Lang::En) => format!("data folder: {path} (messages: {})", log.messages()),
            (false, Lang::Ko) => format!("자료 폴더: {path} (메시지 {}개)", log.messages()),
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
