//! The page's files made ready to be given away: named by what is in them, without our comments,
//! and compressed.

use super::bundle::{self, Bundle, Modules};
use super::{files, script};
use axum::body::Bytes;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;
use tracing::warn;

/// Kept as they came from their authors.
const VENDOR: &str = "vendor/";
/// Where the files of a version of the page are: below its hash.
const ASSETS: &str = "/assets/";

/// What the page begins with.
const MAIN: &str = "main.js";
/// All that this imports, when it is put together.
const ALL: &str = "all.js";
/// What the plain page does.
const PLAIN: &str = "plain/main.js";
/// All its styles, beside each of them, so that they name other files as before.
const STYLES: &str = "css/page.css";

/// What modules import by bare names, and where it is. Node finds it in `node_modules`.
const IMPORTS: [(&str, &str); 6] = [
    ("@preact/signals", "vendor/signals.js"),
    ("@preact/signals-core", "vendor/signals-core.js"),
    ("htm", "vendor/htm.js"),
    ("marked", "vendor/marked.js"),
    ("preact", "vendor/preact.js"),
    ("preact/hooks", "vendor/preact-hooks.js"),
];

/// Files with an address of their own, at which a browser asks again each time; the rest lies below
/// the hash.
const FIXED: [(&str, &str); 4] = [
    ("/", "index.html"),
    ("/manifest.webmanifest", "manifest.webmanifest"),
    ("/plain", "plain.html"),
    ("/sw.js", "sw.js"),
];

/// What all pages may do: load and run only what this server gives them, and talk only to it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' blob: data:; \
    connect-src 'self' ws: wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";
/// For what is no page: a service worker's is its own.
const POLICY_OF_OTHERS: &str =
    "default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'";

/// All of the page.
pub struct Site {
    /// The first digits of a hash over every file below [`ASSETS`].
    version: String,
    assets: BTreeMap<String, Content>,
    fixed: BTreeMap<&'static str, Content>,
}

/// A file as it goes out.
pub struct Content {
    pub kind: &'static str,
    pub policy: String,
    pub bytes: Bytes,
    /// Names these bytes.
    pub tag: String,
    gzip: OnceLock<Option<Bytes>>,
}

impl Content {
    fn new(path: &str, bytes: Bytes, policy: String) -> Self {
        let mut tag = hex(&Sha256::digest(&bytes));
        tag.truncate(16);
        let kind = files::kind(path).unwrap_or("application/octet-stream");
        Self { kind, policy, bytes, tag, gzip: OnceLock::new() }
    }

    /// Compressed, if that makes it smaller; done once.
    pub fn gzip(&self) -> Option<&Bytes> {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&self.bytes).ok()?;
            let bytes = encoder.finish().ok()?;
            (bytes.len() < self.bytes.len()).then(|| bytes.into())
        };
        self.gzip.get_or_init(compress).as_ref()
    }
}

