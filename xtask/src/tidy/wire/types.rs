//! Structs and enums of Rust, as much of them as serde needs to name what travels.

pub struct Type {
    pub name: String,
    pub shape: Shape,
}

pub enum Shape {
    /// With named fields; others count as nothing.
    Struct(Vec<Field>),
    Enum(Vec<Variant>),
}

pub struct Field {
    /// As it travels.
    pub name: String,
    /// The types that its type is made of.
    pub content: Vec<String>,
    /// A reader does without it.
    pub has_default: bool,
    /// A writer leaves it out at times.
    pub is_skipped: bool,
}

pub struct Variant {
    /// As it travels.
    pub name: String,
    /// The types within.
    pub content: Vec<String>,
    /// It stands for what a later version adds, and never travels.
    pub is_other: bool,
}

#[derive(PartialEq)]
enum Token<'a> {
    /// From `#[` to `]`.
    Attribute(&'a str),
    Word(&'a str),
    Sign(char),
}

/// The structs and enums in `code`, which has no comments.
pub fn types(code: &str) -> Vec<Type> {
    let tokens = tokens(code);
    let mut types = Vec::new();
    let mut attributes = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match (token, tokens.get(at)) {
            (Token::Attribute(attribute), _) => attributes.push(*attribute),
            (Token::Word("pub"), _) => {}
            (Token::Word(kind @ ("struct" | "enum")), Some(Token::Word(name))) => {
                let is_open = |token: &Token<'_>| matches!(token, Token::Sign('{' | '(' | ';'));
                at += tokens[at..].iter().position(is_open).unwrap_or(tokens.len() - at);
                let body = match tokens.get(at) {
                    Some(Token::Sign('{')) => inside(&tokens[at..]),
                    _ => &[],
                };
                at += body.len();
                let shape = match *kind {
                    "struct" => Shape::Struct(parts(body).into_iter().filter_map(field).collect()),
                    _ => {
                        let style = Serde(&attributes).value("rename_all").unwrap_or_default();
                        let variant = |part| variant(part, style);
                        Shape::Enum(parts(body).into_iter().filter_map(variant).collect())
                    }
                };
                types.push(Type { name: (*name).to_owned(), shape });
                attributes.clear();
            }
            _ => attributes.clear(),
        }
    }
    types
}

fn field(part: &[Token<'_>]) -> Option<Field> {
    let (attributes, part) = attributed(part);
    let part = part.strip_prefix(&[Token::Word("pub")][..]).unwrap_or(part);
    let [Token::Word(name), Token::Sign(':'), content @ ..] = part else { return None };
    let serde = Serde(&attributes);
    Some(Field {
        name: serde.value("rename").unwrap_or(name).to_owned(),
        content: words(content),
        has_default: serde.has("default"),
        is_skipped: serde.has("skip_serializing_if"),
    })
}

fn variant(part: &[Token<'_>], style: &str) -> Option<Variant> {
    let (attributes, part) = attributed(part);
    let [Token::Word(name), content @ ..] = part else { return None };
    let serde = Serde(&attributes);
    Some(Variant {
        name: serde.value("rename").map_or_else(|| restyled(name, style), str::to_owned),
        content: words(content),
        is_other: serde.has("other"),
    })
}

fn words(tokens: &[Token<'_>]) -> Vec<String> {
    let word = |token: &Token<'_>| match token {
        Token::Word(word) => Some((*word).to_owned()),
        _ => None,
    };
    tokens.iter().filter_map(word).collect()
}

fn restyled(name: &str, style: &str) -> String {
    match style {
        "lowercase" => name.to_lowercase(),
        "snake_case" => {
            let mut snake = String::new();
            for c in name.chars() {
                if c.is_uppercase() && !snake.is_empty() {
                    snake.push('_');
                }
                snake.extend(c.to_lowercase());
            }
            snake
        }
        _ => name.to_owned(),
    }
}

/// What `#[serde(…)]` says.
struct Serde<'a>(&'a [&'a str]);

impl<'a> Serde<'a> {
    fn words(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let inside = |attribute: &&'a str| attribute.strip_prefix("#[serde(")?.strip_suffix(")]");
        self.0.iter().filter_map(inside).flat_map(|inside| inside.split(',')).map(|word| match word
            .split_once('=')
        {
            Some((key, value)) => (key.trim(), Some(value.trim().trim_matches('"'))),
            None => (word.trim(), None),
        })
    }

    fn has(&self, key: &str) -> bool {
        self.words().any(|(word, _)| word == key)
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        self.words().find(|(word, _)| *word == key)?.1
    }
}

fn attributed<'t, 'a>(part: &'t [Token<'a>]) -> (Vec<&'a str>, &'t [Token<'a>]) {
    let attribute = |token: &Token<'a>| match token {
        Token::Attribute(attribute) => Some(*attribute),
        _ => None,
    };
    let attributes: Vec<&str> = part.iter().map_while(attribute).collect();
    let rest = &part[attributes.len()..];
    (attributes, rest)
}

/// What stands between the bracket that comes first and its counterpart.
fn inside<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        depth += token.step();
        if depth == 0 {
            return &tokens[1..at];
        }
    }
    &tokens[1..]
}

/// The parts between commas that are in no bracket.
fn parts<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0;
    let is_end = |token: &Token<'_>| {
        depth += token.step();
        depth == 0 && matches!(token, Token::Sign(','))
    };
    tokens.split(is_end).collect()
}

