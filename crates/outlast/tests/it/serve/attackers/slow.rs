//! Clients that take their time.

use std::time::{Duration, Instant};

use super::{Served, Siege};
use crate::raw::{Got, Raw};
use crate::world::World;

/// Connections that are held open by somebody who says nearly nothing.
const N_SLOW: usize = 300;
/// A head has 15 s; the machine may be busy.
const BOUND: Duration = Duration::from_secs(28);

#[test]
fn who_says_nearly_nothing_is_let_go_and_holds_up_nobody() {
    let siege = Siege::new();
    let starts = [
        "",
        "G",
        "GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
        "POST /npm/-/npm/v1/security/advisories/bulk HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{",
        "POST /npm/-/npm/v1/security/advisories/bulk HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{",
    ];
    let mut slow: Vec<(usize, Raw)> = (0..N_SLOW)
        .map(|n| {
            let mut raw = Raw::connect(&siege.served.base).unwrap();
            raw.send(starts[n % starts.len()].as_bytes()).unwrap();
            (n % starts.len(), raw)
        })
        .collect();
    let start = Instant::now();
    siege.assert_others_are_served("with all of them open");
    // Some go on, a byte at a time, for as long as they are let.
    while start.elapsed() < Duration::from_secs(10) {
        for (_, raw) in slow.iter_mut().filter(|(kind, _)| *kind == 2) {
            let _ = raw.send(b"y");
        }
        siege.assert_others_are_served("while they drip");
    }
    for (kind, raw) in &mut slow {
        let got = raw.answer();
        let expected: &[u16] = if *kind > 2 { &[408] } else { &[0, 408] };
        assert!(expected.contains(&got.status), "{:?}: {got:?}", starts[*kind]);
        assert!(start.elapsed() < BOUND, "{:?}: {:?}", starts[*kind], start.elapsed());
    }
    siege.assert_unharmed();
    let (_, metrics) = siege.served.get(&[], "/metrics");
    assert!(metrics.contains("\noutlast_connections 1\n"), "all are gone but whoever asks: {metrics}");
}

/// Begins a request of somebody who may do everything, and sends the first byte of its body.
fn begin(served: &Served, token: &str, line: &str, length: &str) -> Raw {
    let mut raw = Raw::connect(&served.base).unwrap();
    let head =
        format!("{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n{length}\r\n\r\n");
    raw.send(format!("{head}{}", if length.ends_with("chunked") { "3e8\r\n{" } else { "{" }).as_bytes())
        .unwrap();
    raw
}

#[test]
fn copies_and_locks_that_stop_coming_are_their_senders_fault() {
    let world = World::new();
    let token = world.outlast(&["token", "add", "all", "--scope", "admin"]).expect(0).stdout;
    let served = Served::start(&world);
    let (copy, sha256) = (format!("/copies/{}", "0a".repeat(16)), "0b".repeat(32));
    let lines = [
        format!("PUT {copy}/blobs/{sha256}"),
        format!("PUT {copy}/segments/{sha256}"),
        format!("PUT {copy}/journal?offset=0"),
        format!("POST {copy}/missing?look=there"),
        "POST /adopt".to_owned(),
    ];
    let check = |line: &str, what: &str, got: &Got, expected: u16, word: &str| {
        assert_eq!(got.status, expected, "{line} {what}: {got:?}");
        let said: serde_json::Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(said["error"], word, "{line} {what}: {said:#}");
        assert!(!said.to_string().contains("disk"), "{line} {what}: {said:#}");
    };
    let lengths = ["Content-Length: 1000", "Transfer-Encoding: chunked"];
    let mut paused = Vec::new();
    for (line, length) in lines.iter().flat_map(|line| lengths.map(|length| (line, length))) {
        paused.push((line, length, begin(&served, token.trim(), line, length)));
        let mut raw = begin(&served, token.trim(), line, length);
        raw.break_off();
        check(line, length, &raw.answer(), 400, "broke_off");
    }
    for line in &lines {
        let got = begin(&served, token.trim(), line, "Content-Length: 99000000000").answer();
        check(line, "too much", &got, 413, "too_large");
    }
    let start = Instant::now();
    for (line, length, raw) in &mut paused {
        check(line, length, &raw.answer(), 408, "too_slow");
        assert!(start.elapsed() < BOUND, "{line} {length}: {:?}", start.elapsed());
    }
    assert_eq!(served.get(&[], "/healthz").0, "200");
}

#[test]
fn who_does_not_read_holds_up_nobody() {
    let siege = Siege::new();
    let large = fakes::noise(8 << 20, 1);
    siege.upstream.put("github.com", "/a/b/releases/download/v1/c", fakes::Answer::file(large.clone()));
    let path = "/files/github.com/a/b/releases/download/v1/c";
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    let deaf: Vec<Raw> = (0..100)
        .map(|_| {
            let mut raw = Raw::connect(&siege.served.base).unwrap();
            raw.send(request.as_bytes()).unwrap();
            assert!(raw.read_some(1) > 0);
            raw
        })
        .collect();
    siege.assert_others_are_served("while a hundred do not read");
    assert!(siege.get(path).is(&large));
    assert_eq!(siege.upstream.n_asked("github.com", "/a/b/releases/download/v1/c"), 1);
    siege.assert_unharmed();
    drop(deaf);
}
