//! The entry for hostile bytes as a configuration: none may panic, and a mistake is on a line that exists.

use std::path::Path;

use fakes::damage::survives;

use super::{Config, text};

fn no_panic(bytes: &[u8]) {
    let file = Path::new("/nowhere/outlast.toml");
    if let Err(error) = text(file, bytes).and_then(|text| Config::parse(file, text).map(drop)) {
        let n_lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!((1..=n_lines).contains(&error.line), "{error}");
    }
}

#[test]
fn no_damage_makes_a_parser_panic() {
    const WHOLE: &str = r#"
[[upstream]]
host = "repo.packagist.org"
connect = "127.0.0.1:4443"
[[upstream]]
host = "registry.npmjs.org"
url = "http://127.0.0.1:4900/npm"
[[registry]]
ecosystem = "npm"
url = "https://npm.acme.example/"
names = ["@acme/*"]
[network]
allow = ["10.20.0.0/16", "2001:db8::/32"]
[exec]
ports = [80, 443, 8443]
allow_local = [5432]
passthrough = ["mtls.example.com"]
[limits]
index_fresh_for = "5m"
proved_for = "30d"
[serve]
url = "https://outlast.acme.example"
requests_per_second = 50
[sync]
every = "5m"
[[tripwires]]
repositories = ["forge.example/acme/*"]
destroyed_per_hour = 3
protected = ["main", "release/*"]
[adopt]
things = ["composer.lock"]
every = "6h"
[[copy]]
to = "/mnt/other"
every = "1h"
"#;
    assert!(Config::parse(Path::new("/nowhere/outlast.toml"), WHOLE).is_ok());
    survives(&[("whole", WHOLE.as_bytes())], no_panic);
}
