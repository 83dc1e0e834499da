//! Nothing leaks out of a room: programs that know no proxy variables, and what is no HTTP at all.

use std::path::PathBuf;

use serde_json::Value;

use crate::clients::PACKAGE_JSON;
use crate::world::{World, finish, need, texts, tools};

const GO: &str = r#"package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	client := http.Client{Transport: &http.Transport{Proxy: nil}}
	answer, err := client.Get(os.Args[1])
	if err != nil || answer.StatusCode != 200 {
		fmt.Println(err, answer)
		os.Exit(1)
	}
	io.Copy(io.Discard, answer.Body)
}
"#;

const NODE: &str = "fetch(process.argv[2]).then(async a => { await a.arrayBuffer(); process.exit(a.ok ? 0 : 1); })\n\
                    .catch(e => { console.error(e); process.exit(1); });\n";
const PHP: &str = "<?php exit(strlen((string) file_get_contents($argv[1])) > 0 ? 0 : 1);\n";
const PYTHON: &str = "import http.client, sys\n\
                      connection = http.client.HTTPSConnection(sys.argv[1])\n\
                      connection.request('GET', sys.argv[2])\n\
                      answer = connection.getresponse()\n\
                      answer.read()\nsys.exit(answer.status != 200)\n";
const RAW: &str = r#"
import socket, sys
def refused(kind, port):
    s = socket.socket(socket.AF_INET, kind)
    s.settimeout(5)
    try:
        s.connect(("1.1.1.1", port))
        s.send(b"hello")
        s.recv(1)
    except ConnectionRefusedError:
        return
    sys.exit(f"{kind} reached {port}")
refused(socket.SOCK_STREAM, 22)
refused(socket.SOCK_DGRAM, 4242)
"#;

/// Builds the static program outside the room; the compiled standard library stays with the tools.
fn static_go(world: &World) {
    need("go");
    let cache = tools().join("go-cache");
    world.write(&world.path().join("go/main.go"), GO);
    let mut go = world.command("go");
    go.args(["build", "-o", world.project().join("fetch-go").to_str().unwrap(), "main.go"])
        .current_dir(world.path().join("go"))
        .env("CGO_ENABLED", "0")
        .env("GO111MODULE", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOCACHE", cache);
    finish(&mut go, b"").expect(0);
}

/// The address that each program fetches, so that the record tells who was there.
const FETCHES: [(&str, &str); 4] = [
    ("node fetch.mjs", "https://registry.npmjs.org/left-pad/1.3.0"),
    ("php fetch.php", "https://pypi.org/simple/idna/"),
    ("python3 fetch.py", "https://pypi.org/simple/six/"),
    ("./fetch-go", "https://static.crates.io/crates/itoa/itoa-1.0.15.crate"),
];

fn script() -> String {
    let yarn: PathBuf = tools().join("yarn4/node_modules/.bin/yarn");
    let mut lines = format!("set -e\n{} install\n", yarn.display());
    for (program, url) in FETCHES {
        let argument = match program {
            "python3 fetch.py" => url.replacen("https://pypi.org", "pypi.org ", 1),
            _ => url.to_owned(),
        };
        lines.push_str(&format!("{program} {argument}\n"));
    }
    lines + "python3 raw.py\n"
}

#[test]
fn programs_that_know_no_proxy_are_seen_and_the_rest_is_refused() {
    for program in ["node", "php", "python3"] {
        need(program);
    }
    let dead = "http://127.0.0.1:9";
    let world = World::new()
        .with("HTTPS_PROXY", dead)
        .with("https_proxy", dead)
        .with("HTTP_PROXY", dead)
        .with("http_proxy", dead)
        // For Outlast: no program of the room sees it.
        .with("no_proxy", "*")
        .file("package.json", PACKAGE_JSON)
        .file("yarn.lock", "")
        .file("fetch.mjs", NODE)
        .file("fetch.php", PHP)
        .file("fetch.py", PYTHON)
        .file("raw.py", RAW)
        .file("build.sh", &script());
    static_go(&world);
    world.record(&["sh", "build.sh"]).expect(0).says("refused: ");
    let record = world.newest_record();
    holds_every_fetch(&record);
    lists_what_was_refused(&record);

    world.drill(&["sh", "build.sh"]).expect(0);
    let report = world.newest_report();
    holds_every_fetch(&report);
    lists_what_was_refused(&report);
    assert!(texts(&report["objects"], "source").iter().all(|source| *source == "copy"));
}

#[track_caller]
fn holds_every_fetch(record: &Value) {
    assert_eq!(record["containment"], "sealed");
    let urls = texts(&record["objects"], "url");
    for (program, url) in FETCHES {
        assert!(urls.contains(&url), "{program}: {urls:#?}");
    }
    let is_yarn = |url: &&str| url.starts_with("https://registry.yarnpkg.com/left-pad");
    assert!(urls.iter().any(is_yarn), "{urls:#?}");
}

#[track_caller]
fn lists_what_was_refused(record: &Value) {
    let refused = record["refused"].as_array().unwrap();
    for (protocol, port) in [("tcp", 22), ("udp", 4242)] {
        let is_it =
            |one: &Value| one["protocol"] == protocol && one["port"] == port && one["address"] == "1.1.1.1";
        assert!(refused.iter().any(is_it), "{protocol} {port}: {refused:#?}");
    }
}
