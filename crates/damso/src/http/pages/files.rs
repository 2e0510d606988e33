//! Which files of `web/` a browser gets. `build.rs` has this file too, to put them into the binary.

use std::fs;
use std::path::Path;

/// What lies in `web/` itself; the rest there is of tests and tools.
const ROOT: [&str; 6] =
    ["icon.svg", "index.html", "main.js", "manifest.webmanifest", "plain.html", "sw.js"];
/// Folders in it that are given away whole.
const FOLDERS: [&str; 11] =
    ["css", "data", "icons", "lib", "model", "net", "plain", "state", "vendor", "view", "words"];
/// Where JSON is content, and no setting of a tool.
const DATA: &str = "data/";

/// The content type that a path stands for, if we give it away.
pub fn kind(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')?.1 {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

/// The paths of all of them below `web`, in order.
///
/// # Errors
/// One sentence about a file that nobody can say the type of, or about a folder that can't be read.
pub fn list(web: &Path) -> Result<Vec<String>, String> {
    let mut paths: Vec<String> = ROOT.map(str::to_owned).into();
    paths.retain(|path| web.join(path).exists());
    for folder in watched(web) {
        if web.join(folder).is_dir() {
            walk(web, folder, &mut paths)?;
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// The files and folders that there are to look at for a change.
pub fn watched(web: &Path) -> impl Iterator<Item = &'static str> {
    ROOT.into_iter().chain(FOLDERS).filter(|path| web.join(path).exists())
}

fn walk(web: &Path, folder: &str, paths: &mut Vec<String>) -> Result<(), String> {
    let unreadable = |error| format!("web/{folder} can't be read: {error}");
    for entry in fs::read_dir(web.join(folder)).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().into_string().unwrap_or_default();
        let path = format!("{folder}/{name}");
        if name.is_empty() || name.starts_with('.') {
            return Err(format!(
                "{} is hidden: it can't be part of the page",
                entry.path().display()
            ));
        } else if entry.path().is_dir() {
            walk(web, &path, paths)?;
        } else if path.ends_with(".json") && !path.starts_with(DATA) || path.ends_with(".d.ts") {
            // For tools only.
        } else if kind(&path).is_some() {
            paths.push(path);
        } else {
            return Err(format!(
                "web/{path} is of a kind that http/pages/files.rs doesn't know: name its content \
                 type there, or put it where no part of the page lies"
            ));
        }
    }
    Ok(())
}
