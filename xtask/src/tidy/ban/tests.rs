//! Every rule finds what it forbids, and nothing else.

use serde_json::{Value, json};

use super::super::made_up;

fn said(files: &[(&str, &str)], metadata: &Value) -> Vec<String> {
    super::check(&made_up(files), metadata).iter().map(ToString::to_string).collect()
}

fn check(path: &str, text: &str, expected: &[&str]) {
    let said = said(&[(path, text)], &json!({}));
    assert_eq!(said.len(), expected.len(), "{path} {text}: {said:?}");
    for (said, expected) in said.iter().zip(expected) {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_dependency_in_the_wrong_crate_is_found() {
    let check = |name: &str, dependency: &str, kind: Option<&str>, n: usize| {
        let package = json!({ "name": name, "dependencies": [{ "name": dependency, "kind": kind }] });
        assert_eq!(said(&[], &json!({ "packages": [package] })).len(), n, "{name} {dependency}");
    };
    check("proxy", "axum", None, 1);
    check("server", "axum", None, 0);
    check("drill", "clap", None, 1);
    check("outlast", "clap", None, 0);
    check("registry", "tokio", None, 1);
    check("registry", "tokio", Some("dev"), 0);
    check("proxy", "tokio", None, 0);
}

#[test]
fn a_word_in_the_wrong_place_is_found() {
    check("crates/store/src/a.rs", "fn a() {}\nfn b() { unsafe { x() } }", &["a.rs:2: has `unsafe`"]);
    check("crates/sandbox/src/a.rs", "fn b() { unsafe { x() } }", &[]);
    check("crates/store/src/a.rs", "// unsafe\nconst A: &str = \"unsafe\"; #![forbid(unsafe_code)]", &[]);
    check("crates/store/src/a.rs", "#[allow(dead_code)]", &["#[expect"]);
    check("crates/store/src/a.rs", "#[expect(dead_code, reason = \"x\")]", &[]);
    check("crates/store/src/a.rs", "#[ignore = \"slow\"]", &["mend the test"]);
    check("crates/store/src/a.rs", "fn a() { todo!() }", &["todo!"]);
    check("crates/store/src/a.rs", &format!("// {}: x", concat!("FIX", "ME")), &["file an issue"]);
    check("crates/store/src/a.rs", "macro_rules! a { () => {} }", &["use a function"]);
}

#[test]
fn only_some_crates_listen_connect_and_wait() {
    let listens = "fn a() { TcpListener::bind(x) }";
    check("crates/proxy/src/a.rs", listens, &["listen"]);
    check("crates/sandbox/src/a.rs", listens, &[]);
    check("crates/proxy/src/tests.rs", listens, &[]);
    check("crates/proxy/tests/it/main.rs", listens, &[]);
    check("crates/proxy/src/a.rs", &format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{ {listens} }}"), &[]);
    check("testing/fakes/src/a.rs", listens, &[]);
    check("crates/drill/src/a.rs", "fn a() { TcpStream::connect(x) }", &["only `host`"]);
    check("crates/host/src/a.rs", "fn a() { TcpStream::connect(x) }", &[]);
    check("crates/model/src/a.rs", "async fn a() {}", &["pure"]);
    check("crates/proxy/src/a.rs", "async fn a() {}", &[]);
}

#[test]
fn only_tests_and_xtask_may_panic_over_stderr() {
    check("crates/outlast/src/a.rs", "fn a() { eprintln!(\"b\") }", &["has `eprintln!`; hint: it panics"]);
    check("crates/outlast/src/a.rs", "fn a() { std::eprint!(\"b\") }", &["has `eprint!`"]);
    check("crates/outlast/tests/it/a.rs", "fn a() { eprintln!(\"b\") }", &[]);
    check("xtask/src/a.rs", "fn a() { eprintln!(\"b\") }", &[]);
}

#[test]
fn a_trait_with_a_delete_is_found() {
    check("crates/store/src/a.rs", "trait A {\n fn put();\n fn delete_all();\n}", &["a.rs:3: a trait has"]);
    check("crates/store/src/a.rs", "trait A { fn remove(&self); }", &["fn remove"]);
    check("crates/store/src/a.rs", "trait A { fn put(); }\nimpl B { fn remove(&mut self) {} }", &[]);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    check("crates/store/src/utils.rs", "", &["`utils` says nothing"]);
    check("crates/store/src/common/mod.rs", "", &["`common`"]);
    check("crates/store/src/a.rs", "mod helpers {", &["`helpers`"]);
    check("crates/store/src/commit.rs", "mod utilities;", &[]);
}

#[test]
fn documents_and_the_lock_have_limits() {
    check("docs/A.md", &"a\n".repeat(199), &[]);
    check("docs/A.md", &"a\n".repeat(200), &["200 lines"]);
    check("README.md", &"a\n".repeat(200), &["200 lines"]);
    check("changes/A.md", &"a\n".repeat(200), &[]);
    check("Cargo.lock", &"[[package]]\n".repeat(300), &[]);
    check("Cargo.lock", &"[[package]]\n".repeat(301), &["301 packages"]);
}
