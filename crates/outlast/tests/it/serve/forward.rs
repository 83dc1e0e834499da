//! Clients that take the server for their proxy, because their locks name the registry itself.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fakes::Answer;

use super::{CARGO, NPM, PYPI, Served, upstream};
use crate::raw::{Raw, exchange};
use crate::world::{World, finish, need, places};

const TARBALL: &str = "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz";
const TARBALL_PATH: &str = "/left-pad/-/left-pad-1.3.0.tgz";
const INDEX: &str = "https://registry.npmjs.org/left-pad";

pub(super) fn start(world: &World) -> Served {
    Served::start_as_proxy(world, "127.0.0.1:0")
}

/// Asks through the proxy with this machine's curl, which trusts what `/setup` names; returns `STATUS STATUS-OF-CONNECT EXIT` and
/// what came.
pub(super) fn curl(served: &Served, world: &World, arguments: &[&str]) -> (String, String) {
    let (status, pem) = served.get(&[], "/setup/ca.pem");
    assert_eq!(status, "200");
    let mut ca = tempfile::NamedTempFile::new_in(world.path()).unwrap();
    ca.write_all(pem.as_bytes()).unwrap();
    let mut command = Command::new("curl");
    command.env_clear().args(["-s", "--path-as-is", "--noproxy", "", "-x", &served.proxy, "--output", "-"]);
    command.arg("--cacert").arg(ca.path()).args(["-w", "\n%{http_code} %{http_connect} %{exitcode}"]);
    let done = finish(command.args(arguments), b"");
    let (body, status) = done.stdout.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

fn status(served: &Served, world: &World, arguments: &[&str]) -> String {
    curl(served, world, arguments).0
}

#[test]
fn what_is_kept_comes_while_its_host_is_cut_and_a_new_process_has_the_same_authority() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = start(&world);
    let first = curl(&served, &world, &[TARBALL]);
    assert_eq!((first.0.as_str(), upstream.n_asked(NPM, TARBALL_PATH)), ("200 200 0", 1));
    let pem = fs::read_to_string(world.own().join("keys/ca.pem")).unwrap();
    assert_eq!(served.get(&[], "/setup/ca.pem").1, pem);
    served.end();
    world.configure(&places(&[NPM], &[("connect", "127.0.0.1:9")]));
    let served = start(&world);
    assert_eq!(curl(&served, &world, &[TARBALL]), first);
    assert_eq!(served.get(&[], "/setup/ca.pem").1, pem);
    // The controls: what was never kept does not come, and nobody trusts what he was not told to.
    assert_eq!(status(&served, &world, &["https://registry.npmjs.org/other/-/other-1.0.0.tgz"]), "503 200 0");
    assert_eq!(
        status(&served, &world, &["--cacert", "/etc/ssl/certs/ca-certificates.crt", TARBALL]),
        "000 200 60"
    );
    served.end();
}

#[test]
fn documents_are_as_their_upstreams_have_them_and_say_how_they_stand() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = start(&world);
    let link = format!("\"{TARBALL}\"");
    for _ in 0..2 {
        let (status, body) = curl(&served, &world, &["-i", INDEX]);
        assert!(status == "200 200 0" && body.contains(&link), "{body}");
        assert!(body.contains("outlast-state: fresh\r\n"), "{body}");
        // What lies ready for one door is not given out at the other.
        let (_, body) = served.get(&[], "/npm/left-pad");
        assert!(
            body.contains(&format!("{}/npm{TARBALL_PATH}", served.base)) && !body.contains(&link),
            "{body}"
        );
    }
    world.configure(&format!(
        "{}[limits]\nindex_fresh_for = \"0s\"\n",
        places(&[NPM], &[("connect", "127.0.0.1:9")])
    ));
    drop(served);
    let served = start(&world);
    let (_, body) = curl(&served, &world, &["-i", INDEX]);
    assert!(body.contains(&link) && body.contains("outlast-state: stale; since="), "{body}");
}

#[test]
fn plain_addresses_are_asked_without_a_tunnel() {
    let upstream = upstream();
    upstream.put("deb.example", "/a.deb", Answer::file("plain"));
    let world = World::new();
    world.configure(&places(&["deb.example"], &[("connect", &upstream.plain_address().to_string())]));
    let served = start(&world);
    assert_eq!(
        curl(&served, &world, &["http://deb.example/a.deb"]),
        ("200 000 0".to_owned(), "plain".to_owned())
    );
    assert_eq!(status(&served, &world, &["-X", "PUT", "-d", "x", "http://deb.example/a.deb"]), "403 000 0");
}

