//! Many clients of one file or one index at once: one request upstream, all whole, in little memory.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fakes::npm::package;
use fakes::{Answer, Fault, Upstream, noise};
use model::Sha256;
use serde_json::json;

use crate::world::{OUTLAST, World, need, places};

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
    world.configure(&places(&[HOST], &[("connect", &upstream.plain_address().to_string())]));
    // Each client hashes what it gets: nobody has room for that many copies.
    let script = format!(
        "for n in $(seq {n_clients}); do \
           (curl -sS --fail http://{HOST}{PATH} | sha256sum > sum-$n) & \
         done; wait"
    );
    let most = watched(&world, &script);
    for n in 1..=n_clients {
        let sum = fs::read_to_string(world.project().join(format!("sum-{n}"))).unwrap();
        assert!(sum.starts_with(&digest), "client {n} got something else: {sum}");
    }
    assert_eq!(upstream.n_asked(HOST, PATH), n_asked);
    world.outlast(&["store", "verify"]).expect(0);
    most
}

/// Runs a script in a room; returns the most memory that Outlast had.
fn watched(world: &World, script: &str) -> u64 {
    let mut command = world.command(OUTLAST);
    command.args(["exec", "-q", "--", "sh", "-c", script]).stdout(Stdio::null()).stderr(Stdio::inherit());
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

const REGISTRY: &str = "registry.npmjs.org";
/// What of curl asks for each form of a packument: whole, compressed if need be, abbreviated.
const FORMS: [&str; 3] = ["", "--compressed", "-H 'Accept: application/vnd.npm.install-v1+json'"];
/// What notes of the field ask for.
const PACKUMENT_MEMORY_MAX: u64 = 300 << 20;

/// Returns what a header of an answer that curl has written down says.
fn said<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[test]
fn fifty_clients_of_a_large_packument_take_little_memory() {
    need("curl");
    let upstream = Upstream::start_blocking();
    let versions = (0..21).fold(package("large", &[]), |package, n| {
        let text: String = noise(500_000, n).iter().map(|byte| format!("{byte:02x}")).collect();
        package.version(&format!("1.0.{n}"), &json!({ "description": text }), &[])
    });
    upstream.serve_npm(REGISTRY, &[versions]);
    let world = World::new();
    world.place(&upstream, &[REGISTRY]);
    let url = format!("https://{REGISTRY}/large");
    let get = |form: &str, n: usize| {
        format!(
            "(curl -sS --fail {form} -D head-{n} {url} | sha256sum > sum-{n}; curl -sS --fail -I {form} {url} > alone-{n})"
        )
    };
    let cold: Vec<String> = FORMS.iter().enumerate().map(|(n, form)| get(form, n)).collect();
    let warm: Vec<String> = (3..53).map(|n| get(FORMS[n % 3], n)).collect();
    let most = watched(&world, &format!("{}; {} & wait", cold.join("; "), warm.join(" & ")));

    let project = world.project();
    let read = |name: String| fs::read_to_string(project.join(name)).unwrap();
    let [full, compressed, abbreviated] = [0, 1, 2].map(|n| read(format!("sum-{n}")));
    assert!(full == compressed && full != abbreviated, "{full} {compressed} {abbreviated}");
    for n in 0..53 {
        assert_eq!(
            read(format!("sum-{n}")),
            [&full, &compressed, &abbreviated][n % 3].as_str(),
            "client {n}"
        );
        let (whole, alone) = (read(format!("head-{n}")), read(format!("alone-{n}")));
        for name in ["etag", "content-type", "content-length", "content-encoding", "vary", "last-modified"] {
            assert_eq!(said(&whole, name), said(&alone, name), "{name} of client {n}: {whole}{alone}");
        }
        assert!(said(&whole, "content-length").is_some_and(|length| length.len() == 8), "{whole}");
    }
    assert_ne!(said(&read("head-0".to_owned()), "etag"), said(&read("head-2".to_owned()), "etag"));
    assert_eq!(upstream.n_asked(REGISTRY, "/large"), 2, "once for each form");
    assert!(most > 21 << 20, "nothing was measured");
    assert!(most < PACKUMENT_MEMORY_MAX, "{} MB", most >> 20);
    eprintln!("most memory: {} MB", most >> 20);
}

/// Opens connections that send a byte of a header every second, and readers that take a byte a second of a large file.
const SLOW: &str = "
import socket, threading, time
def slow(write):
    while True:
        try:
            write()
        except OSError:
            return
        time.sleep(1)
for n in range(200):
    one = socket.create_connection(('github.com', 80))
    if n % 2:
        one.sendall(b'GET /acme/tool/releases/download/v1.0.0/tool HTTP/1.1\\r\\nHost: github.com\\r\\n\\r\\n')
        threading.Thread(target=slow, args=(lambda one=one: one.recv(1),), daemon=True).start()
    else:
        one.sendall(b'GET / HTTP/1.1\\r\\n')
        threading.Thread(target=slow, args=(lambda one=one: one.sendall(b'x'),), daemon=True).start()
open('ready', 'w').close()
while True:
    time.sleep(1)
";

#[test]
fn clients_that_are_slow_hold_up_nobody() {
    need("curl");
    need("python3");
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, PATH, Answer::file(noise(20 << 20, 1)));
    upstream.put(HOST, "/acme/tool/raw/main/small", Answer::text("small"));
    let world = World::new().file("slow.py", SLOW);
    world.configure(&places(&[HOST], &[("connect", &upstream.plain_address().to_string())]));
    let script = format!(
        "python3 slow.py & slow=$!; while ! [ -e ready ]; do sleep 0.1; done; \
         for n in $(seq 50); do curl -sS --fail --max-time 5 http://{HOST}/acme/tool/raw/main/small || exit 1; done; \
         kill $slow"
    );
    let done = world.outlast(&["exec", "--", "sh", "-c", &script]).expect(0);
    assert_eq!(done.stdout, "small".repeat(50), "{}", done.stderr);
    assert_eq!(upstream.n_asked(HOST, PATH), 1);
}

