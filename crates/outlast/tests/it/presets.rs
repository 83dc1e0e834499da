//! What companies and CI have set already goes on working, in a room as outside.

use crate::clients::{cargo_project, npm_project};
use crate::world::{World, finish, need};

/// The bundle of Debian, which holds the company's CA where there is one.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const CRATE: &str = "https://static.crates.io/crates/itoa/itoa-1.0.15.crate";

#[track_caller]
fn works(world: &World, command: &[&str]) {
    finish(world.command(command[0]).args(&command[1..]), b"").expect(0);
    world.record(command).expect(0);
    assert_eq!(world.newest_record()["containment"], "sealed");
    world.drill(command).expect(0);
}

#[test]
fn an_npmrc_with_cafile_and_noproxy() {
    let npmrc = format!("cafile={BUNDLE}\nnoproxy=*\nstrict-ssl=true\n");
    let world = npm_project().file(".npmrc", &npmrc);
    works(&world, &["npm", "ci", "--no-audit"]);
    let world = npm_project();
    world.write(&world.home().join(".npmrc"), npmrc);
    works(&world, &["npm", "ci", "--no-audit"]);
}

#[test]
fn a_cargo_configuration_with_http_settings() {
    let settings = format!(
        "[http]\ncainfo = \"{BUNDLE}\"\ncheck-revoke = false\nmultiplexing = false\ntimeout = 60\n\
         [net]\nretry = 1\n"
    );
    works(&cargo_project().file(".cargo/config.toml", &settings), &["cargo", "fetch"]);
    let world = cargo_project();
    world.write(&world.home().join(".cargo/config.toml"), settings);
    works(&world, &["cargo", "fetch"]);
}

#[test]
fn preset_variables_for_certificates() {
    need("pip");
    let mut world = npm_project();
    for name in [
        "SSL_CERT_FILE",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "PIP_CERT",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
        "npm_config_cafile",
    ] {
        world = world.with(name, BUNDLE);
    }
    let world = world.with("SSL_CERT_DIR", "/etc/ssl/certs").with("NODE_OPTIONS", "--use-openssl-ca");
    let script = format!(
        "set -e; npm ci --no-audit; curl -fsSO {CRATE}; pip download --no-deps --dest out idna==3.10; \
         node -e \"fetch('https://registry.npmjs.org/left-pad/1.3.0').then(a => process.exit(a.ok ? 0 : 1))\"",
    );
    works(&world, &["sh", "-c", &script]);
}

#[test]
fn preset_proxies_are_left_behind_only_in_the_room() {
    // A proxy of npm's own that is dead outside would break a direct run; in a room nothing needs it. What the environment says
    // of all is for Outlast as well: proxied.rs.
    let world = npm_project()
        .with("npm_config_https_proxy", "http://127.0.0.1:9")
        .with("npm_config_noproxy", "localhost");
    world.record(&["npm", "ci", "--no-audit"]).expect(0);
    world.drill(&["npm", "ci", "--no-audit"]).expect(0);
}
