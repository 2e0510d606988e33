//! The HTTP API under schemathesis, by its own description. `api/examine.py` makes what requests can
//! be about, and says what counts as a fault.

use crate::conformance::Server;
use crate::run::{self, Failure, root, target};
use crate::tools;
use std::process::Command;

/// Expects the program to be built.
pub fn run() -> run::Result {
    let python = tools::schemathesis()?;
    let lifted = ["send_per_second=0", "commands_per_second=0", "guests_per_address=0"]
        .map(|limit| format!("limits.{limit}"));
    let mut args = vec!["serve", "--memory"];
    args.extend(lifted.iter().flat_map(|limit| ["--set", limit]));
    let server = Server::start(&args)?;
    let folder = target().join("schemathesis");
    let mut examine = Command::new(python);
    examine.arg("xtask/api/examine.py").arg(&server.url).arg(folder).current_dir(root());
    let verdict =
        run::run(&mut examine).map_err(|_| Failure::new("schemathesis found what it tells above"));
    // A server that is gone is the better reason, where both fail.
    server.stop()?;
    verdict
}
