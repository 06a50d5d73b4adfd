//! Text with placeholders, as a system's file uses it: `--name={name}`.
//!
//! ```text
//! template = { text | "{" placeholder "}" | "{each:" joint "}" template "{end}" }
//! ```
//!
//! `{each:,}{name}=http://{address}:{peer_port}{end}` stands for one such text per node, joined by commas;
//! `{others:,}…{end}` leaves out the node itself. `{{` and `}}` are braces. A template is parsed when its file is
//! read: a placeholder that does not exist is refused there, with the list of those that do. It refuses to know what
//! the values mean.

use std::fmt;

use serde::Deserialize;

/// Longest template that is read, in bytes.
const TEMPLATE_BYTES_MAX: usize = 4096;

/// What can stand between braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// See [`Placeholder::doc`]; so for all of them.
    Id,
    /// See [`Placeholder::doc`].
    Name,
    /// See [`Placeholder::doc`].
    Address,
    /// See [`Placeholder::doc`].
    Data,
    /// See [`Placeholder::doc`].
    ClientPort,
    /// See [`Placeholder::doc`].
    PeerPort,
    /// See [`Placeholder::doc`].
    NodeCount,
    /// See [`Placeholder::doc`].
    Protocol,
    /// See [`Placeholder::doc`].
    Seed,
    /// See [`Placeholder::doc`].
    Folder,
    /// See [`Placeholder::doc`].
    Defect,
    /// See [`Placeholder::doc`].
    Process,
    /// See [`Placeholder::doc`].
    TimeoutMs,
    /// See [`Placeholder::doc`].
    SnapshotEntries,
    /// See [`Placeholder::doc`].
    Heir,
    /// See [`Placeholder::doc`].
    Members,
}

impl Placeholder {
    /// Every placeholder, those of a node first.
    pub const ALL: [Placeholder; 16] = [
        Placeholder::Id,
        Placeholder::Name,
        Placeholder::Address,
        Placeholder::Data,
        Placeholder::ClientPort,
        Placeholder::PeerPort,
        Placeholder::NodeCount,
        Placeholder::Protocol,
        Placeholder::Seed,
        Placeholder::Folder,
        Placeholder::Defect,
        Placeholder::Process,
        Placeholder::TimeoutMs,
        Placeholder::SnapshotEntries,
        Placeholder::Heir,
        Placeholder::Members,
    ];

    /// As it stands between braces.
    pub const fn name(self) -> &'static str {
        match self {
            Placeholder::Id => "id",
            Placeholder::Name => "name",
            Placeholder::Address => "address",
            Placeholder::Data => "data",
            Placeholder::ClientPort => "client_port",
            Placeholder::PeerPort => "peer_port",
            Placeholder::NodeCount => "node_count",
            Placeholder::Protocol => "protocol",
            Placeholder::Seed => "seed",
            Placeholder::Folder => "folder",
            Placeholder::Defect => "defect",
            Placeholder::Process => "process",
            Placeholder::TimeoutMs => "timeout_ms",
            Placeholder::SnapshotEntries => "snapshot_entries",
            Placeholder::Heir => "heir",
            Placeholder::Members => "members",
        }
    }

    /// What it stands for.
    pub const fn doc(self) -> &'static str {
        match self {
            Placeholder::Id => "number of the node, from 1",
            Placeholder::Name => "name of the node, n1 and so on",
            Placeholder::Address => "address of the node",
            Placeholder::Data => "folder of the node's data",
            Placeholder::ClientPort => "port that the node's clients speak to",
            Placeholder::PeerPort => "port that the other nodes speak to",
            Placeholder::NodeCount => "how many nodes there are",
            Placeholder::Protocol => "the plan's protocol",
            Placeholder::Seed => "the plan's seed",
            Placeholder::Folder => "folder that the system's file is in",
            Placeholder::Defect => "one planted defect; in defect_arguments only",
            Placeholder::Process => "number of the client process; in the client's command only",
            Placeholder::TimeoutMs => {
                "how long a call or a probe may take; in commands of client and probe only"
            }
            Placeholder::SnapshotEntries => {
                "entries after which a snapshot is taken; in snapshot_arguments only"
            }
            Placeholder::Heir => "name of the node that is to lead; in leadership_command only",
            Placeholder::Members => {
                "names of those who are to take part, joined by commas; in members_command only"
            }
        }
    }

    fn by_name(name: &str) -> Option<Placeholder> {
        Placeholder::ALL.into_iter().find(|placeholder| placeholder.name() == name)
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Longer than any argument need be.
    #[error("{0} bytes: expected at most {TEMPLATE_BYTES_MAX}")]
    TooLong(usize),
    /// A brace without its counterpart.
    #[error("a single {0:?}: write {{{{ or }}}} for a brace that is meant as such")]
    Brace(char),
    /// The name between braces stands for nothing.
    #[error("nothing is called {{{0}}}; there are {known}", known = known())]
    Unknown(String),
    /// A loop is not closed, or an end closes none.
    #[error("{{each:…}} and {{others:…}} need an {{end}} each, and cannot stand in each other")]
    Loop,
}