impl Site {
    /// Of paths below `web/` and what is there; `packed`: in few files instead of many.
    pub fn new(files: impl Iterator<Item = (String, Bytes)>, packed: bool) -> Self {
        let mut files: BTreeMap<String, Bytes> = files
            .map(|(path, bytes)| {
                let bytes = ready(&path, bytes);
                (path, bytes)
            })
            .collect();
        let mut fixed: Vec<_> = FIXED
            .into_iter()
            .filter_map(|(at, path)| files.remove(path).map(|bytes| (at, path, bytes)))
            .collect();
        if packed {
            if let Err(sentence) = pack_modules(&mut files) {
                warn!("the page's modules are given one by one: {sentence}");
            }
            for (_, path, page) in &mut fixed {
                if *path == "index.html" {
                    pack_styles(page, &mut files);
                }
            }
        }
        // Over what goes out: it is kept for ever under this name, whatever it was made of, and how.
        let mut hash = Sha256::new();
        for (path, bytes) in &files {
            hash.update(path);
            hash.update([0]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let mut version = hex(&hash.finalize());
        version.truncate(12);
        let assets = format!("{ASSETS}{version}");
        let map = import_map(&assets, &files);
        let list: Vec<String> = files.keys().map(|path| format!("{path:?}")).collect();
        let list = format!("[{}]", list.join(","));
        let fixed = fixed.into_iter().map(|(at, path, bytes)| {
            let mut text = String::from_utf8_lossy(&bytes).replace("{{assets}}", &assets);
            text = text.replace("{{files}}", &list);
            let mut policy = POLICY_OF_OTHERS.to_owned();
            if path == "index.html" {
                let tag = format!("<script type=\"importmap\">{map}</script>");
                let preload = preload(&assets, &files);
                text = text.replace("{{importmap}}", &tag).replace("{{preload}}", &preload);
                let hash = BASE64_STANDARD.encode(Sha256::digest(&map));
                policy = format!(
                    "{POLICY}; script-src 'self' 'sha256-{hash}'; trusted-types damso-worker"
                );
            } else if path.ends_with(".html") {
                policy = format!("{POLICY}; script-src 'self'; trusted-types 'none'");
            }
            (at, Content::new(path, text.into(), policy))
        });
        let fixed = fixed.collect();
        let assets = files.into_iter().map(|(path, bytes)| {
            let content = Content::new(&path, bytes, POLICY_OF_OTHERS.to_owned());
            (path, content)
        });
        Self { version, assets: assets.collect(), fixed }
    }

    /// What stands at an address of its own.
    pub fn fixed(&self, at: &str) -> Option<&Content> {
        self.fixed.get(at)
    }

    /// A file of this version of the page, and whether it was asked for as that. A page that is
    /// open while the server becomes another one still asks for the old version: it gets what there
    /// is.
    pub fn asset(&self, version: &str, path: &str) -> Option<(&Content, bool)> {
        Some((self.assets.get(path)?, version == self.version))
    }
}

/// Our own modules and styles are written to be read, and a third of them is comments and
/// indentation: bytes that every first visit would pay for. Lines stay where they are, so that what a
/// browser complains about is found.
fn ready(path: &str, bytes: Bytes) -> Bytes {
    let is_ours = !path.starts_with(VENDOR) && (path.ends_with(".js") || path.ends_with(".css"));
    match std::str::from_utf8(&bytes) {
        Ok(text) if is_ours => script::without_comments(text).into_bytes().into(),
        _ => bytes,
    }
}

/// Puts all that the page begins with into one module, which its first one imports.
///
/// # Errors
/// One sentence about what stands in the way; then nothing was done.
fn pack_modules(files: &mut BTreeMap<String, Bytes>) -> Result<(), String> {
    let modules = files.iter().filter(|(path, _)| path.ends_with(".js"));
    let texts = modules
        .filter_map(|(path, bytes)| Some((path.as_str(), std::str::from_utf8(bytes).ok()?)))
        .collect();
    let Bundle { text, parts, later } = bundle::bundle(&Modules { texts, resolve }, MAIN, ALL)?;
    // What is in there is asked for nowhere else, but by the plain page.
    let plain = reached(files, PLAIN);
    files.retain(|path, _| !parts.contains(path) || plain.contains(path));
    files.insert(ALL.to_owned(), text.into());
    files.extend(later.into_iter().map(|(path, text)| (path, text.into())));
    Ok(())
}

/// Puts the page's styles into one file, in their order.
fn pack_styles(page: &mut Bytes, files: &mut BTreeMap<String, Bytes>) {
    const LINK: &str = "<link rel=\"stylesheet\" href=\"{{assets}}/";
    const END: &str = "\">\n";
    let text = String::from_utf8_lossy(page).into_owned();
    let (mut left, mut styles) = (String::new(), Vec::new());
    let mut rest = text.as_str();
    while let Some((before, link)) = rest.split_once(LINK)
        && let Some((path, after)) = link.split_once(END)
    {
        if styles.is_empty() {
            left.push_str(&format!("{before}{LINK}{STYLES}{END}"));
        } else {
            left.push_str(before);
        }
        styles.extend_from_slice(&files.remove(path).unwrap_or_default());
        rest = after;
    }
    left.push_str(rest);
    *page = left.into();
    files.insert(STYLES.to_owned(), styles.into());
}

fn import_map(assets: &str, files: &BTreeMap<String, Bytes>) -> String {
    let there = IMPORTS.iter().filter(|(_, path)| files.contains_key(*path));
    let imports: Vec<String> =
        there.map(|(name, path)| format!("\"{name}\":\"{assets}/{path}\"")).collect();
    format!("{{\"imports\":{{{}}}}}", imports.join(","))
}

/// Asks for all modules that the page begins with at once, so that it needn't be read to the end of
/// one to know of the next.
fn preload(assets: &str, files: &BTreeMap<String, Bytes>) -> String {
    let mut links = String::new();
    for path in reached(files, MAIN) {
        let _ = write!(links, "<link rel=\"modulepreload\" href=\"{assets}/{path}\">");
    }
    links
}

/// A module and what it imports, and so on, in the order in which they are met.
fn reached(files: &BTreeMap<String, Bytes>, from: &str) -> Vec<String> {
    let mut reached = vec![from.to_owned()];
    let mut at = 0;
    while let Some(path) = reached.get(at).cloned() {
        at += 1;
        let Some(text) = files.get(&path).and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
            continue;
        };
        for name in script::imports(text) {
            let found = resolve(&path, name);
            if files.contains_key(&found) && !reached.contains(&found) {
                reached.push(found);
            }
        }
    }
    reached
}

/// What a module means by a name.
pub(super) fn resolve(from: &str, name: &str) -> String {
    if let Some((_, path)) = IMPORTS.iter().find(|(bare, _)| *bare == name) {
        return (*path).to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[(&str, &str)]) -> Site {
        let files = files.iter();
        let files = files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned().into()));
        Site::new(files, false)
    }

    fn text(content: &Content) -> &str {
        std::str::from_utf8(&content.bytes).unwrap()
    }

    #[test]
    fn a_page_names_its_version_and_loads_all_it_begins_with_at_once() {
        let site = site(&[
            ("index.html", "{{importmap}}|{{preload}}|{{assets}}/main.js"),
            ("main.js", "import { h } from 'preact'\nimport './view/a.js'\nimport('./late.js')"),
            ("view/a.js", "export { b } from '../lib/b.js'"),
            ("lib/b.js", "export const b = 1 // and no more"),
            ("late.js", ""),
            ("vendor/preact.js", "/** theirs */"),
            ("sw.js", "// why\nconst files = {{files}}, of = '{{assets}}'"),
        ]);
        let version = site.version.clone();
        assert_eq!(version.len(), 12);
        let page = site.fixed("/").unwrap();
        let parts: Vec<&str> = text(page).split('|').collect();
        let assets = format!("/assets/{version}");
        let map = format!("{{\"imports\":{{\"preact\":\"{assets}/vendor/preact.js\"}}}}");
        assert_eq!(parts[0], format!("<script type=\"importmap\">{map}</script>"));
        let wanted = ["main.js", "vendor/preact.js", "view/a.js", "lib/b.js"]
            .map(|path| format!("<link rel=\"modulepreload\" href=\"{assets}/{path}\">"));
        assert_eq!(parts[1], wanted.concat());
        assert_eq!(parts[2], format!("{assets}/main.js"));
        let hash = BASE64_STANDARD.encode(Sha256::digest(map));
        assert!(page.policy.contains(&format!("'sha256-{hash}'")), "{}", page.policy);
        assert_eq!(text(site.asset(&version, "vendor/preact.js").unwrap().0), "/** theirs */");
        assert_eq!(
            text(site.fixed("/sw.js").unwrap()),
            format!(
                "\nconst files = [\"late.js\",\"lib/b.js\",\"main.js\",\"vendor/preact.js\",\
                 \"view/a.js\"], of = '{assets}'"
            )
        );
        assert!(site.asset(&version, "index.html").is_none());
    }

    #[test]
    fn any_change_of_a_file_is_another_version() {
        let version = |files: &[(&str, &str)]| site(files).version;
        let one = version(&[("main.js", "a"), ("lib/b.js", "")]);
        for other in [
            [("main.js", "b"), ("lib/b.js", "")],
            [("main.js", ""), ("lib/b.js", "a")],
            [("main.js", "a"), ("lib/c.js", "")],
        ] {
            assert_ne!(version(&other), one);
        }
        assert_eq!(version(&[("main.js", "a"), ("lib/b.js", ""), ("index.html", "x")]), one);
    }

    #[test]
    fn the_page_begins_with_two_modules_and_one_style() {
        let mut files: BTreeMap<String, Bytes> = super::super::embedded()
            .map(|(path, bytes)| {
                let bytes = ready(&path, bytes);
                (path, bytes)
            })
            .collect();
        assert_eq!(pack_modules(&mut files), Ok(()));
        let mut page = files["index.html"].clone();
        pack_styles(&mut page, &mut files);
        assert_eq!(std::str::from_utf8(&page).unwrap().matches("stylesheet").count(), 1);
        let size = |path: &str| std::fs::read(format!("../../web/css/{path}.css")).unwrap().len();
        assert!(files[STYLES].len() > size("tokens") / 2 && !files[STYLES].is_empty());
        assert_eq!(reached(&files, MAIN), [MAIN, ALL]);
    }

    #[test]
    fn every_file_that_a_module_names_is_there() {
        let files: BTreeMap<String, Bytes> = super::super::embedded().collect();
        for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".js")) {
            let bytes = ready(path, bytes.clone());
            for name in script::imports(std::str::from_utf8(&bytes).unwrap()) {
                let found = resolve(path, name);
                assert!(files.contains_key(&found), "web/{path} imports {name}");
            }
        }
        for page in ["index.html", "plain.html"] {
            let text = std::str::from_utf8(&files[page]).unwrap();
            let named = text.split("{{assets}}/").skip(1).filter_map(|rest| rest.split('"').next());
            for name in named {
                assert!(files.contains_key(name), "web/{page} loads {name}");
            }
        }
    }
}