#[test]
fn it_leads_nowhere_but_to_the_web_s_ports_of_hosts_of_the_world() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = start(&world);
    let inner = upstream.plain_address().port();
    let check = |line: &str, status: u16, error: &str| {
        let got = exchange(&served.proxy, format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(got.status, status, "{line}: {got:?}");
        assert!(got.text().contains(&format!("\"error\":\"{error}\"")), "{line}: {got:?}");
        assert_eq!(got.field("connection"), if line.starts_with("CONNECT") { "close" } else { "" }, "{line}");
    };
    for port in [22, 25, 80, 8443, inner] {
        check(&format!("CONNECT registry.npmjs.org:{port}"), 403, "bad_port");
    }
    check(&format!("GET http://registry.npmjs.org:{inner}/"), 403, "bad_port");
    for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "intranet"] {
        check(&format!("CONNECT {host}:443"), 403, "bad_host");
        check(&format!("GET http://{host}/"), 403, "bad_host");
    }
    for line in [
        "GET /setup",
        "GET https://registry.npmjs.org/",
        "CONNECT registry.npmjs.org",
        "CONNECT me@a.example:443",
    ] {
        check(line, 400, "bad_request");
    }
    assert_eq!(upstream.n_connections(), 0, "{:?}", upstream.log());
    // The control: what is of the world and its web gets a tunnel.
    let got = exchange(&served.proxy, b"CONNECT registry.npmjs.org:443 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((got.status, got.body.len()), (200, 0), "{got:?}");
    assert!(got.took < Duration::from_secs(28), "who says nothing in it is let go: {got:?}");
    // At the other door it is no proxy still.
    assert_eq!(exchange(&served.base, b"CONNECT a.example:443 HTTP/1.1\r\nHost: x\r\n\r\n").status, 501);
}

#[test]
fn in_a_tunnel_the_rules_are_those_of_the_files_at_the_other_door() {
    let upstream = upstream();
    upstream.put("a.example", "/page", Answer::text("page").header("set-cookie", "theirs=1"));
    upstream.put("a.example", "/moved", Answer::status(302).header("location", "https://b.example/x"));
    let world = World::new();
    world.place(&upstream, &[NPM, "a.example"]);
    let served = start(&world);
    let secret = ["-H", "Authorization: Bearer S3CRET", "-H", "Cookie: s=S3CRET", "-H", "Outlast-Via: 1"];
    let with = |arguments: &[&str]| curl(&served, &world, &[&secret[..], arguments].concat());
    assert_eq!(with(&["https://a.example/page"]), ("200 200 0".to_owned(), "page".to_owned()));
    assert!(!format!("{:?}", upstream.log()).contains("S3CRET"), "{:?}", upstream.log());
    assert!(with(&["-i", "https://a.example/moved"]).1.contains("location: https://b.example/x\r\n"));
    for (arguments, path) in [
        (&["-X", "PUT", "-d", "{}"][..], "registry.npmjs.org/left-pad"),
        (&["-X", "POST", "-d", "x"], "a.example/anything"),
        (&[], "nobody.example/x"),
        (&[], "a.example/../etc/passwd"),
        (&[], "a.example/%2e%2e/x"),
        (&["-X", "TRACE"], "a.example/page"),
    ] {
        let at_door = served.get(arguments, &format!("/files/{path}")).0;
        let address = format!("https://{path}");
        let (through, body) = with(&[arguments, &[&address]].concat());
        assert_eq!(through, format!("{at_door} 200 0"), "{path}: {body}");
        assert!(at_door.starts_with(['4', '5']), "{path}: {at_door}");
    }
    // A tunnel leads to one host alone.
    let other = with(&["-H", "Host: b.example", "https://a.example/page"]);
    assert!(other.0 == "421 200 0" && other.1.contains("bad_host"), "{other:?}");
    assert_eq!(with(&["-H", "Host: A.example.:443", "https://a.example/page"]).0, "200 200 0");
    let (_, metrics) = served.get(&[], "/metrics");
    assert!(metrics.contains("\noutlast_tunnels_total 10\n"), "{metrics}");
}

