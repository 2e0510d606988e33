//! Many modules in one file: browsers ask for no more than six files at a time, and on a phone each
//! round takes longer than all there is to load. Nothing is gained by a larger program here: modules
//! stay as they are written, each in a function of its own that gives what it exports.
//!
//! As much of `import` and `export` is known as the page's modules use. What is beyond that, or a
//! circle of modules, is told, and the modules then travel one by one.

use super::script::{self, Word};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The texts of modules by path, and how they name each other.
pub struct Modules<'a> {
    /// What each path holds.
    pub texts: BTreeMap<&'a str, &'a str>,
    /// What a module means by a name.
    pub resolve: fn(&str, &str) -> String,
}

/// What [`bundle`] made.
pub struct Bundle {
    /// Stands in place of the module that everything begins with.
    pub text: String,
    /// The modules in it, in their order.
    pub parts: Vec<String>,
    /// The modules that are loaded later, as they have to be then: what they import of the bundle
    /// they get of it, and not a second time.
    pub later: BTreeMap<String, String>,
}

/// A module taken apart.
struct Module {
    imports: Vec<Import>,
    exports: Vec<Export>,
    /// Paths that it may ask for later.
    later: Vec<String>,
    /// What is to stand in place of these bytes.
    edits: Vec<(usize, usize, Edit)>,
}

enum Edit {
    Text(String),
    /// The import of this number.
    Import(usize),
    /// `import()` of this path, from the name's quote on.
    Later(String),
    /// Its own URL.
    Url,
}

struct Import {
    path: String,
    /// What is taken and what it is called here.
    names: Vec<(String, String)>,
}

struct Export {
    name: String,
    /// What it is here, or in which imported module it is what.
    source: Source,
}

impl Export {
    /// The path of the module that it is imported from.
    fn from(&self) -> Option<&String> {
        match &self.source {
            Source::Imported { path, .. } => Some(path),
            Source::Local(_) => None,
        }
    }
}

enum Source {
    Local(String),
    Imported { path: String, name: String },
}

/// Puts the module `entry` and all that it imports into one.
///
/// # Errors
/// One sentence about what can't be put together.
pub fn bundle(modules: &Modules<'_>, entry: &str) -> Result<Bundle, String> {
    let mut parsed = BTreeMap::new();
    let mut order = Vec::new();
    visit(modules, entry, &mut parsed, &mut order, &mut Vec::new())?;
    let numbers: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(number, path)| (path.as_str(), number)).collect();
    let mut text = String::new();
    let mut asked = BTreeSet::new();
    // What is here already would be there twice if it were asked for again.
    let twice = |path: &str| Err(format!("{path} is imported both at once and later"));
    for path in order.iter().flat_map(|path| parsed[path].later.clone()) {
        if numbers.contains_key(path.as_str()) {
            return twice(&path);
        }
        asked.insert(path);
    }
    // What is loaded later, with all that it imports itself.
    let mut later = BTreeMap::new();
    let mut shared = BTreeSet::new();
    while let Some(path) = asked.pop_first() {
        let module = parse(modules, &path)?;
        let reexported = module.exports.iter().filter_map(Export::from);
        let elsewhere = module.later.iter().chain(reexported);
        if let Some(path) = elsewhere.clone().find(|path| numbers.contains_key(path.as_str())) {
            return twice(path);
        }
        let imported = module.imports.iter().map(|import| &import.path).chain(elsewhere);
        for path in imported {
            match numbers.get(path.as_str()) {
                Some(number) => drop(shared.insert(*number)),
                None if later.contains_key(path) => {}
                None => drop(asked.insert(path.clone())),
            }
        }
        let bundle = relative(&path, entry);
        let text = edited(modules.texts[path.as_str()], &module, |edit, old| match edit {
            Edit::Import(number) => {
                let Import { path, names } = &module.imports[*number];
                match numbers.get(path.as_str()) {
                    Some(module) => {
                        let names = pattern(names);
                        format!("import{{$m{module}}}from\"{bundle}\";{names}$m{module};")
                    }
                    None => old.to_owned(),
                }
            }
            _ => old.to_owned(),
        });
        later.insert(path, text);
    }
    for (number, path) in order.iter().enumerate() {
        let module = &parsed[path];
        check(path, module, &parsed)?;
        let body = edited(modules.texts[path.as_str()], module, |edit, _| match edit {
            Edit::Text(text) => text.clone(),
            Edit::Import(import) => {
                let Import { path, names } = &module.imports[*import];
                if names.is_empty() {
                    return String::new();
                }
                format!("{}$m{};", pattern(names), numbers[path.as_str()])
            }
            Edit::Later(path) => format!("\"{}\"", relative(entry, path)),
            Edit::Url => format!("new URL(\"{}\",import.meta.url).href", relative(entry, path)),
        });
        let exports: Vec<String> = module
            .exports
            .iter()
            .map(|Export { name, source }| match source {
                Source::Local(local) if local == name => name.clone(),
                Source::Local(local) => format!("{name}:{local}"),
                Source::Imported { path, name: there } => {
                    format!("{name}:$m{}.{there}", numbers[path.as_str()])
                }
            })
            .collect();
        // Writing into a String doesn't fail.
        let _ = write!(text, "// {path}\nconst $m{number}=(()=>{{");
        let _ = write!(text, "{}\n;return{{{}}}}})();\n", body.trim(), exports.join(","));
    }
    let shared: Vec<String> = shared.iter().map(|number| format!("$m{number}")).collect();
    let _ = writeln!(text, "export{{{}}}", shared.join(","));
    Ok(Bundle { text, parts: order, later })
}

