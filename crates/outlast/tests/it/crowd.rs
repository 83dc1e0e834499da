//! Many clients of one file at once: one request upstream, all whole, in little memory.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fakes::{Answer, Fault, Upstream, noise};
use model::Sha256;

use crate::world::{OUTLAST, World, need};

/// A release's file cannot change, so whoever comes late asks nobody.
const HOST: &str = "github.com";
const PATH: &str = "/acme/tool/releases/download/v1.0.0/tool";
/// What the issue allows.
const MEMORY_BYTES_MAX: u64 = 100 << 20;

/// Lets `n_clients` fetch one cold file in a room; returns the most memory that Outlast had.
fn crowd(n_clients: usize, n_bytes: usize, fault: Option<Fault>, n_asked: usize) -> u64 {
    need("curl");
    let upstream = Upstream::start_blocking();
    let body = noise(n_bytes, 1);
    let digest = Sha256::of(&body).to_string();
    upstream.put(HOST, PATH, Answer::file(body).header("etag", "\"one\""));
    if let Some(fault) = fault {
        upstream.on_first(1, HOST, PATH, fault);
    }
    let world = World::new();
    world
        .configure(&format!("[[upstream]]\nhost = \"{HOST}\"\nconnect = \"{}\"\n", upstream.plain_address()));
    // Each client hashes what it gets: nobody has room for that many copies.
    let script = format!(
        "for n in $(seq {n_clients}); do \
           (curl -sS --fail http://{HOST}{PATH} | sha256sum > sum-$n) & \
         done; wait"
    );
    let mut command = world.command(OUTLAST);
    command.args(["exec", "-q", "--", "sh", "-c", &script]).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(200), "it takes too long");
        most = most.max(memory(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
    for n in 1..=n_clients {
        let sum = fs::read_to_string(world.project().join(format!("sum-{n}"))).unwrap();
        assert!(sum.starts_with(&digest), "client {n} got something else: {sum}");
    }
    assert_eq!(upstream.n_asked(HOST, PATH), n_asked);
    world.outlast(&["store", "verify"]).expect(0);
    most
}

/// Returns what of a process's memory is its own, not that of files: `Private_*` would cost too much to sum each time.
fn memory(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) << 10
}

#[test]
fn a_hundred_clients_of_a_cold_file_are_one_request() {
    crowd(100, 2 << 20, None, 1);
}

#[test]
fn two_hundred_clients_of_a_transfer_that_dies_take_little_memory() {
    let most = crowd(200, 20 << 20, Some(Fault::CutAt { percent: 40 }), 2);
    assert!(most > 1 << 20, "nothing was measured");
    assert!(most < MEMORY_BYTES_MAX, "{} MB", most >> 20);
    eprintln!("most memory: {} MB", most >> 20);
}
