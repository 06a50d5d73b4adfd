//! An examination as text for a terminal. Refuses to know how it was made.

use std::fmt::Write as _;

use super::{Check, Examination};

/// A line per check, what to do below each that fails, the conclusion last.
pub fn render(examination: &Examination) -> String {
    let width = examination.checks.iter().map(|check| check.subject.len()).max().unwrap_or(0);
    let mut text = format!("{}\n\n", examination.machine);
    for check in &examination.checks {
        let _infallible = writeln!(text, "  {:<8} {:<width$}  {}", word(check), check.subject, check.detail);
        if !check.names.is_empty() {
            let _infallible = writeln!(text, "  {:<8} {:<width$}  {}", "", "", check.names.join(" "));
        }
        if let Some(remedy) = &check.remedy {
            let _infallible = writeln!(text, "  {:<8} {:<width$}  → {remedy}", "", "");
        }
    }
    let conclusion = if examination.ready {
        "The default run, `rashomon run`, can start here."
    } else {
        "The default run cannot start here: see what does not work above."
    };
    let _infallible = writeln!(text, "\n{conclusion}");
    if let Some(install) = &examination.install {
        let _infallible = writeln!(text, "To install what is missing: {install}");
    }
    text
}

fn word(check: &Check) -> &'static str {
    match (check.works, check.required) {
        (true, _) => "works",
        (false, true) => "MISSING",
        (false, false) => "absent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn check(subject: &str, required: bool, works: bool, remedy: Option<&str>) -> Check {
        Check {
            subject: subject.to_owned(),
            required,
            works,
            detail: "as measured".to_owned(),
            names: if subject.starts_with("fault") { vec!["one", "another"] } else { Vec::new() },
            remedy: remedy.map(str::to_owned),
        }
    }

    #[test]
    fn what_fails_is_followed_by_what_to_do() {
        let examination = Examination {
            machine: "Linux 6.1, 2 processors, as root".to_owned(),
            checks: vec![
                check("arena namespaces", true, true, None),
                check("fault partition", true, false, Some("apt-get install -y iptables")),
                check("system etcd", false, false, None),
            ],
            install: Some("apt-get install -y iptables".to_owned()),
            ready: false,
        };
        expect![[r#"
            Linux 6.1, 2 processors, as root

              works    arena namespaces  as measured
              MISSING  fault partition   as measured
                                         one another
                                         → apt-get install -y iptables
              absent   system etcd       as measured

            The default run cannot start here: see what does not work above.
            To install what is missing: apt-get install -y iptables
        "#]]
        .assert_eq(&render(&examination));
    }
}