#[test]
fn who_has_no_token_is_challenged_and_no_token_goes_on() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let refused =
        |listen: &str| world.outlast(&["serve", "--listen", "127.0.0.1:0", "--proxy-listen", listen]);
    refused("0.0.0.0:0").expect(2).says("whoever reaches").says("outlast token add");
    let token = world.outlast(&["token", "add", "ci", "--scope", "read"]).expect(0).stdout.trim().to_owned();
    refused("0.0.0.0:0").expect(2).says("url = ");
    world.configure_more("[serve]\nurl = \"http://127.0.0.1:1\"\n");
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let mut served = Served::start_as_proxy(&world, listen);
        served.proxy = served.proxy.replace("0.0.0.0", "127.0.0.1");
        let (status, said) = curl(&served, &world, &["-i", TARBALL]);
        assert_eq!(status, "000 407 56");
        assert!(said.to_lowercase().contains("proxy-authenticate: basic realm=\"outlast\"\r\n"), "{said}");
        let (status, said) = curl(&served, &world, &["http://registry.npmjs.org/left-pad"]);
        assert!(status.starts_with("407 ") && said.contains("\"error\":\"unauthorized\""), "{status} {said}");
        let with = |user: &str| self::status(&served, &world, &["-U", user, TARBALL]);
        assert_eq!(with(&format!("token:{token}")), "200 200 0");
        assert_eq!(with(&format!("token:outlast_{}", "A".repeat(43))), "000 407 56");
        // What is shown to the host is nothing to the proxy.
        assert_eq!(self::status(&served, &world, &["-u", &format!("token:{token}"), TARBALL]), "000 407 56");
        let (_, setup) = served.get(&[], "/setup");
        let authority = served.proxy.strip_prefix("http://").unwrap();
        assert!(setup.contains(&format!("=http://token:TOKEN@{authority}")), "{setup}");
        served.end();
    }
    assert!(upstream.n_asked(NPM, TARBALL_PATH) > 0);
    let log = format!("{:?}", upstream.log());
    assert!(!log.contains("proxy-authorization") && !log.contains(&token), "{log}");
}

/// Shakes hands in one tunnel; then each line that comes in is a request, and the first line of its answer goes out.
const TUNNEL: &str = r#"
import base64, json, socket, ssl, sys
host, port, ca, token = sys.argv[1:]
shown = base64.b64encode(f"token:{token}".encode()).decode()
plain = socket.create_connection((host, int(port)))
plain.sendall(f"CONNECT registry.npmjs.org:443 HTTP/1.1\r\nProxy-Authorization: Basic {shown}\r\n\r\n".encode())
while b"\r\n\r\n" not in plain.recv(4096): pass
tunnel = ssl.create_default_context(cafile=ca).wrap_socket(plain, server_hostname="registry.npmjs.org")
for line in sys.stdin:
    tunnel.sendall(json.loads(line).encode())
    answer = tunnel.recv(1 << 20).decode()
    while "\r\n\r\n" not in answer: answer += tunnel.recv(1 << 20).decode()
    length = int(answer.lower().split("content-length: ")[1].split("\r\n")[0])
    while len(answer.split("\r\n\r\n", 1)[1]) < length: answer += tunnel.recv(1 << 20).decode()
    print(answer.split(" ")[1], "connection: close" in answer.lower(), flush=True)
"#;

/// A client in a tunnel that sends what it is told.
struct Tunnel {
    python: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Tunnel {
    fn open(served: &Served, world: &World, token: &str) -> Self {
        need("python3");
        let ca = world.own().join("keys/ca.pem");
        let (host, port) = served.proxy.strip_prefix("http://").unwrap().rsplit_once(':').unwrap();
        let mut python = world.command("python3");
        python.args(["-c", TUNNEL, host, port, ca.to_str().unwrap(), token]);
        let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(python.stdout.take().unwrap()).lines();
        Self { python, said }
    }

    /// Returns the status of the answer, and whether nothing more is answered.
    fn ask(&mut self, request: &str) -> String {
        let line = serde_json::json!(request).to_string();
        writeln!(self.python.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.said.next().unwrap().unwrap()
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.python.kill();
        let _ = self.python.wait();
    }
}

const PLAIN: &str = "GET /left-pad HTTP/1.1\r\nHost: registry.npmjs.org\r\n\r\n";

#[test]
fn heads_in_a_tunnel_are_read_as_strictly_as_outside() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = start(&world);
    for (request, expected) in [
        ("GET /left-pad HTTP/1.1\nHost: registry.npmjs.org\r\n\r\n", "400 True"),
        (
            "GET /left-pad HTTP/1.1\r\nHost: registry.npmjs.org\r\nHost: registry.npmjs.org\r\n\r\n",
            "421 True",
        ),
        ("GET /left-pad HTTP/1.1\r\nHost: other.example\r\n\r\n", "421 True"),
        ("GET https://other.example/x HTTP/1.1\r\nHost: registry.npmjs.org\r\n\r\n", "421 True"),
        ("CONNECT registry.npmjs.org:443 HTTP/1.1\r\nHost: registry.npmjs.org\r\n\r\n", "403 True"),
        ("PUT /x HTTP/1.1\r\nHost: registry.npmjs.org\r\nContent-Length: 1\r\n\r\nx", "403 True"),
        ("GET /%2e%2e/x HTTP/1.1\r\nHost: registry.npmjs.org\r\n\r\n", "400 False"),
        ("GET /left-pad HTTP/1.1\r\n\r\n", "200 False"),
    ] {
        let mut tunnel = Tunnel::open(&served, &world, "");
        assert_eq!(tunnel.ask(PLAIN), "200 False", "{request}");
        assert_eq!(tunnel.ask(request), expected, "{request}");
    }
}

#[test]
fn a_token_that_is_revoked_is_good_no_more_in_a_tunnel_that_it_opened() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let token = world.outlast(&["token", "add", "ci", "--scope", "read"]).expect(0).stdout.trim().to_owned();
    let served = start(&world);
    let mut tunnel = Tunnel::open(&served, &world, &token);
    assert_eq!(tunnel.ask(PLAIN), "200 False");
    world.outlast(&["token", "revoke", "ci"]).expect(0);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(tunnel.ask(PLAIN), "403 True");
}

