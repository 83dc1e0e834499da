//! Without a fault a fake is a good server.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use fakes::{Answer, Fault, Upstream};

use crate::client::{get, send};

const HOST: &str = "registry.example";

fn upstream() -> Upstream {
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, "/a?b=c", Answer::json("{\"n\":12345}").header("etag", "\"1\""));
    upstream
}

#[test]
fn an_answer_is_found_by_host_path_and_query() {
    let upstream = upstream();
    let check = |host: &str, path: &str, expected: &str| {
        assert_eq!(get(&upstream, host, path, &[]).status(), expected, "{host}{path}");
    };
    check(HOST, "/a?b=c", "200");
    check("REGISTRY.example:443", "/a?b=c", "200");
    check(HOST, "/a", "404");
    check("other.example", "/a?b=c", "404");
    upstream.remove(HOST, "/a?b=c");
    check(HOST, "/a?b=c", "404");
}

#[test]
fn a_client_that_has_it_gets_304_and_another_gets_all() {
    let upstream = upstream();
    let check = |line: &str, status: &str, body: &str| {
        let got = get(&upstream, HOST, "/a?b=c", &[line]);
        assert_eq!((got.status(), got.text()), (status, body), "{line}");
    };
    check("if-none-match: \"1\"", "304", "");
    check("if-none-match: \"0\", \"1\"", "304", "");
    check("if-none-match: \"2\"", "200", "{\"n\":12345}");
}

#[test]
fn a_range_is_cut_out_and_an_impossible_one_refused() {
    let upstream = upstream();
    let check = |lines: &[&str], status: &str, range: Option<&str>, body: &str| {
        let got = get(&upstream, HOST, "/a?b=c", lines);
        assert_eq!(
            (got.status(), got.header("content-range"), got.text()),
            (status, range, body),
            "{lines:?}"
        );
    };
    check(&["range: bytes=5-"], "206", Some("bytes 5-10/11"), "12345}");
    check(&["range: bytes=1-3"], "206", Some("bytes 1-3/11"), "\"n\"");
    check(&["range: bytes=-2"], "206", Some("bytes 9-10/11"), "5}");
    check(&["range: bytes=11-"], "416", Some("bytes */11"), "");
    check(&["range: bytes=5-", "if-range: \"2\""], "200", None, "{\"n\":12345}");
    upstream.put(HOST, "/whole", Answer::text("whole").without_ranges());
    assert_eq!(get(&upstream, HOST, "/whole", &["range: bytes=1-"]).text(), "whole");
}

#[test]
fn accept_chooses_between_variants() {
    let upstream = upstream();
    upstream.put(HOST, "/v", Answer::json("full"));
    upstream.put(HOST, "/v", Answer::json("short").when_accepts("short+json"));
    assert_eq!(get(&upstream, HOST, "/v", &["accept: x/short+json; q=1.0, */*"]).text(), "short");
    assert_eq!(get(&upstream, HOST, "/v", &["accept: */*"]).text(), "full");
}

#[test]
fn head_has_the_length_and_no_body() {
    let upstream = upstream();
    let got = send(&upstream, "HEAD", HOST, "/a?b=c", &[]);
    assert_eq!((got.status(), got.header("content-length"), got.text()), ("200", Some("11"), ""));
}

#[test]
fn a_handler_sees_the_body_however_it_was_framed() {
    let upstream = upstream();
    upstream.handle(HOST, "/echo/", |asked| Some(Answer::file(asked.body.clone())));
    let sized = send(&upstream, "POST", HOST, "/echo/", &["content-length: 2\r\n\r\nhi"]);
    assert_eq!(sized.text(), "hi");
    let chunked = ["transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n1;x=y\r\n!\r\n0\r\n"];
    assert_eq!(send(&upstream, "POST", HOST, "/echo/", &chunked).text(), "hi!");
}

#[test]
fn the_log_has_every_request_in_order_failed_ones_included() {
    let upstream = upstream();
    upstream.on(HOST, "/hang", Fault::Hang);
    get(&upstream, HOST, "/a?b=c", &["accept: one"]);
    get(&upstream, HOST, "/hang", &[]);
    get(&upstream, "other.example", "/", &[]);
    let log = upstream.log();
    let paths: Vec<_> = log.iter().map(|seen| (seen.host.as_str(), seen.path.as_str())).collect();
    assert_eq!(paths, [(HOST, "/a?b=c"), (HOST, "/hang"), ("other.example", "/")]);
    assert_eq!(log[0].headers["accept"], "one");
    assert!(log[2].at.duration_since(log[1].at) > Duration::ZERO);
    upstream.clear_log();
    assert_eq!(upstream.n_asked(HOST, "/a?b=c"), 0);
}

#[test]
fn a_dropped_upstream_is_gone() {
    let upstream = upstream();
    let address = upstream.plain_address();
    upstream.put(HOST, "/mine", Answer::text("mine alone"));
    let is_there = || {
        let mut text = String::new();
        // Another test may listen on the same port meanwhile, but it has other answers.
        let _ = std::net::TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "GET /mine HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n")?;
            stream.read_to_string(&mut text)
        });
        text.contains("mine alone")
    };
    assert!(is_there());
    drop(upstream);
    assert!(!is_there());
}