fn known() -> String {
    let names: Vec<String> = Placeholder::ALL.iter().map(Placeholder::to_string).collect();
    format!("{}, {{each:JOINT}}…{{end}}, {{others:JOINT}}…{{end}}", names.join(", "))
}

/// Where values come from when a template is expanded.
pub trait Scope {
    /// What `placeholder` stands for here; none where it has no meaning.
    fn value(&self, placeholder: Placeholder) -> Option<String>;

    /// The scope of every node, in order, for loops.
    fn nodes(&self) -> Vec<&dyn Scope>;

    /// Position among [`Scope::nodes`] of the node that this is about, if it is about one.
    fn own_index(&self) -> Option<usize>;
}

/// A placeholder without meaning where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{template:?} uses {placeholder} ({}), which has no value here", placeholder.doc())]
pub struct Meaningless {
    /// The whole template.
    pub template: String,
    /// The placeholder.
    pub placeholder: Placeholder,
}

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value(Placeholder),
    Loop { with_self: bool, joint: String, body: Vec<Part> },
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(source: String) -> Result<Self, TemplateError> {
        if source.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong(source.len()));
        }
        let mut parts = Vec::new();
        let mut open: Option<(bool, String, Vec<Part>)> = None;
        let mut rest = &*source;
        while !rest.is_empty() {
            let (token, left) = next_token(rest)?;
            rest = left;
            let target = open.as_mut().map_or(&mut parts, |(_, _, body)| body);
            match token {
                Token::Text(text) => push_text(target, text),
                Token::Name(name) => match name.split_once(':') {
                    Some((kind @ ("each" | "others"), joint)) => {
                        if open.is_some() {
                            return Err(TemplateError::Loop);
                        }
                        open = Some((kind == "each", joint.to_owned(), Vec::new()));
                    }
                    _ if name == "end" => {
                        let (with_self, joint, body) = open.take().ok_or(TemplateError::Loop)?;
                        parts.push(Part::Loop { with_self, joint, body });
                    }
                    _ => {
                        let placeholder = Placeholder::by_name(name);
                        let unknown = || TemplateError::Unknown(name.chars().take(40).collect());
                        target.push(Part::Value(placeholder.ok_or_else(unknown)?));
                    }
                },
            }
        }
        match open {
            Some(_) => Err(TemplateError::Loop),
            None => Ok(Template { source, parts }),
        }
    }
}

