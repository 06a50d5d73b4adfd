//! Forms that are read, passed over and refused.

use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(text: &str, expected: Expect) {
    let mut forms = Forms::new(text.as_bytes());
    let mut shown = String::new();
    let end = loop {
        match forms.next() {
            Ok(Some((start, form))) => shown.push_str(&format!("{}: {form:?}\n", start.line)),
            Ok(None) => break "end".to_owned(),
            Err(trouble) => {
                let Position { line, column } = forms.position();
                break format!("{trouble:?} at line {line}, column {column}");
            }
        }
    };
    expected.assert_eq(&(shown + &end));
}

#[test]
fn atoms() {
    check(
        "nil true false 1 -2 +3 4N 0.5 -1e3 2.5M",
        expect![[r#"
            1: Nil
            1: Bool(true)
            1: Bool(false)
            1: Int(1)
            1: Int(-2)
            1: Int(3)
            1: Int(4)
            1: Float(0.5)
            1: Float(-1000.0)
            1: Float(2.5)
            end"#]],
    );
    check(
        r#":a :b/c sym + - "t" "" \a \newline \( \[ "#,
        expect![[r#"
            1: Keyword("a")
            1: Keyword("b/c")
            1: Symbol("sym")
            1: Symbol("+")
            1: Symbol("-")
            1: Text("t")
            1: Text("")
            1: Text("a")
            1: Text("\n")
            1: Text("(")
            1: Text("[")
            end"#]],
    );
    check(
        r#""a\"b\\c\n\té罗\uD83C\uDFAC""#,
        expect![[r#"
            1: Text("a\"b\\c\n\té罗🎬")
            end"#]],
    );
    check(
        "##NaN ##Inf ##-Inf",
        expect![[r#"
            1: Float(NaN)
            1: Float(inf)
            1: Float(-inf)
            end"#]],
    );
}

#[test]
fn collections() {
    check("[] ", expect!["end"]);
    check(
        "[1 2] 3",
        expect![[r#"
            1: Int(1)
            1: Int(2)
            Wrong("something after the end of the history") at line 1, column 7"#]],
    );
    check(
        "{:a [1, 2] :b #{3} :c (4 5)}{:d {}}",
        expect![[r#"
            1: Map([(Keyword("a"), Vector([Int(1), Int(2)])), (Keyword("b"), Set([Int(3)])), (Keyword("c"), Vector([Int(4), Int(5)]))])
            1: Map([(Keyword("d"), Map([]))])
            end"#]],
    );
    check(
        "[{:a 1}\n{:b 2}\n]\n",
        expect![[r#"
            1: Map([(Keyword("a"), Int(1))])
            2: Map([(Keyword("b"), Int(2))])
            end"#]],
    );
    check(
        "({:a 1} {:b 2})",
        expect![[r#"
            1: Map([(Keyword("a"), Int(1))])
            1: Map([(Keyword("b"), Int(2))])
            end"#]],
    );
}

#[test]
fn what_is_passed_over() {
    check(
        "; a comment\n1 ; another\n#_ {:gone [1]} #_ #_ 2 3 4 #_5",
        expect![[r#"
            2: Int(1)
            3: Int(4)
            end"#]],
    );
    check(
        "#inst \"2020\" #jepsen.history.Op{:index 1} ^{:meta 1} [1] ^:m x",
        expect![[r#"
            1: Text("2020")
            1: Map([(Keyword("index"), Int(1))])
            1: Vector([Int(1)])
            1: Symbol("x")
            end"#]],
    );
    check(
        "{:a #_ gone 1}",
        expect![[r#"
            1: Map([(Keyword("a"), Int(1))])
            end"#]],
    );
}

#[test]
fn what_is_refused() {
    for (text, expected) in [
        ("{:a}", expect![[r#"Wrong("a map in which a name has no value") at line 1, column 5"#]]),
        ("]", expect![[r#"Wrong("a ']' that closes nothing") at line 1, column 1"#]]),
        ("{:a 1]}", expect![[r#"Wrong("a ']' that closes nothing") at line 1, column 6"#]]),
        ("\n\n  : ", expect![[r#"Wrong("a keyword without a name") at line 3, column 4"#]]),
        ("1/2 ", expect![[r#"Wrong("1/2, which is no whole or decimal number") at line 1, column 4"#]]),
        (
            "9223372036854775808 ",
            expect![[
                r#"Wrong("the whole number 9223372036854775808 is beyond 63 bits") at line 1, column 20"#
            ]],
        ),
        ("1e19 ", expect![[r#"Wrong("the number 1e19 is beyond 63 bits") at line 1, column 5"#]]),
        ("0x1f ", expect![[r#"Wrong("0x1f, which is no whole or decimal number") at line 1, column 5"#]]),
        (r#""\q""#, expect![[r#"Wrong("the escape \\q in a string") at line 1, column 4"#]]),
        (r#""\uD83Cx""#, expect![[r#"Wrong("half a character in a string") at line 1, column 10"#]]),
        (r#""\uDFAC""#, expect![[r#"Wrong("half a character in a string") at line 1, column 8"#]]),
        (
            r#""\u12g4""#,
            expect![[r#"Wrong("an escape \\u without four hexadecimal digits") at line 1, column 7"#]],
        ),
        (
            "[1] [2]",
            expect![[r#"
                    1: Int(1)
                    Wrong("something after the end of the history") at line 1, column 5"#]],
        ),
        ("#", expect!["CutOff at line 1, column 2"]),
        ("##x ", expect![[r###"Wrong("##x, which is no number") at line 1, column 4"###]]),
        ("{:a 1", expect!["CutOff at line 1, column 6"]),
        (
            "[{:a 1}",
            expect![[r#"
                    1: Map([(Keyword("a"), Int(1))])
                    CutOff at line 1, column 8"#]],
        ),
        ("\"abc", expect!["CutOff at line 1, column 5"]),
        ("#_", expect!["CutOff at line 1, column 3"]),
    ] {
        check(text, expected);
    }
}

#[test]
fn depth_is_bounded() {
    for open in ["{[", "[[", "{:a (", "#_ [", "#x ", "^[ [", "#_ #_ "] {
        let deep = format!("1 {}", open.repeat(100_000));
        let mut forms = Forms::new(deep.as_bytes());
        forms.next().unwrap();
        let Err(Trouble::Wrong(problem)) = forms.next() else { panic!("{open} is refused") };
        assert_eq!(problem, "nested more than 128 deep", "{open}");
    }
}

#[test]
fn size_is_bounded() {
    for start in ["\"", "#_ [:"] {
        let endless = io::Read::chain(start.as_bytes(), io::repeat(b'a'));
        let mut forms = Forms::new(io::BufReader::new(endless));
        let Err(Trouble::Wrong(problem)) = forms.next() else { panic!("{start} is refused") };
        assert!(problem.starts_with("a form of more than"), "{problem}");
    }
}
