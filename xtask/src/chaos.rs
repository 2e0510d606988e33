//! `cargo xtask chaos`: what must not be lost, while the server is killed, the network lies, the
//! power fails and the disk fills up.

use crate::run::{self, Failure, cargo, release};
use std::process::Command;

/// How often, in CI and with `--full`.
struct Size {
    kills: &'static str,
    cuts: &'static str,
    verbs: &'static str,
}

const USUAL: Size = Size { kills: "12", cuts: "3", verbs: "3" };
const FULL: Size = Size { kills: "200", cuts: "10", verbs: "20" };

pub fn command(args: &[String]) -> run::Result {
    let (mut is_full, mut only_power, mut seed) = (false, false, None);
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--full" => is_full = true,
            "--power" => only_power = true,
            "--seed" => seed = Some(words.next().ok_or_else(|| Failure::usage("--seed N"))?),
            other => {
                return Err(Failure::usage(format!(
                    "{other} isn't known; there are --full, --power and --seed N"
                )));
            }
        }
    }
    let size = if is_full { FULL } else { USUAL };
    run::run(&mut cargo(["build", "--release", "-p", "damso", "-p", "damso-bench"]))?;
    let bench = |words: &[&str]| {
        let mut command = Command::new(release("damso-bench"));
        command.arg("chaos").args(words).env("DAMSO_BIN", release("damso"));
        command.args(seed.iter().flat_map(|seed| ["--seed", seed.as_str()]));
        run::run(command.current_dir(run::root()))
    };
    if !only_power {
        bench(&["--kills", size.kills])?;
        bench(&["--verbs", size.verbs])?;
        bench(&["--full-disk"])?;
    }
    bench(&["--power", size.cuts])
}
