//! Settings: a TOML file, then the environment, then `--set`, then flags; the later ones win.
//! Raw as typed, then resolved and checked: two types.

use crate::args::{DataArgs, EchoArgs, ServeArgs};
use crate::engine::Kind;
use crate::http::upgrade::Policy;
use crate::process::Failure;
use damso_protocol::Limits;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Settings as they are written, section by section.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    server: Server,
    limits: Limits,
}

/// The data folder, unless another one is named.
const DATA_DEFAULT: &str = "damso-data";

/// The section `[server]`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Server {
    /// Where to listen; empty: 127.0.0.1:8765 and [::1]:8765.
    listen: Vec<String>,
    /// The network address too.
    lan: bool,
    /// The data folder; empty: nothing is kept on disk.
    data: String,
    /// event or threads.
    engine: String,
    /// Loops of the engine, where it has loops; 0: as many as were measured best.
    shards: usize,
    allow_origin: Vec<String>,
    allow_host: Vec<String>,
    /// The certificate with its chain, PEM; empty: no TLS.
    tls_cert: String,
    /// Its key, PEM.
    tls_key: String,
    /// error, warn, info or debug.
    log: String,
    /// Lines on stdin are the operator's.
    console: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            lan: false,
            data: DATA_DEFAULT.into(),
            engine: "auto".into(),
            shards: 0,
            allow_origin: Vec::new(),
            allow_host: Vec::new(),
            tls_cert: String::new(),
            tls_key: String::new(),
            log: "warn".into(),
            console: true,
        }
    }
}

/// Settings, checked.
#[derive(Debug)]
pub struct Config {
    /// Where to listen; empty for the default.
    pub listen: Vec<String>,
    /// The network address too.
    pub lan: bool,
    /// The data folder; none: nothing is kept on disk.
    pub data: Option<PathBuf>,
    /// How connections are served.
    pub engine: Kind,
    /// Loops of the engine, where it has loops, at least 1.
    pub shards: usize,
    /// Whose names and pages are trusted.
    pub policy: Policy,
    /// The files of certificate and key; none: no TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// What is logged.
    pub log: tracing::Level,
    /// Whether stdin is the operator's.
    pub console: bool,
    /// The chat's numbers.
    pub limits: Limits,
}

/// One loop was the best on two cores; more cores have not been measured.
const SHARDS_DEFAULT: usize = 1;
/// The hub names shards by a small number; the console is one more.
const SHARDS_MAX: usize = 64;

impl Config {
    /// Resolves the flags and settings of `damso serve`.
    ///
    /// # Errors
    /// One sentence that names the flag, setting or file.
    pub fn of_serve(args: &ServeArgs) -> Result<Self, Failure> {
        resolve(
            args,
            std::env::vars_os().filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.into_string().ok()?))
            }),
        )
        .map_err(Failure::usage)
    }

    /// The data folder of the verbs that work on one: where `damso serve` would have it.
    ///
    /// # Errors
    /// One sentence that names the flag, setting or file.
    pub fn data_folder(args: &DataArgs) -> Result<Option<PathBuf>, Failure> {
        let (data, config) = (args.data.clone(), args.config.clone());
        Ok(Self::of_serve(&ServeArgs { data, config, ..ServeArgs::default() })?.data)
    }

    /// Resolves the flags of `damso echo`.
    ///
    /// # Errors
    /// One sentence that names the flag.
    pub fn of_echo(args: &EchoArgs) -> Result<Self, Failure> {
        let serve = ServeArgs {
            listen: args.listen.clone(),
            engine: args.engine.clone(),
            log: args.log.clone(),
            ..ServeArgs::default()
        };
        resolve(&serve, std::iter::empty()).map_err(Failure::usage)
    }
}