enum Token<'a> {
    Text(&'a str),
    Name(&'a str),
}

/// The first token of a text that is not empty, and what follows it.
fn next_token(text: &str) -> Result<(Token<'_>, &str), TemplateError> {
    if text.starts_with("{{") || text.starts_with("}}") {
        return Ok((Token::Text(&text[..1]), &text[2..]));
    }
    if let Some(inside) = text.strip_prefix('{') {
        let end = inside.find('}').ok_or(TemplateError::Brace('{'))?;
        return Ok((Token::Name(&inside[..end]), &inside[end + 1..]));
    }
    if text.starts_with('}') {
        return Err(TemplateError::Brace('}'));
    }
    let end = text.find(['{', '}']).unwrap_or(text.len());
    Ok((Token::Text(&text[..end]), &text[end..]))
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(before)) => before.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

impl Template {
    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text with every placeholder replaced by its value.
    ///
    /// # Errors
    /// [`Meaningless`] when one has no value in this scope.
    pub fn expand(&self, scope: &dyn Scope) -> Result<String, Meaningless> {
        let mut text = String::new();
        self.expand_parts(&self.parts, scope, &mut text)?;
        Ok(text)
    }

    fn expand_parts(&self, parts: &[Part], scope: &dyn Scope, text: &mut String) -> Result<(), Meaningless> {
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Value(placeholder) => {
                    let meaningless =
                        || Meaningless { template: self.source.clone(), placeholder: *placeholder };
                    text.push_str(&scope.value(*placeholder).ok_or_else(meaningless)?);
                }
                Part::Loop { with_self, joint, body } => {
                    let own = scope.own_index();
                    let nodes = scope.nodes();
                    let members = nodes.iter().enumerate().filter(|(at, _)| *with_self || Some(*at) != own);
                    for (position, (_, member)) in members.enumerate() {
                        if position > 0 {
                            text.push_str(joint);
                        }
                        self.expand_parts(body, *member, text)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    struct Node(usize);
    static NODES: [Node; 3] = [Node(0), Node(1), Node(2)];

    impl Scope for Node {
        fn value(&self, placeholder: Placeholder) -> Option<String> {
            match placeholder {
                Placeholder::Name => Some(format!("n{}", self.0 + 1)),
                Placeholder::PeerPort => Some("2380".to_owned()),
                _ => None,
            }
        }

        fn nodes(&self) -> Vec<&dyn Scope> {
            NODES.iter().map(|node| node as &dyn Scope).collect()
        }

        fn own_index(&self) -> Option<usize> {
            Some(self.0)
        }
    }

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::try_from(text.to_owned())
    }

    fn expand(text: &str) -> String {
        parse(text).unwrap().expand(&NODES[1]).unwrap()
    }

    #[test]
    fn placeholders_and_loops_expand() {
        assert_eq!(expand(""), "");
        assert_eq!(expand("--name={name}"), "--name=n2");
        assert_eq!(expand("{each:,}{name}=http://{name}:{peer_port}{end}!"), {
            "n1=http://n1:2380,n2=http://n2:2380,n3=http://n3:2380!"
        });
        assert_eq!(expand("{others: --peer }{name}{end}"), "n1 --peer n3");
        assert_eq!(expand("{{\"a\": \"{name}\"}}"), "{\"a\": \"n2\"}");
        assert_eq!(expand("ä{name}ö"), "än2ö");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let wrong = [
            "{nmae}",
            "{name",
            "name}",
            "{each:,}{name}",
            "{end}",
            "{each:,}{others:,}{end}{end}",
            "{}",
            "{each}",
        ];
        let mut messages: Vec<String> =
            wrong.iter().map(|text| format!("{text}: {}", parse(text).unwrap_err())).collect();
        messages.push(parse(&"x".repeat(5000)).unwrap_err().to_string());
        messages.push(parse("--key={process}").unwrap().expand(&NODES[0]).unwrap_err().to_string());
        expect![[r#"
            {nmae}: nothing is called {nmae}; there are {id}, {name}, {address}, {data}, {client_port}, {peer_port}, {node_count}, {protocol}, {seed}, {folder}, {defect}, {process}, {timeout_ms}, {snapshot_entries}, {heir}, {members}, {each:JOINT}…{end}, {others:JOINT}…{end}
            {name: a single '{': write {{ or }} for a brace that is meant as such
            name}: a single '}': write {{ or }} for a brace that is meant as such
            {each:,}{name}: {each:…} and {others:…} need an {end} each, and cannot stand in each other
            {end}: {each:…} and {others:…} need an {end} each, and cannot stand in each other
            {each:,}{others:,}{end}{end}: {each:…} and {others:…} need an {end} each, and cannot stand in each other
            {}: nothing is called {}; there are {id}, {name}, {address}, {data}, {client_port}, {peer_port}, {node_count}, {protocol}, {seed}, {folder}, {defect}, {process}, {timeout_ms}, {snapshot_entries}, {heir}, {members}, {each:JOINT}…{end}, {others:JOINT}…{end}
            {each}: nothing is called {each}; there are {id}, {name}, {address}, {data}, {client_port}, {peer_port}, {node_count}, {protocol}, {seed}, {folder}, {defect}, {process}, {timeout_ms}, {snapshot_entries}, {heir}, {members}, {each:JOINT}…{end}, {others:JOINT}…{end}
            5000 bytes: expected at most 4096
            "--key={process}" uses {process} (number of the client process; in the client's command only), which has no value here"#]].assert_eq(&messages.join("\n"));
    }
}
