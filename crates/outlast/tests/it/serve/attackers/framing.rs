//! Requests that two servers in a row would read differently, and requests without measure.

use super::Siege;
use crate::raw::{self, Raw};

/// What must never be read as a request of its own.
const SMUGGLED: &str = "GET /files/files.example/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
const QUESTION: &str = "POST /npm/-/npm/v1/security/advisories/bulk HTTP/1.1\r\nHost: 127.0.0.1\r\n";

#[test]
fn what_two_servers_read_differently_is_refused() {
    let siege = Siege::new();
    let get = "GET /npm/left-pad HTTP/1.1\r\n";
    for head in [
        format!(
            "{QUESTION}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            SMUGGLED.len() + 5
        ),
        format!("{QUESTION}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        format!("{QUESTION}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{QUESTION}Content-Length: 2, 3\r\n\r\n{{}}"),
        format!("{QUESTION}Content-Length: +2\r\n\r\n{{}}"),
        format!("{QUESTION}Content-Length: -1\r\n\r\n"),
        format!("{QUESTION}Content-Length: 99999999999999999999\r\n\r\n"),
        format!("{QUESTION}Content-Length : 2\r\n\r\n{{}}"),
        format!("{QUESTION}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("{QUESTION}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        format!("{QUESTION}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"),
        format!("{QUESTION}X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{QUESTION}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{get}Host: 127.0.0.1\n\n"),
        format!("{get}Host: 127.0.0.1\r\n\n"),
        format!("{get}Host: 127.0.0.1\rX: y\r\n\r\n"),
        format!("{get}Host: 127.0.0.1\r\nX: a\0b\r\n\r\n"),
        format!("{get}Host: 127.0.0.1\r\n: no name\r\n\r\n"),
        "GET /npm/left-pad HTTP/1.1 extra\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "GET /npm/left-pad\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let mut raw = Raw::connect(&siege.served.base).unwrap();
        let _ = raw.send(format!("{head}{SMUGGLED}").as_bytes());
        let got = raw.answer();
        assert!([400, 0].contains(&got.status), "{head:?}: {got:?}");
        assert!(raw.is_closed(), "{head:?}: what follows is a request of nobody");
    }
    assert_eq!(siege.upstream.n_asked("files.example", "/smuggled"), 0);
    siege.assert_unharmed();
    // The control: what comes after a whole request is one.
    let mut raw = Raw::connect(&siege.served.base).unwrap();
    raw.send(format!("{get}Host: 127.0.0.1\r\n\r\n{SMUGGLED}").as_bytes()).unwrap();
    assert_eq!((raw.answer().status, raw.answer().status), (200, 404));
    assert_eq!(siege.upstream.n_asked("files.example", "/smuggled"), 1);
}

#[test]
fn a_body_ends_its_connection_and_holds_no_request() {
    let siege = Siege::new();
    for framing in [
        format!("Content-Length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len()),
        format!(
            "Transfer-Encoding: chunked\r\n\r\n{:x};ext=\"\n\"\r\n{SMUGGLED}\r\n0\r\n\r\n",
            SMUGGLED.len()
        ),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len()),
    ] {
        for head in [QUESTION, "GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1\r\n"] {
            let mut raw = Raw::connect(&siege.served.base).unwrap();
            let _ = raw.send(format!("{head}{framing}{SMUGGLED}").as_bytes());
            let got = raw.answer();
            assert!(got.status == 0 || got.field("connection") == "close", "{head} {framing}: {got:?}");
            assert!(raw.is_closed(), "{head} {framing}");
        }
    }
    assert_eq!(siege.upstream.n_asked("files.example", "/smuggled"), 0);
    siege.assert_unharmed();
}

#[test]
fn a_request_without_measure_is_refused() {
    let siege = Siege::new();
    let get = "GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    let many = (0..200).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    for (request, statuses) in [
        (format!("{get}X: {}\r\n\r\n", "y".repeat(200 << 10)), vec![431]),
        (format!("{get}{}: y\r\n\r\n", "x".repeat(100 << 10)), vec![400, 431]),
        (format!("{get}{many}\r\n"), vec![431]),
        (format!("GET /npm/{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "a".repeat(10_000)), vec![414]),
        (format!("GET /npm/{} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "a".repeat(100_000)), vec![414, 431]),
        (format!("{} / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "A".repeat(50_000)), vec![400, 405, 431]),
        (format!("{QUESTION}Content-Length: 17000000\r\n\r\n"), vec![413]),
        (
            format!(
                "{QUESTION}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                17 << 20,
                "a".repeat(17 << 20)
            ),
            vec![413],
        ),
        (
            format!("{QUESTION}Transfer-Encoding: chunked\r\n\r\n1;{}\r\n", "e".repeat(64 << 10)),
            vec![413, 400],
        ),
    ] {
        let got = raw::exchange(&siege.served.base, request.as_bytes());
        let shown = &request[..80.min(request.len())];
        // Whoever still sends when the answer comes may lose it.
        assert!(got.status == 0 || statuses.contains(&got.status), "{shown}: {} {}", got.status, got.text());
        assert!(statuses != [431] || got.status == 431, "{shown}");
        siege.assert_others_are_served(shown);
    }
    siege.assert_unharmed();
}