fn resolve(
    args: &ServeArgs,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, String> {
    let mut table = match &args.config {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix("DAMSO_") else { continue };
        // Other programs' variables may begin like this; ours name a section.
        for section in ["server", "limits"] {
            let prefix = format!("{}_", section.to_ascii_uppercase());
            if let Some(key) = rest.strip_prefix(&prefix) {
                put(&mut table, section, &key.to_ascii_lowercase(), &value)
                    .map_err(|error| format!("{name}: {error}"))?;
            }
        }
    }
    for setting in &args.set {
        let parts = setting
            .split_once('=')
            .and_then(|(name, value)| Some((name.trim().split_once('.')?, value.trim())));
        let Some(((section, key), value)) = parts else {
            return Err(format!("--set {setting:?} is not of the form section.key=value"));
        };
        put(&mut table, section, key, value)
            .map_err(|error| format!("--set {setting}: {error}"))?;
    }
    let settings = parse(table)?;
    let mut server = settings.server;
    if !args.listen.is_empty() {
        server.listen = args.listen.clone();
    }
    server.lan |= args.lan;
    server.engine = args.engine.clone().unwrap_or(server.engine);
    server.shards = args.shards.unwrap_or(server.shards);
    server.log = args.log.clone().unwrap_or(server.log);
    server.console &= !args.no_console;
    server.allow_origin.extend(args.allow_origin.iter().cloned());
    server.allow_host.extend(args.allow_host.iter().cloned());
    let typed = |path: &PathBuf| path.to_string_lossy().into_owned();
    server.tls_cert = args.tls_cert.as_ref().map_or(server.tls_cert, typed);
    server.tls_key = args.tls_key.as_ref().map_or(server.tls_key, typed);
    let data = match (&args.data, args.memory) {
        (Some(data), _) => Some(data.clone()),
        (None, false) if !server.data.is_empty() => Some(PathBuf::from(&server.data)),
        (None, _) => None,
    };
    check(server, data, settings.limits)
}

fn check(server: Server, data: Option<PathBuf>, limits: Limits) -> Result<Config, String> {
    limits.check()?;
    let engine = match server.engine.as_str() {
        "event" => Kind::Event,
        "threads" => Kind::Threads,
        "uring" => Kind::Uring,
        "auto" => Kind::Auto,
        other => {
            return Err(format!(
                "--engine {other:?} is not known; it is event, uring, threads or auto"
            ));
        }
    };
    let log = match server.log.as_str() {
        "error" => tracing::Level::ERROR,
        "warn" => tracing::Level::WARN,
        "info" => tracing::Level::INFO,
        "debug" => tracing::Level::DEBUG,
        other => {
            return Err(format!("--log {other:?} is not known; it is error, warn, info or debug"));
        }
    };
    if server.shards > SHARDS_MAX {
        return Err(format!("--shards {} is too many; up to {SHARDS_MAX} work", server.shards));
    }
    if engine == Kind::Threads && server.shards > 1 {
        return Err(
            "--shards is for --engine event and uring; threads has one thread a connection".into(),
        );
    }
    let tls = match (server.tls_cert.as_str(), server.tls_key.as_str()) {
        ("", "") => None,
        (_, "") => return Err("--tls-cert needs --tls-key: the certificate's key".into()),
        ("", _) => return Err("--tls-key needs --tls-cert: the key's certificate".into()),
        (certificate, key) => Some((certificate.into(), key.into())),
    };
    Ok(Config {
        listen: server.listen,
        lan: server.lan,
        data,
        engine,
        shards: if server.shards == 0 { SHARDS_DEFAULT } else { server.shards },
        policy: Policy::new(&server.allow_host, &server.allow_origin, tls.is_some())?,
        tls,
        log,
        console: server.console,
        limits,
    })
}

fn read_file(path: &Path) -> Result<Table, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("--config {}: {error}", path.display()))?;
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        format!("--config {}, line {line}: {}", path.display(), first_line(error.message()))
    })
}

fn parse(table: Table) -> Result<Settings, String> {
    for section in table.keys() {
        if !["server", "limits"].contains(&section.as_str()) {
            return Err(format!("there is no section {section:?}; there are server and limits"));
        }
    }
    // Section by section, so that the message can name it.
    let section = |name: &str| table.get(name).cloned().unwrap_or(Value::Table(Table::new()));
    let wrong = |name: &str, error: toml::de::Error| {
        format!("in the section {name}: {}", first_line(error.message()))
    };
    Ok(Settings {
        server: section("server").try_into().map_err(|error| wrong("server", error))?,
        limits: section("limits").try_into().map_err(|error| wrong("limits", error))?,
    })
}