#[test]
fn who_opens_a_tunnel_and_says_nothing_holds_up_nobody() {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = start(&world);
    let open = || {
        let mut raw = Raw::connect(&served.proxy).unwrap();
        raw.send(b"CONNECT registry.npmjs.org:443 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        raw
    };
    let silent: Vec<Raw> = (0..50).map(|_| open()).collect();
    let mut plain = open();
    plain.send(b"GET / HTTP/1.1\r\nHost: registry.npmjs.org\r\n\r\n").unwrap();
    assert_eq!(status(&served, &world, &[TARBALL]), "200 200 0");
    // Two at once ask their upstream once.
    upstream.clear_log();
    std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| curl(&served, &world, &[INDEX])));
        let [first, second] = both.map(|asking| asking.join().unwrap());
        assert!(first == second && first.0 == "200 200 0", "{first:?} {second:?}");
    });
    assert_eq!(upstream.n_asked(NPM, "/left-pad"), 1);
    let start = Instant::now();
    served.signal("HUP");
    served.end();
    assert!(start.elapsed() < Duration::from_secs(5), "nobody waits for them: {:?}", start.elapsed());
    drop(silent);
}

#[test]
fn any_client_comes_through_with_the_settings_for_all() {
    let upstream = upstream();
    upstream.serve_cargo(CARGO[0], CARGO[1], &[fakes::cargo::crate_("hello", "1.0.0")]);
    upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[])]);
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nhello = \"1\"\n";
    let world = World::new().file("Cargo.toml", manifest).file("src/lib.rs", "").with("CARGO_NET_RETRY", "0");
    world.place(&upstream, &[&[NPM][..], &CARGO[..], &PYPI[..]].concat());
    let served = start(&world);
    let clients: [&[&str]; 5] = [
        &["curl", "-fsS", "-o", "x", INDEX],
        &["npm", "install", "left-pad@1.3.0", "--no-audit", "--fetch-retries=0", "--no-save"],
        &["pip", "download", "--no-cache-dir", "--retries=0", "six"],
        &["cargo", "fetch"],
        &["uv", "pip", "install", "--no-cache", "--target", "made", "six"],
    ];
    for words in clients {
        let settings = "Any client, in one shell";
        served.run_pasted(&world, settings, words).expect(0);
        // The control: who goes there without trust gets nothing.
        let trusting = world
            .command("sh")
            .args(["-c", "rm -rf ~/.cargo ~/.npm ~/.cache x node_modules made *.whl"])
            .status();
        assert!(trusting.unwrap().success());
        let mut alone = world.command(words[0]);
        let alone = finish(alone.args(&words[1..]).env("https_proxy", &served.proxy), b"");
        assert_ne!(alone.code, 0, "{words:?}");
    }
}

#[test]
fn settings_are_there_where_a_proxy_listens_and_their_undo_leaves_nothing() {
    let world = World::new();
    let served = Served::start(&world);
    assert!(!served.get(&[], "/setup").1.contains("the proxy"));
    assert_eq!(served.get(&[], "/setup/ca.pem").0, "404");
    let served = start(&world);
    let setup = served.get(&[], "/setup").1;
    for client in ["Yarn 1, with a lock", "uv, with a lock", "Poetry", "Composer, with a lock made elsewhere"]
    {
        let (set, undo) = served.settings(client);
        assert!(set.contains(&served.proxy) && setup.contains(&format!("{}/setup/ca.pem", served.base)));
        let script =
            format!("set -e; env > before\n{set}\n{undo}\nenv > after; diff before after; ls ~/.outlast");
        let done = finish(world.command("sh").args(["-c", &script]), b"").expect(0);
        assert_eq!(done.stdout, "bundle.pem\nca.pem\n", "{client}");
        // The control: there is something to undo.
        let set = finish(world.command("sh").args(["-c", &script.replace(&undo, "")]), b"");
        assert!(set.code == 1 && set.stdout.contains(&served.proxy), "{}", set.stdout);
    }
    let n_trusted = |name: &str| {
        let text = fs::read_to_string(world.home().join(".outlast").join(name)).unwrap();
        text.matches("BEGIN CERTIFICATE").count()
    };
    assert!(n_trusted("ca.pem") == 1 && n_trusted("bundle.pem") > 10, "beside what the machine trusts");
}
