//! What is made of etcd's answers, good and bad.

use expect_test::expect;
use hyper::body::Bytes;
use rashomon_histories::Process;

use super::*;

fn response(status: u16, body: &'static str) -> Response {
    Response { status, body: Bytes::from_static(body.as_bytes()) }
}

fn told(outcome: Outcome) -> String {
    match outcome {
        Ok(Reply { value: None }) => "done".to_owned(),
        Ok(Reply { value: Some(value) }) => format!("value {value}"),
        Err(error) => format!("{} {error}", if error.definite { "FAIL" } else { "INFO" }),
    }
}

#[test]
fn requests_look_like_this() {
    let ask = |f: &str, value: Value| {
        let operation = Invocation::new(Process::client(0), f).key("k0").value(value);
        request(&operation, false)
            .map_or_else(|error| error.to_string(), |r| format!("{} {}", r.path, r.body))
    };
    let lines = [
        ask("read", Value::Null),
        ask("write", Value::Int(12)),
        ask("cas", Value::pair(12, 13)),
        ask("cas", Value::List(vec![Value::Null, Value::Int(13)])),
        ask("write", Value::Null),
    ];
    expect![[r#"
        /v3/kv/range {"key":"azA=","serializable":false}
        /v3/kv/put {"key":"azA=","value":"MTI="}
        /v3/kv/txn {"compare":[{"key":"azA=","target":"VALUE","value":"MTI="}],"success":[{"request_put":{"key":"azA=","value":"MTM="}}]}
        /v3/kv/txn {"compare":[{"key":"azA=","target":"VERSION","version":"0"}],"success":[{"request_put":{"key":"azA=","value":"MTM="}}]}
        unsupported: no such operation on registers: Invocation { process: Client(0), f: "write", key: Some("k0"), value: Null, node: None }"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn answers_are_read_like_this() {
    let lines = [
        told(range_answer(&response(200, r#"{"header":{"revision":"5"}}"#))),
        told(range_answer(&response(
            200,
            r#"{"header":{},"kvs":[{"key":"eA==","value":"MTI="}],"count":"1"}"#,
        ))),
        told(range_answer(&response(
            200,
            r#"{"header":{},"kvs":[{"key":"eA==","value":"eA=="}],"count":"1"}"#,
        ))),
        told(range_answer(&response(200, "<html>"))),
        told(range_answer(&response(200, "{}"))),
        told(put_answer(&response(200, r#"{"header":{"revision":"6"}}"#))),
        told(put_answer(&response(200, "{}"))),
        told(txn_answer(&response(200, r#"{"header":{},"succeeded":true,"responses":[{}]}"#))),
        told(txn_answer(&response(200, r#"{"header":{}}"#))),
        told(txn_answer(&response(200, "{}"))),
    ];
    expect![[r#"
        value null
        value 12
        INFO malformed-reply: a value that no client wrote: "eA=="
        INFO malformed-reply: expected value at line 1 column 1
        INFO malformed-reply: missing field `header` at line 1 column 2
        done
        INFO malformed-reply: missing field `header` at line 1 column 2
        done
        FAIL precondition: the compare failed
        INFO malformed-reply: missing field `header` at line 1 column 2"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn only_errors_from_before_the_proposal_are_definite() {
    let texts = [
        "etcdserver: no leader",
        "raft proposal dropped",
        "etcdserver: too many requests",
        "etcdserver: request is too large",
        "etcdserver: request timed out",
        "etcdserver: request timed out, possibly due to previous leader failure",
        "etcdserver: request timed out, possibly due to connection lost",
        "etcdserver: leader changed",
        "etcdserver: server stopped",
        "raft: stopped",
        "context deadline exceeded",
        "etcdserver: mvcc: database space exceeded",
    ];
    let lines = texts.map(|text| {
        let error = classify(text).with("");
        format!("{} {:16} {text}", if error.definite { "FAIL" } else { "INFO" }, error.code)
    });
    expect![[r#"
        FAIL no-leader        etcdserver: no leader
        FAIL no-leader        raft proposal dropped
        FAIL overloaded       etcdserver: too many requests
        FAIL unsupported      etcdserver: request is too large
        INFO timeout          etcdserver: request timed out
        INFO timeout          etcdserver: request timed out, possibly due to previous leader failure
        INFO timeout          etcdserver: request timed out, possibly due to connection lost
        INFO leader-changed   etcdserver: leader changed
        INFO stopping         etcdserver: server stopped
        INFO stopping         raft: stopped
        INFO unknown          context deadline exceeded
        INFO unknown          etcdserver: mvcc: database space exceeded"#]]
    .assert_eq(&lines.join("\n"));
}
