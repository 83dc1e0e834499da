//! Go's module proxy in an outage, asked by the real `go`: what was seen is there, and what was not is unavailable, never absent.

use fakes::{Answer, Fault, Upstream, zip};

use crate::world::{Done, World, finish, need};

const HOST: &str = "proxy.golang.org";

fn serve(upstream: &Upstream) {
    let go_mod = "module example.com/demo\n\ngo 1.18\n";
    let files = [
        ("example.com/demo@v1.0.0/go.mod", go_mod.as_bytes()),
        ("example.com/demo@v1.0.0/demo.go", b"package demo\n"),
    ];
    let place = |file: &str| format!("/example.com/demo/@v/{file}");
    upstream.put(HOST, &place("list"), Answer::text("v1.0.0\n"));
    upstream.put(HOST, &place("v1.0.0.mod"), Answer::text(go_mod));
    upstream.put(HOST, &place("v1.0.0.zip"), Answer::bytes("application/zip", zip(&files)));
    let info = r#"{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}"#;
    upstream.put(HOST, &place("v1.0.0.info"), Answer::json(info));
}

/// Runs go in a room with empty caches.
fn go(world: &World, arguments: &[&str]) -> Done {
    world.outlast(&[&["exec", "--fresh", "--", "go"], arguments].concat())
}

#[test]
fn what_go_has_seen_is_there_in_an_outage_and_the_rest_is_unavailable() {
    need("go");
    let upstream = Upstream::start_blocking();
    serve(&upstream);
    // The database of checksums is another host's, and signed: clients.rs records the real one.
    let world = World::new()
        .with("GONOSUMDB", "example.com/*")
        .with("GOPROXY", "https://proxy.golang.org")
        .with("GOFLAGS", "-mod=mod")
        .with("GOTOOLCHAIN", "local")
        .file("go.mod", "module example.com/project\n\ngo 1.18\n");
    world.place(&upstream, &[HOST]);
    world.configure_more("[limits]\nindex_fresh_for = \"0s\"\n");
    let versions = ["list", "-m", "-versions", "example.com/demo"];
    let download = ["mod", "download", "example.com/demo@v1.0.0"];
    let never = ["mod", "download", "example.com/never@v1.0.0"];
    let listed = go(&world, &versions).expect(0).stdout;
    assert_eq!(listed, "example.com/demo v1.0.0\n");
    go(&world, &download).expect(0);
    // What the proxy itself says of a module that it has not is believed.
    let absent = go(&world, &never);
    assert!(absent.code != 0 && absent.stderr.contains("404"), "{}", absent.stderr);
    for fault in [Fault::Status(502), Fault::Reset] {
        upstream.on(HOST, "*", fault);
        assert_eq!(go(&world, &versions).expect(0).stdout, listed, "the list as it was");
        go(&world, &download).expect(0);
        let unseen = go(&world, &["mod", "download", "example.com/unseen@v1.0.0"]);
        assert!(
            unseen.code != 0 && ["502 Bad", "503 Service"].iter().any(|said| unseen.stderr.contains(said)),
            "{}",
            unseen.stderr
        );
        // The control: without Outlast there is nothing.
        let mut direct = world.command("go");
        direct
            .args(download)
            .env("https_proxy", upstream.proxy_url())
            .env("GOMODCACHE", world.path().join("none"));
        direct.env("SSL_CERT_FILE", upstream.ca_file(world.path()));
        assert_ne!(finish(&mut direct, b"").code, 0);
        upstream.clear_faults();
    }
}