/// Takes a module apart, after all that it imports.
fn visit(
    modules: &Modules<'_>,
    path: &str,
    parsed: &mut BTreeMap<String, Module>,
    order: &mut Vec<String>,
    above: &mut Vec<String>,
) -> Result<(), String> {
    if parsed.contains_key(path) {
        return Ok(());
    }
    if above.iter().any(|above| above == path) {
        return Err(format!("{} import each other", above.join(", ")));
    }
    above.push(path.to_owned());
    let module = parse(modules, path)?;
    let reexported = module.exports.iter().filter_map(Export::from);
    for path in module.imports.iter().map(|import| &import.path).chain(reexported) {
        visit(modules, path, parsed, order, above)?;
    }
    above.pop();
    order.push(path.to_owned());
    parsed.insert(path.to_owned(), module);
    Ok(())
}

/// Every imported name is one that is exported: nothing was overlooked.
fn check(path: &str, module: &Module, parsed: &BTreeMap<String, Module>) -> Result<(), String> {
    let imported = module
        .imports
        .iter()
        .flat_map(|import| import.names.iter().map(|(name, _)| (&import.path, name)));
    let reexported = module.exports.iter().filter_map(|export| match &export.source {
        Source::Imported { path, name } => Some((path, name)),
        Source::Local(_) => None,
    });
    for (from, name) in imported.chain(reexported) {
        if !parsed[from].exports.iter().any(|export| export.name == *name) {
            return Err(format!("{path} imports {name} of {from}, where no such export is seen"));
        }
    }
    Ok(())
}

/// `const {a, b: c} =`.
fn pattern(names: &[(String, String)]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|(name, local)| if name == local { name.clone() } else { format!("{name}:{local}") })
        .collect();
    format!("const{{{}}}=", names.join(","))
}

/// How the module `from` names the file `to`.
fn relative(from: &str, to: &str) -> String {
    let up = from.matches('/').count();
    if up == 0 { format!("./{to}") } else { format!("{}{to}", "../".repeat(up)) }
}

/// A module's text with something in place of its imports and exports.
fn edited(text: &str, module: &Module, put: impl Fn(&Edit, &str) -> String) -> String {
    let mut rest = 0;
    let mut made = String::with_capacity(text.len());
    for (start, end, edit) in &module.edits {
        made.push_str(&text[rest..*start]);
        made.push_str(&put(edit, &text[*start..*end]));
        rest = *end;
    }
    made.push_str(&text[rest..]);
    made
}

fn parse(modules: &Modules<'_>, path: &str) -> Result<Module, String> {
    let text = *modules.texts.get(path).ok_or_else(|| format!("there is no {path}"))?;
    let words = script::words(text).ok_or_else(|| format!("{path} isn't followed to its end"))?;
    let mut module =
        Module { imports: Vec::new(), exports: Vec::new(), later: Vec::new(), edits: Vec::new() };
    for Word { at, is_outside } in words {
        let mut reader = Reader { text, at };
        let read = if reader.word() == "import" {
            import(modules, path, &mut reader, at, is_outside, &mut module)
        } else if is_outside {
            export(modules, path, &mut reader, at, &mut module)
        } else {
            None
        };
        read.ok_or_else(|| {
            let line = text[..at].matches('\n').count() + 1;
            format!("{path}:{line}: a form of import or export that isn't known")
        })?;
    }
    Ok(module)
}

