//! The colours, by daylight and by night, and style sheets made from them.
//!
//! A page takes them as variables; a picture that must stand alone, also in programs that know no variables, has
//! them written in.

/// A name and its colour by daylight and by night.
const COLOURS: [(&str, &str, &str); 12] = [
    ("paper", "#f7f7f5", "#14161a"),
    ("card", "#ffffff", "#1c1f25"),
    ("ink", "#1d2129", "#e6e8ec"),
    ("soft", "#666d7a", "#98a0ae"),
    ("line", "#e3e4e8", "#30353e"),
    ("ok", "#2f6fb2", "#6aa9e9"),
    ("fail", "#9aa2b1", "#727b8b"),
    ("info", "#d97f06", "#f0a437"),
    ("bad", "#c42836", "#ff6b73"),
    ("good", "#2c7a4b", "#5fc084"),
    ("bad-wash", "#fdeeee", "#3a2024"),
    ("good-wash", "#ecf6ef", "#1b3026"),
];

/// The colours as variables of a page, following the reader's preference.
pub fn variables() -> String {
    let list = |pick: fn(&(&str, &str, &str)) -> String| COLOURS.iter().map(pick).collect::<String>();
    let day = list(|(name, day, _)| format!("--{name}:{day};"));
    let night = list(|(name, _, night)| format!("--{name}:{night};"));
    format!(
        ":root{{color-scheme:light dark;{day}}}@media (prefers-color-scheme:dark){{:root{{{night}}}}}\
         @media print{{:root{{color-scheme:light;{day}}}}}"
    )
}

/// A style sheet with the colours written in, by daylight and, where a program knows it, by night.
pub fn written_in(css: &str) -> String {
    let with = |pick: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        COLOURS
            .iter()
            .fold(css.to_owned(), |css, colour| css.replace(&format!("var(--{})", colour.0), pick(colour)))
    };
    format!("{}@media (prefers-color-scheme:dark){{{}}}", with(|colour| colour.1), with(|colour| colour.2))
}
