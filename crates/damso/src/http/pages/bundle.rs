//! Many modules in one file: browsers ask for no more than six files at a time, and on a phone each
//! round takes longer than all there is to load. Nothing is gained by a larger program here: modules
//! stay as they are written, each in a function of its own that gives what it exports.
//!
//! As much of `import` and `export` is known as the page's modules use. What is beyond that is told,
//! and the modules then travel one by one.

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
    /// All that the module imports that everything begins with.
    pub text: String,
    /// The modules in it, in their order.
    pub parts: Vec<String>,
    /// That module and those that are loaded later, as they have to be then: what they import of the
    /// bundle they get of it, and not a second time.
    pub later: BTreeMap<String, String>,
}

/// A module taken apart.
struct Module {
    imports: Vec<Import>,
    exports: Vec<Export>,
    /// Paths that it may ask for later.
    later: Vec<String>,
    /// It waits for something before it is there.
    waits: bool,
    /// What is to stand in place of these bytes.
    edits: Vec<(usize, usize, Edit)>,
}

impl Module {
    /// The paths that it imports at once.
    fn names(&self) -> impl Iterator<Item = &String> + Clone {
        let reexported = self.exports.iter().filter_map(Export::from);
        self.imports.iter().map(|import| &import.path).chain(reexported)
    }
}

enum Edit {
    Text(String),
    /// The import of this number.
    Import(usize),
    /// `import()` of this path.
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

/// Puts all that the module `entry` imports into one, which is to be at the path `name`. The entry is
/// not part of it: it may wait for a module that is loaded later, which can't wait for it then.
///
/// # Errors
/// One sentence about what can't be put together.
pub fn bundle(modules: &Modules<'_>, entry: &str, name: &str) -> Result<Bundle, String> {
    let mut parsed = BTreeMap::new();
    let mut order = Vec::new();
    visit(modules, entry, &mut parsed, &mut order)?;
    order.pop();
    if parsed.values().any(|module: &Module| module.names().any(|path| path == entry)) {
        return Err(format!("{entry} is imported itself"));
    }
    let numbers: BTreeMap<&str, usize> =
        order.iter().enumerate().map(|(number, path)| (path.as_str(), number)).collect();
    let mut text = String::new();
    let mut asked = BTreeSet::from([entry.to_owned()]);
    for path in order.iter().flat_map(|path| &parsed[path].later) {
        if !numbers.contains_key(path.as_str()) {
            asked.insert(path.clone());
        }
    }
    // What is loaded later, with all that it imports itself.
    let mut later = BTreeMap::new();
    let mut shared = BTreeSet::new();
    while let Some(path) = asked.pop_first() {
        let module = parse(modules, &path)?;
        check(&path, &module, &parsed)?;
        let mut reexported = module.exports.iter().filter_map(Export::from);
        if let Some(part) = reexported.find(|path| numbers.contains_key(path.as_str())) {
            return Err(format!("{path} is loaded later and exports again what {part} has"));
        }
        for path in module.names().chain(&module.later) {
            match numbers.get(path.as_str()) {
                Some(number) => drop(shared.insert(*number)),
                None if later.contains_key(path) => {}
                None => drop(asked.insert(path.clone())),
            }
        }
        let bundle = relative(&path, name);
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
            Edit::Later(path) => match numbers.get(path.as_str()) {
                Some(module) => format!("import(\"{bundle}\").then(all=>all.$m{module})"),
                None => old.to_owned(),
            },
            _ => old.to_owned(),
        });
        later.insert(path, text);
    }
    // Where modules import each other, the first one gets its names when the second one has run.
    let mut circles = BTreeSet::new();
    for (number, path) in order.iter().enumerate() {
        let imports = parsed[path].imports.iter().map(|import| numbers[import.path.as_str()]);
        circles.extend(imports.filter(|imported| *imported >= number));
    }
    for number in &circles {
        let _ = writeln!(text, "const $c{number}=[];");
    }
    for (number, path) in order.iter().enumerate() {
        let module = &parsed[path];
        check(path, module, &parsed)?;
        if module.waits {
            return Err(format!("{path} waits for something while it begins"));
        }
        let body = edited(modules.texts[path.as_str()], module, |edit, _| match edit {
            Edit::Text(text) => text.clone(),
            Edit::Import(import) => {
                let Import { path, names } = &module.imports[*import];
                let imported = numbers[path.as_str()];
                if names.is_empty() {
                    String::new()
                } else if imported < number {
                    format!("{}$m{imported};", pattern(names))
                } else {
                    let locals: Vec<&str> = names.iter().map(|(_, local)| &**local).collect();
                    let taken = pattern(names);
                    let taken = taken.trim_start_matches("const");
                    let locals = locals.join(",");
                    format!("let {locals};$c{imported}.push(()=>({taken}$m{imported}));")
                }
            }
            Edit::Later(path) => match numbers.get(path.as_str()) {
                Some(module) => format!("Promise.resolve().then(()=>$m{module})"),
                None => format!("import(\"{}\")", relative(name, path)),
            },
            Edit::Url => format!("new URL(\"{}\",import.meta.url).href", relative(name, path)),
        });
        if let Some(later) = module
            .exports
            .iter()
            .filter_map(Export::from)
            .find(|path| numbers[path.as_str()] >= number)
        {
            return Err(format!(
                "{path} and {later} import each other, and the one exports the other"
            ));
        }
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
        if circles.contains(&number) {
            let _ = writeln!(text, "$c{number}.forEach(take=>take());");
        }
    }
    let shared: Vec<String> = shared.iter().map(|number| format!("$m{number}")).collect();
    let _ = writeln!(text, "export{{{}}}", shared.join(","));
    Ok(Bundle { text, parts: order, later })
}

