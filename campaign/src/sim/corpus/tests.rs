//! A corpus keeps one case of each kind, stays within bounds, and says where a file of it is broken.

use super::*;

const BOUNDS: Bounds = Bounds { cases: 10, bytes: 1 << 20 };

/// A saved case, as a file of the repository has it.
fn saved(name: &str) -> Case {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../histories/bugbase");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = files.into_iter().find(|path| path.to_string_lossy().contains(name));
    Case::load(&found.unwrap_or_else(|| panic!("no case of {name}"))).unwrap()
}

fn with_operations(case: &Case, count: usize, f: &str) -> Case {
    let mut case = case.clone();
    let Subject::Simulator { run } = &mut case.subject else { panic!("not of the simulator") };
    let mut operations = run.operations.clone().unwrap();
    operations.iter_mut().for_each(|operation| operation.f = f.into());
    run.operations = Some(operations.iter().cycle().take(count).cloned().collect());
    case
}

fn is_new(added: Added) -> bool {
    matches!(added, Added::New(_))
}

fn plan() -> SimPlan {
    SimPlan {
        format: 1,
        protocol: "raft".to_owned(),
        workload: "register".to_owned(),
        nodes: None,
        reads: None,
        snapshot_entries: None,
        rate: 100.0,
        faults: vec!["kill".to_owned()],
        duration_ms: 1_000,
        defects: Vec::new(),
        swarm: true,
        recovery_ms_max: 1_000,
        schedule: None,
    }
}

#[test]
fn one_case_of_each_kind_is_kept_and_found_again_by_the_next_session() {
    let folder = tempfile::tempdir().unwrap();
    let case = saved("R09");
    let (same_kind, other_kind) = (with_operations(&case, 7, "read"), with_operations(&case, 7, "write"));
    let mut corpus = Corpus::open(folder.path(), BOUNDS).unwrap();
    assert!(is_new(corpus.add(&with_operations(&case, 3, "read")).unwrap()));
    assert_eq!(corpus.add(&same_kind).unwrap(), Added::Known, "more operations of the same kind");
    assert!(is_new(corpus.add(&other_kind).unwrap()));
    drop(corpus);
    let mut corpus = Corpus::open(folder.path(), BOUNDS).unwrap();
    assert_eq!(corpus.kinds().len(), 2);
    assert_eq!(corpus.add(&other_kind).unwrap(), Added::Known);
    let kept: Vec<Case> = corpus.kinds().iter().map(|kind| Case::load(&kind.path).unwrap()).collect();
    assert!(kept.contains(&other_kind), "the file is a case that can be replayed");
}

#[test]
fn beyond_its_bounds_the_largest_case_of_the_commonest_check_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (common, rare) = (saved("R09"), saved("R22"));
    let mut corpus = Corpus::open(folder.path(), Bounds { cases: 3, ..BOUNDS }).unwrap();
    corpus.add(&rare).unwrap();
    corpus.add(&with_operations(&common, 3, "read")).unwrap();
    corpus.add(&with_operations(&common, 30, "write")).unwrap();
    corpus.add(&with_operations(&common, 4, "cas")).unwrap();
    let left: Vec<String> = corpus.kinds().iter().map(|kind| kind.shape.to_string()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(
        !left.iter().any(|kind| kind.ends_with("operations: write") && kind.contains("linear")),
        "{left:?}"
    );
    let files = fs::read_dir(folder.path()).unwrap();
    let cases =
        files.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("case-"));
    assert_eq!(cases.count(), 3);
    drop(corpus);
    let bytes = Case::to_text(&rare).len() as u64 + 100;
    let corpus = Corpus::open(folder.path(), Bounds { cases: 3, bytes }).unwrap();
    assert_eq!(corpus.kinds().len(), 1, "a session with smaller bounds keeps these");
}

#[test]
fn progress_is_kept_plan_by_plan() {
    let folder = tempfile::tempdir().unwrap();
    let mut corpus = Corpus::open(folder.path(), BOUNDS).unwrap();
    let other = SimPlan { defects: vec!["R05".to_owned()], ..plan() };
    corpus.progress(&plan(), 5).unwrap().next = 77;
    assert_eq!(corpus.progress(&other, 5).unwrap().next, 5);
    corpus.save().unwrap();
    drop(corpus);
    let mut corpus = Corpus::open(folder.path(), BOUNDS).unwrap();
    assert_eq!(corpus.progress(&plan(), 0).unwrap().next, 77);
    assert_eq!(corpus.progress(&other, 0).unwrap().next, 5);
}

#[test]
fn a_corpus_is_held_by_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let _held = Corpus::open(folder.path(), BOUNDS).unwrap();
    let refused = Corpus::open(folder.path(), BOUNDS).unwrap_err().to_string();
    assert!(refused.contains("another process"), "{refused}");
}

#[test]
fn a_broken_file_is_told_with_line_and_field() {
    let text = saved("R09").to_text();
    let nodes = text.lines().position(|line| line.contains("\"nodes\":")).unwrap() + 1;
    let broken = text.replacen("\"nodes\": ", "\"nodes\": -", 1);
    let progress = "{\n \"plans\": [\n {\"plan\": {},\n \"next\": 1}]}";
    let cases = [
        ("case-x.json", broken.as_str(), vec!["case-x.json", "field run.nodes", "line"]),
        ("case-x.json", &text[..text.len() / 2], vec!["case-x.json", "EOF", "line"]),
        ("case-x.json", "{\"story\": []}", vec!["case-x.json", "missing field", "line 1"]),
        (
            "progress.json",
            progress,
            vec!["progress.json", "field plans[0].plan", "missing field `format`", "line 3"],
        ),
    ];
    for (name, text, words) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let error = Corpus::open(folder.path(), BOUNDS).unwrap_err();
        assert!(error.is::<BadInput>());
        for word in words {
            assert!(error.to_string().contains(word), "should say {word:?}: {error}");
        }
        if text == broken {
            assert!(error.to_string().contains(&format!("line {nodes}")), "{error}");
        }
    }
}
