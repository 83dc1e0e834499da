//! A machine that reaches the world through a proxy alone, as its environment says.

use fakes::{Answer, Upstream};

use crate::world::{OUTLAST, World, finish};

/// A world that knows nothing of where hosts are; a proxy does.
fn scene() -> (Upstream, World) {
    let upstream = Upstream::start_blocking();
    upstream.put("files.example", "/a", Answer::text("here"));
    let world = World::new();
    let ca = upstream.ca_file(world.path()).to_str().unwrap().to_owned();
    (upstream, world.with("SSL_CERT_FILE", &ca))
}

#[test]
fn what_a_command_asks_and_what_outlast_chooses_goes_through_the_proxy() {
    let (upstream, world) = scene();
    let proxy = upstream.proxy_url().replace("http://", "http://me:S3CRET@");
    let run = |arguments: &[&str], proxy: &str| {
        let mut command = world.command(OUTLAST);
        finish(command.args(arguments).env("https_proxy", proxy), b"")
    };
    let exec = ["exec", "--", "curl", "-fsS", "https://files.example/a"];
    assert_eq!(run(&exec, &proxy).expect(0).stdout, "here");
    assert_eq!(upstream.n_asked("files.example", "/a"), 1);
    upstream.put("files.example", "/b", Answer::text("there"));
    run(&["adopt", "https://files.example/b"], &proxy).expect(0);
    assert_eq!(upstream.n_asked("files.example", "/b"), 1);
    // What is no name of the world is not asked for, whatever the proxy would say.
    let refused = run(&["adopt", "https://metadata.google.internal/"], &proxy).expect(1);
    assert!(refused.stdout.contains("is no public name"), "{}", refused.stdout);
    // The controls: without the proxy there is no such host, and one that gives no way is named without its login.
    assert_ne!(run(&["adopt", "https://files.example/c"], "").code, 0);
    let nowhere = run(&["adopt", "https://files.example/c"], "http://me:S3CRET@127.0.0.1:9").expect(1);
    assert!(nowhere.stdout.contains("the proxy `127.0.0.1:9`"), "{}", nowhere.stdout);
    let bad = run(&["adopt", "https://files.example/c"], "socks5://me:S3CRET@127.0.0.1:9").expect(2);
    let bad = bad.says("`https_proxy` is no proxy").says("hint: ");
    for done in [&nowhere, &bad] {
        assert!(!(done.stdout.clone() + &done.stderr).contains("S3CRET"));
    }
    let found = finish(std::process::Command::new("grep").args(["-rlF", "S3CRET"]).arg(world.own()), b"");
    assert_eq!((found.code, found.stdout.as_str()), (1, ""));
}

#[test]
fn a_server_is_no_proxy_of_its_own() {
    let world = World::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let serve = |proxy: &str| {
        let mut command = world.command("timeout");
        command.args(["5", OUTLAST, "serve", "--listen", "127.0.0.1:0"]);
        command.arg("--proxy-listen").arg(format!("127.0.0.1:{port}"));
        finish(command.env("https_proxy", proxy), b"")
    };
    serve(&format!("http://token:x@localhost:{port}"))
        .expect(2)
        .says("is this server itself")
        .says("hint: take");
    // The control: beside another one it serves until it is told to end.
    serve("http://127.0.0.1:9").expect(124);
}
