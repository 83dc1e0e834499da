//! The row about a large index that many want at once, in every form.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fakes::npm::package;
use fakes::{Upstream, noise};
use serde_json::json;

use crate::rows::tell;
use crate::serve::{NPM, Served};
use crate::world::World;

const N_CLIENTS: usize = 50;
/// What of curl asks for each form of a packument: whole, compressed if need be, abbreviated.
const FORMS: [&str; 3] = ["", "--compressed", "-H 'Accept: application/vnd.npm.install-v1+json'"];
const MEMORY_KB_MAX: u64 = 300 << 10;

/// Returns what a process has of memory now, in kilobytes: its own, not that of files.
fn memory_kb(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn fifty_clients_of_a_large_index_get_it_in_little_memory() {
    let upstream = Upstream::start_blocking();
    let versions = (0..21).fold(package("large", &[]), |package, n| {
        let text: String = noise(500_000, n).iter().map(|byte| format!("{byte:02x}")).collect();
        package.version(&format!("1.0.{n}"), &json!({ "description": text }), &[])
    });
    upstream.serve_npm(NPM, &[versions]);
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = Served::start(&world);
    let url = format!("{}/npm/large", served.base);
    let get =
        |form: &str, n: usize| format!("(curl -sS --fail {form} -D head-{n} {url} | sha256sum > sum-{n})");
    // The first of each form asks for the head alone as well.
    let cold = FORMS
        .iter()
        .enumerate()
        .map(|(n, form)| format!("{}; curl -sS --fail -I {form} {url} > alone-{n}", get(form, n)));
    let cold: Vec<String> = cold.collect();
    let warm: Vec<String> = (3..3 + N_CLIENTS).map(|n| get(FORMS[n % 3], n)).collect();
    let script = format!("{}; {} & wait", cold.join("; "), warm.join(" & "));
    let mut clients = world.command("sh");
    let mut clients = clients.args(["-c", &script]).stdout(Stdio::null()).spawn().unwrap();
    let (start, mut most_kb) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = clients.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(200), "it takes too long");
        most_kb = memory_kb(served.child.id()).max(most_kb);
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());

    let read = |name: String| fs::read_to_string(world.project().join(name)).unwrap();
    let said = |head: &str, name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let [full, compressed, abbreviated] = [0, 1, 2].map(|n| read(format!("sum-{n}")));
    assert!(full == compressed && full != abbreviated, "{full} {compressed} {abbreviated}");
    for n in 0..3 + N_CLIENTS {
        let expected = [&full, &compressed, &abbreviated][n % 3];
        assert_eq!(read(format!("sum-{n}")), expected.as_str(), "client {n}");
        let (whole, alone) = (read(format!("head-{n}")), read(format!("alone-{}", n % 3)));
        for name in ["etag", "content-type", "content-length", "content-encoding", "vary", "last-modified"] {
            assert_eq!(said(&whole, name), said(&alone, name), "{name} of client {n}: {whole}{alone}");
        }
    }
    assert_ne!(said(&read("head-0".to_owned()), "etag"), said(&read("head-2".to_owned()), "etag"));
    assert_eq!(upstream.n_asked(NPM, "/large"), 2, "once for each form");
    tell(&format!("{N_CLIENTS} clients of a large index, most memory: {} MB", most_kb >> 10));
    assert!(most_kb > 10 << 10, "nothing was measured");
    assert!(most_kb < MEMORY_KB_MAX, "{} MB", most_kb >> 10);
}