fn import(
    modules: &Modules<'_>,
    path: &str,
    reader: &mut Reader<'_>,
    at: usize,
    is_outside: bool,
    module: &mut Module,
) -> Option<()> {
    if reader.takes("(") {
        let start = reader.at;
        let found = (modules.resolve)(path, reader.quoted()?);
        module.later.push(found.clone());
        module.edits.push((start, reader.at, Edit::Later(found)));
        return Some(());
    }
    if reader.takes(".") {
        let own = reader.word() == "meta" && reader.takes(".") && reader.word() == "url";
        module.edits.push((at, reader.at, Edit::Url));
        return own.then_some(());
    }
    if !is_outside {
        return None;
    }
    let mut names = Vec::new();
    if !reader.is_quote() {
        if !reader.is("{") {
            names.push(("default".to_owned(), reader.name()?));
            reader.takes(",");
        }
        if reader.takes("{") {
            names.extend(reader.list()?);
        }
        if reader.word() != "from" {
            return None;
        }
    }
    let from = (modules.resolve)(path, reader.quoted()?);
    reader.takes(";");
    module.edits.push((at, reader.at, Edit::Import(module.imports.len())));
    module.imports.push(Import { path: from, names });
    Some(())
}

fn export(
    modules: &Modules<'_>,
    path: &str,
    reader: &mut Reader<'_>,
    at: usize,
    module: &mut Module,
) -> Option<()> {
    let mut local = |name: String, local: String| {
        module.exports.push(Export { name, source: Source::Local(local) });
    };
    if reader.takes("{") {
        let names = reader.list()?;
        let end = reader.at;
        let from = (reader.word() == "from").then(|| reader.quoted());
        match from {
            Some(from) => {
                let from = (modules.resolve)(path, from?);
                for (there, name) in names {
                    let source = Source::Imported { path: from.clone(), name: there };
                    module.exports.push(Export { name, source });
                }
            }
            None => {
                reader.at = end;
                names.into_iter().for_each(|(here, name)| local(name, here));
            }
        }
        reader.takes(";");
        module.edits.push((at, reader.at, Edit::Text(String::new())));
        return Some(());
    }
    // From `export` to here.
    let mut start = reader.at;
    let mut word = reader.word();
    let mut instead = String::new();
    let is_default = word == "default";
    if is_default {
        start = reader.at;
        word = reader.word();
    }
    if word == "async" {
        word = reader.word();
    }
    let name = match word {
        "function" | "class" => {
            reader.takes("*");
            reader.name().filter(|name| name != "extends")
        }
        "const" if !is_default => Some(reader.name()?),
        _ if is_default => None,
        // What is assigned later would have to be seen by others then.
        _ => return None,
    };
    match (is_default, name) {
        (false, name) => {
            let name = name?;
            local(name.clone(), name);
        }
        (true, Some(name)) => local("default".to_owned(), name),
        (true, None) => {
            "const $default=".clone_into(&mut instead);
            local("default".to_owned(), "$default".to_owned());
        }
    }
    start += module_text_gap(reader.text, start);
    module.edits.push((at, start, Edit::Text(instead)));
    Some(())
}

/// How much white space stands here.
fn module_text_gap(text: &str, at: usize) -> usize {
    text[at..].len() - text[at..].trim_start().len()
}