impl Token<'_> {
    /// How much deeper it goes.
    fn step(&self) -> i32 {
        match self {
            Token::Sign('(' | '[' | '{' | '<') => 1,
            Token::Sign(')' | ']' | '}' | '>') => -1,
            _ => 0,
        }
    }
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("#[") {
            // None of these attributes holds a bracket in quotes.
            let length = rest.find(']').map_or(rest.len(), |end| end + 1);
            tokens.push(Token::Attribute(&rest[..length]));
            length
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(&rest[..length]));
            length
        } else {
            tokens.push(Token::Sign(first));
            // The two signs of an arrow are no bracket.
            if rest.starts_with("->") || rest.starts_with("=>") { 2 } else { first.len_utf8() }
        };
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_they_travel() {
        let code = "#[derive(Debug)]\npub struct A<'a> {\n  #[serde(borrow)]\n  pub t: Cow<'a, str>,\n  \
                    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n  \
                    pub of: Option<Vec<(u64, B)>>,\n  #[serde(rename = \"x\")]\n  y: u8\n}";
        let types = types(code);
        let [Type { name, shape: Shape::Struct(fields) }] = &types[..] else { panic!() };
        let fields: Vec<_> = fields
            .iter()
            .map(|field| {
                (&*field.name, field.content.join(" "), field.has_default, field.is_skipped)
            })
            .collect();
        assert_eq!(name, "A");
        let expected = [
            ("t", "Cow a str".to_owned(), false, false),
            ("of", "Option Vec u64 B".to_owned(), true, true),
            ("x", "u8".to_owned(), false, false),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn variants_are_named_as_they_travel() {
        let code = "#[serde(tag = \"t\", rename_all = \"snake_case\")]\nenum A { OneTwo(Box<B>), \
                    #[serde(rename = \"ok\")] Three, #[serde(other)] Four }\n\
                    fn f() -> u8 { if a < b { 1 } else { 2 } }\npub struct C(u8);\npub struct D {}";
        let types = types(code);
        let names: Vec<_> = types.iter().map(|known| &*known.name).collect();
        assert_eq!(names, ["A", "C", "D"]);
        let Shape::Enum(variants) = &types[0].shape else { panic!() };
        let variants: Vec<_> = variants
            .iter()
            .map(|variant| (&*variant.name, variant.content.join(" "), variant.is_other))
            .collect();
        let expected = [
            ("one_two", "Box B".to_owned(), false),
            ("ok", String::new(), false),
            ("four", String::new(), true),
        ];
        assert_eq!(variants, expected);
    }
}