/// Opens streams over HTTP/2 and resets each at once (CVE-2023-44487), on a new connection wherever one is closed.
const RESETS: &str = "
const { connect, constants } = require('http2');
const { writeFileSync, renameSync } = require('fs');
let n = 0;
function storm() {
  const session = connect('https://github.com');
  session.on('error', () => {});
  session.on('close', () => setTimeout(storm, 1));
  const reset = () => {
    for (let i = 0; i < 100 && !session.closed && !session.destroyed; i += 1) {
      const stream = session.request({ ':path': '/acme/tool/releases/download/v1.0.0/tool' });
      stream.on('error', () => {});
      stream.close(constants.NGHTTP2_CANCEL);
      n += 1;
    }
    writeFileSync('count', String(n));
    if (n > 1000) renameSync('count', 'ready');
    if (!session.closed && !session.destroyed) setImmediate(reset);
  };
  session.on('connect', reset);
}
storm();
";

#[test]
fn streams_that_are_reset_at_once_hold_up_nobody() {
    need("curl");
    need("node");
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, PATH, Answer::file("small"));
    let world = World::new().file("resets.js", RESETS);
    let ca = upstream.ca_file(world.path());
    world.configure(&format!(
        "[[upstream]]\nhost = \"{HOST}\"\nconnect = \"{}\"\nca_file = \"{}\"\n",
        upstream.tls_address(),
        ca.display()
    ));
    let script = format!(
        "curl -sS --fail -o first https://{HOST}{PATH} || exit 1; node resets.js & resets=$!; \
         while ! [ -e ready ]; do sleep 0.1; done; \
         for n in $(seq 50); do curl -sS --fail --max-time 5 https://{HOST}{PATH} || exit 1; done; \
         kill $resets"
    );
    let most = watched(&world, &script);
    let n_resets: u64 = fs::read_to_string(world.project().join("ready")).unwrap().parse().unwrap();
    assert!(n_resets > 1_000, "{n_resets}");
    assert!(most < MEMORY_BYTES_MAX, "{} MB", most >> 20);
    assert_eq!(upstream.n_asked(HOST, PATH), 1);
    eprintln!("{n_resets} resets, most memory: {} MB", most >> 20);
}
