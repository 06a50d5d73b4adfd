//! Ready-made time lines, each for one planted bug that random schedules meet too seldom. One file each, in
//! `nemesis/timelines/`, and one line here.

macro_rules! library {
    ($($name:literal,)*) => {
        /// Every time line: its name and its text.
        pub const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../timelines/", $name, ".toml"))),)*];
    };
}

library! {
    "R01",
    "R04",
    "R05",
    "R07",
    "R09",
    "R13",
    "R19",
    "R20",
    "R26",
    "R27",
    "R33",
    "R35",
    "P01",
    "P05",
    "P11",
    "Z02",
    "Z03",
}

/// A name that no time line has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no time line is called {name:?}; there are {known}", known = names().collect::<Vec<_>>().join(", "))]
pub struct UnknownTimeline {
    /// What was asked for, cut to a bounded length.
    pub name: String,
}

/// The names, in order.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The text of this name, in TOML: whoever reads files has the reader.
///
/// # Errors
/// When there is none.
pub fn text(name: &str) -> Result<&'static str, UnknownTimeline> {
    let found = ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, text)| *text).ok_or_else(|| UnknownTimeline { name: name.chars().take(64).collect() })
}
