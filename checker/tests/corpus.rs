//! Every golden history gets the verdict that its folder says, with a witness that is re-checked, told in sentences.

use std::path::{Path, PathBuf};

use rashomon_checker::explain::Naming;
use rashomon_checker::models::by_name;
use rashomon_checker::{Engine, Options, Verdict};
use rashomon_histories::History;

fn check(folder: &str, verdict: Verdict) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/corpus").join(folder);
    let files = std::fs::read_dir(&folder).expect("the corpus is there");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    assert!(files.len() >= 6, "{} has only {} histories", folder.display(), files.len());
    files.sort();
    for file in files {
        let history = History::read(&file).unwrap_or_else(|error| panic!("{error}"));
        let name = history.header().model.as_deref().unwrap_or("cas-register");
        let model = by_name(name).unwrap_or_else(|| panic!("{}: no model {name}", file.display()));
        for engine in [None, Some(Engine::Search)] {
            let judgement = (model.judge)(&history, &Options { engine, ..Options::default() })
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(judgement.verdict, verdict, "{} by {engine:?}", file.display());
            (model.verify)(&history, &judgement)
                .expect("decoded before")
                .unwrap_or_else(|refuted| panic!("{}: {refuted}", file.display()));
            let told = (model.explain)(&history, &judgement, &Naming::default()).expect("decoded before");
            assert_eq!(told.is_empty(), verdict == Verdict::Valid, "{}", file.display());
        }
    }
}

#[test]
fn accepted_histories_are_valid() {
    check("accepted", Verdict::Valid);
}

#[test]
fn rejected_histories_are_invalid() {
    check("rejected", Verdict::Invalid);
}

#[test]
fn undecided_histories_are_not_guessed() {
    let file = "../histories/corpus/undecided/four-crossings-three-bridges.jsonl";
    let history =
        History::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("the corpus is there");
    let model = by_name("cas-register").expect("comes along");
    for states_max in [100, 1_000, 20_000] {
        let budget = rashomon_checker::Budget { states_max, ..rashomon_checker::Budget::default() };
        let judgement =
            (model.judge)(&history, &Options { budget, ..Options::default() }).expect("decodable");
        assert_ne!(judgement.verdict, Verdict::Valid);
        assert!(states_max > 100 || judgement.verdict == Verdict::Undecided);
    }
}
