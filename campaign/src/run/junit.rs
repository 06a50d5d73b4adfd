//! The verdict as a JUnit file, for CI: one test case per axis.

use std::path::Path;

use anyhow::Context as _;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::run::verdict::{Axes, Safety};

/// Writes the report. `story` explains a violation; `command` reproduces the run.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, axes: &Axes, story: &str, command: &str) -> anyhow::Result<()> {
    let mut suite = TestSuite::new("rashomon");
    let safety = match &axes.safety {
        Safety::Valid => Vec::new(),
        Safety::Invalid => vec![story.to_owned()],
        Safety::Undecided { reason }
        | Safety::Diverged { story: reason }
        | Safety::Unsound { story: reason, .. } => vec![reason.clone()],
        Safety::Unjudged => vec!["the history was not judged".to_owned()],
    };
    let kind = match axes.safety {
        Safety::Unjudged => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    };
    suite.add_test_case(case("safety", &safety, kind, command));
    suite.add_test_case(case("coverage", &axes.coverage.missed, NonSuccessKind::Failure, command));
    suite.add_test_case(case("recovery", &axes.recovery.missed, NonSuccessKind::Failure, command));
    suite.add_test_case(case("harness", &axes.harness.failures, NonSuccessKind::Error, command));
    let mut report = Report::new("rashomon");
    report.add_test_suite(suite);
    let text = report.to_string().context("the JUnit report cannot be formed")?;
    std::fs::write(path, text).with_context(|| format!("--junit {}: cannot be written", path.display()))
}

fn case(name: &str, problems: &[String], kind: NonSuccessKind, command: &str) -> TestCase {
    let status = if problems.is_empty() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_message(problems.join("; "));
        status.set_description(format!("{}\n\nreproduce: {command}", problems.join("\n")));
        status
    };
    let mut case = TestCase::new(name, status);
    case.set_classname("rashomon");
    case
}
