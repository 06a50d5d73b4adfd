//! One entry of a command line: a template, or one that is repeated for nodes.
//!
//! ```toml
//! arguments = ["--id={id}", { each = "--peer={id}={address}:{peer_port}" }, { others = "--join={name}" }]
//! ```

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::template::{Meaningless, Scope, Template};

/// One entry of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    template: Template,
    repeated: Repeated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeated {
    Once,
    PerNode { with_self: bool },
}

impl Argument {
    /// The arguments that this one stands for.
    ///
    /// # Errors
    /// [`Meaningless`] when a placeholder has no value in this scope.
    pub fn expand(&self, scope: &dyn Scope) -> Result<Vec<String>, Meaningless> {
        match self.repeated {
            Repeated::Once => Ok(vec![self.template.expand(scope)?]),
            Repeated::PerNode { with_self } => {
                let own = scope.own_index();
                let nodes = scope.nodes().into_iter().enumerate();
                let chosen = nodes.filter(|(index, _)| with_self || Some(*index) != own);
                chosen.map(|(_, node)| self.template.expand(node)).collect()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Argument;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, { each = \"…\" } or { others = \"…\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Argument, E> {
        let template = Template::try_from(text.to_owned()).map_err(E::custom)?;
        Ok(Argument { template, repeated: Repeated::Once })
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Argument, A::Error> {
        let expected = "{ each = \"…\" } or { others = \"…\" }";
        let none = || de::Error::custom(format_args!("an empty table: expected {expected}"));
        let name = entries.next_key::<String>()?.ok_or_else(none)?;
        let with_self = match &*name {
            "each" => true,
            "others" => false,
            _ => return Err(de::Error::unknown_field(&name, &["each", "others"])),
        };
        let template = entries.next_value()?;
        match entries.next_key::<String>()? {
            None => Ok(Argument { template, repeated: Repeated::PerNode { with_self } }),
            Some(more) => {
                Err(de::Error::custom(format_args!("{more:?} beside {name:?}: expected {expected}")))
            }
        }
    }
}
