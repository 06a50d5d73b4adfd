//! From a recorded history to a verdict and its sentences.

use expect_test::expect;
use rashomon_checker::explain::{Naming, explain};
use rashomon_checker::models::{CasRegister, Register};
use rashomon_checker::{Finding, Options, Verdict, decode, judge};
use rashomon_histories::History;

fn history(lines: &str) -> History {
    let mut text = String::from("{\"rashomon_history\":1}\n");
    for (index, line) in lines.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
        let mut words = line.split_whitespace();
        let process = words.next().expect("process, type, f");
        let kind = words.next().expect("process, type, f");
        let f = words.next().expect("process, type, f");
        let value = words.next().unwrap_or("null");
        let error = words.next().map(|error| format!(",\"error\":\"{error}\"")).unwrap_or_default();
        text.push_str(&format!(
            "{{\"index\":{index},\"time\":{index},\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"key\":\"x\",\
             \"value\":{value}{error}}}\n"
        ));
    }
    History::read_from("test", std::io::Cursor::new(text)).expect("well-formed")
}

fn tell(lines: &str) -> String {
    let keys = decode(&CasRegister, &history(lines)).expect("decodable");
    let judgement = judge(&CasRegister, &keys, &Options::default());
    let mut told = format!("{}\n", judgement.verdict);
    for (key, judged) in keys.iter().zip(&judgement.keys) {
        if let Finding::Invalid(counterexample) = &judged.finding {
            told.push_str(
                &explain(&CasRegister, &key.key, &key.calls, counterexample, &Naming::default()).to_string(),
            );
        }
    }
    told
}

#[test]
fn stale_read_is_told_in_sentences() {
    let told = tell(
        "0 invoke write 12
         0 ok write 12
         1 invoke write 13
         1 ok write 13
         2 invoke read
         2 ok read 13
         0 invoke write 15
         1 invoke read
         1 ok read 13
         0 ok write 15
         7 invoke read
         3 invoke write 16
         7 ok read 12
         3 ok write 16",
    );
    expect![[r#"
        invalid
        client 7 read 12 on key x between event 10 and event 12, although the operation of client 1 that wrote 13 had returned before that.
          - client 0 wrote 12 (between event 0 and event 1)
          - client 1 wrote 13 (between event 2 and event 3)
          - client 7 read 12 (between event 10 and event 12)
        No order of these 3 operations makes every answer true and keeps operations that did not overlap in the order in which they happened.
        Consistent until then: after "client 0 wrote 12; client 1 wrote 13" the state is 13, where "read 12" has no place before it returned.
        Each of these must come before the next, in a circle:
        (1) "client 0 wrote 12" had returned before "client 1 wrote 13" was invoked
        (2) "client 1 wrote 13" had returned before "client 7 read 12" was invoked
        (3) "client 7 read 12" and "client 0 wrote 12" go together, with no other change between them
    "#]].assert_eq(&told);
}

#[test]
fn a_refused_cas_is_evidence() {
    let told = tell(
        "0 invoke write 1
         0 ok write 1
         1 invoke cas [1,2]
         1 fail cas [1,2] precondition",
    );
    expect![[r#"
        invalid
        client 1 was refused to replace 1 by 2 on key x between event 2 and event 3, although the operation of client 0 that wrote 1 had returned before that.
          - client 0 wrote 1 (between event 0 and event 1)
          - client 1 was refused to replace 1 by 2 (between event 2 and event 3)
        No order of these 2 operations makes every answer true and keeps operations that did not overlap in the order in which they happened.
        Consistent until then: after "client 0 wrote 1" the state is 1, where "was refused to replace 1 by 2" has no place before it returned.
        Each of these must come before the next, in a circle:
        (1) "client 0 wrote 1" had returned before "client 1 was refused to replace 1 by 2" was invoked
        (2) "client 1 was refused to replace 1 by 2" found what was there before anything changed, and "client 0 wrote 1" changed it
    "#]].assert_eq(&told);
}

#[test]
fn other_failures_and_open_reads_prove_nothing() {
    let lines = "0 invoke write 1
         0 fail write 1 not-leader
         1 invoke read
         2 invoke cas [5,2]
         2 fail cas [5,2] not-leader
         3 invoke write 4
         3 info write 4 timeout
         1 info read null timeout";
    let keys = decode(&CasRegister, &history(lines)).unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].calls.len(), 1);
    assert!(keys[0].calls[0].is_unknown());
    assert_eq!(judge(&CasRegister, &keys, &Options::default()).verdict, Verdict::Valid);
}

#[test]
fn what_cannot_be_decoded_names_the_event() {
    let refuse = |lines: &str| decode(&CasRegister, &history(lines)).unwrap_err().to_string();
    expect!["event 1: a cas has the value [old, new], not Int(1)"]
        .assert_eq(&refuse("0 invoke cas 1\n0 ok cas 1"));
    expect![[
        r#"event 1: a register holds a whole number above -9223372036854775808 or null, not Text("a")"#
    ]]
    .assert_eq(&refuse("0 invoke read\n0 ok read \"a\""));
    expect![[r#"event 1: a cas-register has no operation "append""#]]
        .assert_eq(&refuse("0 invoke append 1\n0 ok append 1"));
    let register = decode(&Register, &history("0 invoke cas [1,2]\n0 ok cas [1,2]")).unwrap_err();
    expect![[r#"event 1: a register has no operation "cas""#]].assert_eq(&register.to_string());
}