/// Reads the few forms that imports and exports have.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn skip(&mut self) -> &'a str {
        self.at += module_text_gap(self.text, self.at);
        &self.text[self.at..]
    }

    fn is(&mut self, sign: &str) -> bool {
        self.skip().starts_with(sign)
    }

    fn is_quote(&mut self) -> bool {
        self.skip().starts_with(['\'', '"'])
    }

    fn takes(&mut self, sign: &str) -> bool {
        // What isn't taken may be the end of a line, which means something.
        let is = self.text[self.at..].trim_start().starts_with(sign);
        if is {
            self.skip();
            self.at += sign.len();
        }
        is
    }

    /// A word, or nothing.
    fn word(&mut self) -> &'a str {
        let rest = self.skip();
        let word = &rest[..rest.find(|c| !script::is_word(c)).unwrap_or(rest.len())];
        self.at += word.len();
        word
    }

    fn name(&mut self) -> Option<String> {
        Some(self.word()).filter(|word| !word.is_empty()).map(str::to_owned)
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let rest = self.skip();
        let quote = rest.chars().next().filter(|c| ['\'', '"'].contains(c))?;
        let (quoted, _) = rest[1..].split_once(quote)?;
        self.at += quoted.len() + 2;
        Some(quoted)
    }

    /// `a, b as c }`: what each is and what it is called.
    fn list(&mut self) -> Option<Vec<(String, String)>> {
        let mut names = Vec::new();
        loop {
            if self.takes("}") {
                return Some(names);
            }
            let name = self.name()?;
            let end = self.at;
            let called = if self.word() == "as" {
                self.name()?
            } else {
                self.at = end;
                name.clone()
            };
            names.push((name, called));
            if !self.takes(",") && !self.is("}") {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(from: &str, name: &str) -> String {
        super::super::site::resolve(from, name)
    }

    fn put_together(texts: &[(&'static str, &'static str)]) -> Result<Bundle, String> {
        bundle(&Modules { texts: texts.iter().copied().collect(), resolve }, "main.js")
    }

    #[test]
    fn each_module_is_a_function_that_gives_its_exports() {
        let made = put_together(&[
            (
                "main.js",
                "import { a, b as c } from './lib/a.js'\nimport words, { d } from \"./b.js\"\n\
                 import './c.js'\na(c, d, words)\n",
            ),
            (
                "lib/a.js",
                "export function a() {}\nexport const b = { import: 1 }\nexport class C {}\n\
                 export async function e() {}",
            ),
            ("b.js", "import { a as z } from './lib/a.js'\nexport default { z }\nexport{z as d}"),
            ("c.js", "export { a as f } from './lib/a.js'; export default function g() {}"),
        ]);
        let wanted = "\
// lib/a.js
const $m0=(()=>{function a() {}
const b = { import: 1 }
class C {}
async function e() {}
;return{a,b,C,e}})();
// b.js
const $m1=(()=>{const{a:z}=$m0;
const $default={ z }

;return{default:$default,d:z}})();
// c.js
const $m2=(()=>{function g() {}
;return{f:$m0.a,default:g}})();
// main.js
const $m3=(()=>{const{a,b:c}=$m0;
const{default:words,d}=$m1;

a(c, d, words)
;return{}})();
export{}
";
        let lines = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&made.unwrap().text), lines(wanted));
    }

    #[test]
    fn what_is_loaded_later_shares_what_is_there() {
        let made = put_together(&[
            ("main.js", "import { a } from './lib/a.js'\na(() => import('./view/late.js'))"),
            ("lib/a.js", "export const a = new URL('../data/x.json', import.meta.url)"),
            ("view/late.js", "import { a } from '../lib/a.js'\nimport { l } from './l.js'\na(l)"),
            ("view/l.js", "import { a as b } from '../lib/a.js'\nexport const l = b"),
        ])
        .unwrap();
        assert!(made.text.contains("import(\"./view/late.js\")"), "{}", made.text);
        assert!(
            made.text.contains("new URL(\"./lib/a.js\",import.meta.url).href"),
            "{}",
            made.text
        );
        assert!(made.text.ends_with("export{$m0}\n"), "{}", made.text);
        assert_eq!(
            made.later["view/late.js"],
            "import{$m0}from\"../main.js\";const{a}=$m0;\nimport { l } from './l.js'\na(l)"
        );
        assert!(made.later["view/l.js"].contains("const{a:b}=$m0;"));
    }

    #[test]
    fn what_cannot_be_put_together_is_told() {
        for (main, other) in [
            ("import './a.js'", "import './main.js'"),
            ("import './a.js'", "export let a = 1"),
            ("import './a.js'", "export * from './main.js'"),
            ("import { b } from './a.js'", "export const a = 1, b = 2"),
            ("import { b } from './a.js'", "const { b } = {}"),
            ("import * as a from './a.js'", ""),
            ("import './gone.js'", ""),
            ("import './a.js'", "`"),
        ] {
            assert!(put_together(&[("main.js", main), ("a.js", other)]).is_err(), "{main} {other}");
        }
    }
}
