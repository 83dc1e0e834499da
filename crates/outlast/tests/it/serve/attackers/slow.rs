//! Clients that take their time.

use std::time::{Duration, Instant};

use super::Siege;
use crate::raw::Raw;

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