/// Takes a module apart, and gives it its place after all that it imports.
fn visit(
    modules: &Modules<'_>,
    path: &str,
    parsed: &mut BTreeMap<String, Module>,
    order: &mut Vec<String>,
) -> Result<(), String> {
    if parsed.contains_key(path) {
        return Ok(());
    }
    let module = parse(modules, path)?;
    let imported: Vec<String> = module.names().cloned().collect();
    parsed.insert(path.to_owned(), module);
    for path in imported {
        visit(modules, &path, parsed, order)?;
    }
    order.push(path.to_owned());
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
        let Some(from_there) = parsed.get(from) else { continue };
        if !from_there.exports.iter().any(|export| export.name == *name) {
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
    let mut module = Module {
        imports: Vec::new(),
        exports: Vec::new(),
        later: Vec::new(),
        waits: false,
        edits: Vec::new(),
    };
    for Word { at, is_outside } in words {
        let mut reader = Reader { text, at };
        let read = match reader.word() {
            "import" => import(modules, path, &mut reader, at, is_outside, &mut module),
            "export" if is_outside => export(modules, path, &mut reader, at, &mut module),
            "await" => {
                module.waits |= is_outside;
                Some(())
            }
            _ => None,
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
        let found = (modules.resolve)(path, reader.quoted()?);
        let ends = reader.takes(")");
        module.later.push(found.clone());
        module.edits.push((at, reader.at, Edit::Later(found)));
        return ends.then_some(());
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
        let modules = Modules { texts: texts.iter().copied().collect(), resolve };
        bundle(&modules, "main.js", "all.js")
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
export{$m0,$m1,$m2}
";
        let lines = |text: &str| {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let made = made.unwrap();
        assert_eq!(lines(&made.text), lines(wanted));
        assert_eq!(
            made.later["main.js"],
            "import{$m0}from\"./all.js\";const{a,b:c}=$m0;\n\
             import{$m1}from\"./all.js\";const{default:words,d}=$m1;\n\
             import{$m2}from\"./all.js\";const{}=$m2;\na(c, d, words)\n"
        );
    }

    #[test]
    fn what_is_loaded_later_shares_what_is_there() {
        let made = put_together(&[
            ("main.js", "import { a } from './lib/a.js'\nawait a"),
            (
                "lib/a.js",
                "export const a = [new URL('../x.json', import.meta.url), import('../view/late.js')]",
            ),
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
            "import{$m0}from\"../all.js\";const{a}=$m0;\nimport { l } from './l.js'\na(l)"
        );
        assert!(made.later["view/l.js"].contains("const{a:b}=$m0;"));
    }

    #[test]
    fn modules_may_import_each_other_and_be_asked_for_twice() {
        let made = put_together(&[
            ("main.js", "import { a } from './a.js'\na()"),
            (
                "a.js",
                "import { b as c } from './b.js'\n\
                 export function a() { c(); import('./a.js'); import('./late.js') }",
            ),
            ("b.js", "import { a } from './a.js'\nexport function b() { a() }"),
            ("late.js", "import('./b.js')"),
        ])
        .unwrap();
        let text = &made.text;
        assert!(text.starts_with("const $c1=[];\n// b.js\nconst $m0="), "{text}");
        assert!(text.contains("let a;$c1.push(()=>({a}=$m1));"), "{text}");
        assert!(text.contains("})();\n$c1.forEach(take=>take());\n"), "{text}");
        assert!(text.contains("Promise.resolve().then(()=>$m1); import(\"./late.js\")"), "{text}");
        assert_eq!(made.later["late.js"], "import(\"./all.js\").then(all=>all.$m0)");
        assert!(text.ends_with("export{$m0,$m1}\n"), "{text}");
    }

    #[test]
    fn what_cannot_be_put_together_is_told() {
        for (main, other) in [
            ("import './a.js'", "import './main.js'"),
            ("import './a.js'", "await 1"),
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
