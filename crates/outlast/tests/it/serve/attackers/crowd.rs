//! One client that wants everything for itself.

use super::Siege;
use crate::raw::{self, Raw};
use crate::world::finish;

/// As docs/SERVING.md says.
const N_CONNECTIONS_EACH: usize = 1024;

/// Asks from another address of this machine.
fn from_elsewhere(siege: &Siege, path: &str) -> String {
    let mut command = std::process::Command::new("curl");
    command.env_clear().args(["-s", "-m", "10", "--noproxy", "*", "--interface", "127.0.0.2"]);
    command.args(["-o", "/dev/null", "-w", "%{http_code}"]).arg(format!("{}{path}", siege.served.base));
    finish(&mut command, b"").stdout
}

#[test]
fn a_client_with_too_many_connections_is_told_so_and_others_get_theirs() {
    let siege = Siege::new();
    let mut open: Vec<Raw> =
        (0..N_CONNECTIONS_EACH).map(|_| Raw::connect(&siege.served.base).unwrap()).collect();
    // The last of them is open as soon as it is answered.
    let request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    for raw in &mut open {
        raw.send(request).unwrap();
        assert_eq!(raw.answer().status, 200);
    }
    let got = siege.get("/npm/left-pad");
    assert!(got.status == 503 && got.is_whole, "{got:?}");
    assert!(got.field("retry-after").parse::<u64>().is_ok(), "{}", got.head);
    assert_eq!(from_elsewhere(&siege, "/npm/left-pad"), "200", "another client");
    open.pop();
    let start = std::time::Instant::now();
    while siege.get("/npm/left-pad").status != 200 {
        assert!(start.elapsed().as_secs() < 10, "a place is free again");
    }
    drop(open);
    let start = std::time::Instant::now();
    while !siege.served.get(&[], "/metrics").1.contains("\noutlast_connections 1\n") {
        assert!(start.elapsed().as_secs() < 10, "they are never given back");
    }
    siege.assert_unharmed();
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_not() {
    let siege = Siege::with("[serve]\nrequests_per_second = 1\nrequests_at_once = 20\n");
    let mut raw = Raw::connect(&siege.served.base).unwrap();
    let request = b"GET /npm/left-pad HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    let mut statuses = Vec::new();
    for _ in 0..40 {
        raw.send(request).unwrap();
        let got = raw.answer();
        if got.status == 429 {
            assert!((1..=2).contains(&got.field("retry-after").parse::<u64>().unwrap()), "{}", got.head);
            assert!(got.text().contains("requests_per_second"), "{}", got.text());
        }
        statuses.push(got.status);
    }
    let n_served = statuses.iter().filter(|status| **status == 200).count();
    assert!((15..30).contains(&n_served) && statuses.contains(&429), "{statuses:?}");
    // A new connection is the same client, and pages that tell how the server does are for everybody.
    assert_eq!(raw::get(&siege.served.base, "/healthz", &[]).status, 200);
    assert_eq!(from_elsewhere(&siege, "/npm/left-pad"), "200", "another client");
    let start = std::time::Instant::now();
    while siege.get("/npm/left-pad").status != 200 {
        assert!(start.elapsed().as_secs() < 20, "it may ask again");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let (_, metrics) = {
        let start = std::time::Instant::now();
        loop {
            let got = siege.served.get(&[], "/metrics");
            if got.0 == "200" || start.elapsed().as_secs() > 20 {
                break got;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    };
    let counted = metrics.lines().find_map(|line| line.strip_prefix("outlast_turned_away_total "));
    assert!(counted.is_some_and(|n| n.parse::<usize>().unwrap() >= 40 - n_served), "{metrics}");
}