/// Writes a value that was given as text: as TOML if it is that, else as a string; for a setting
/// that is a list, separated by commas.
fn put(table: &mut Table, section: &str, key: &str, value: &str) -> Result<(), String> {
    let known = Value::try_from(Settings::default()).map_err(|error| error.to_string())?;
    let Some(default) = known.get(section).and_then(|section| section.get(key)) else {
        return Err(format!("there is no setting {section}.{key}; damso help all lists them"));
    };
    let as_toml = format!("value = {value}").parse::<Table>().ok();
    let as_toml = as_toml.and_then(|mut table| table.remove("value"));
    let value = match (default, as_toml) {
        (Value::Array(_), Some(list @ Value::Array(_))) => list,
        (Value::Array(_), _) => {
            let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(Value::from).collect())
        }
        (Value::String(_), Some(text @ Value::String(_))) => text,
        (Value::String(_), _) => Value::from(value),
        (_, Some(other)) => other,
        (_, None) => return Err(format!("{value:?} can't be read as a number or true or false")),
    };
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Some(settings) = entry.as_table_mut() else {
        return Err(format!("{section} is a section"));
    };
    settings.insert(key.into(), value);
    Ok(())
}

/// Every setting with its default, a line each.
pub fn reference() -> String {
    let mut text = String::new();
    let Ok(Value::Table(sections)) = Value::try_from(Settings::default()) else { return text };
    for (section, settings) in &sections {
        for (key, default) in settings.as_table().into_iter().flatten() {
            text.push_str(&format!("  {section}.{key} = {default}\n"));
        }
    }
    text
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[&str], environment: &[(&str, &str)]) -> Result<Config, String> {
        let args = ServeArgs {
            set: set.iter().map(|&setting| setting.into()).collect(),
            ..ServeArgs::default()
        };
        resolve(&args, environment.iter().map(|&(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn flags_win_over_set_which_wins_over_the_environment_which_wins_over_the_file() {
        let folder = std::env::temp_dir().join(format!("damso-config-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("damso.toml");
        std::fs::write(
            &path,
            "[server]\nengine = \"threads\"\nlog = \"info\"\n[limits]\nsend_burst = 1\n",
        )
        .unwrap();
        let args = ServeArgs {
            config: Some(path),
            set: vec!["limits.send_burst=3".into()],
            log: Some("debug".into()),
            ..ServeArgs::default()
        };
        let environment = [
            ("DAMSO_LIMITS_SEND_BURST", "2"),
            ("DAMSO_LIMITS_COMMANDS_BURST", "7"),
            ("DAMSO_URL", "http://somewhere"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = resolve(&args, environment.into_iter()).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(config.engine, Kind::Threads);
        assert_eq!(config.log, tracing::Level::DEBUG);
        assert_eq!((config.limits.send_burst, config.limits.commands_burst), (3, 7));
    }

    #[test]
    fn values_are_read_as_what_the_setting_is() {
        let config = with(
            &["limits.send_per_second=0", "server.listen=127.0.0.1:1, [::1]:2", "server.log=info"],
            &[("DAMSO_SERVER_CONSOLE", "false")],
        )
        .unwrap();
        assert_eq!(config.limits.send_per_second, 0.0);
        assert_eq!(config.listen, ["127.0.0.1:1", "[::1]:2"]);
        assert!(!config.console);
    }

    #[test]
    fn the_reference_lists_every_section() {
        let text = reference();
        for line in ["  limits.send_per_second = 1.0\n", "  server.listen = []\n"] {
            assert!(text.contains(line), "{line:?} is missing from:\n{text}");
        }
    }

    #[test]
    fn a_wrong_setting_is_named_in_one_line() {
        for (setting, named) in [
            ("limits.no_such=1", "limits.no_such"),
            ("limits.send_burst=many", "many"),
            ("limits.send_burst=-1", "limits"),
            ("limits.send_burst=0", "limits.send_burst"),
            ("nosuch.key=1", "nosuch.key"),
            ("sendburst=1", "section.key=value"),
            ("server.engine=steam", "--engine"),
            ("server.log=loud", "--log"),
            ("server.shards=9999", "--shards"),
            ("server.tls_cert=a.pem", "--tls-key"),
            ("server.tls_key=a.key", "--tls-cert"),
            ("server.allow_origin=friend", "--allow-origin"),
        ] {
            let sentence = with(&[setting], &[]).unwrap_err();
            assert!(sentence.contains(named), "{setting}: {sentence}");
            assert_eq!(sentence.lines().count(), 1, "{setting}: {sentence}");
        }
        let sentence = with(&[], &[("DAMSO_LIMITS_TYPO", "1")]).unwrap_err();
        assert!(sentence.contains("DAMSO_LIMITS_TYPO"), "{sentence}");
    }
}
