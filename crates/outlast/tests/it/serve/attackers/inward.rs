//! Ways that lead inward: redirects, links in indexes, names that change where they lead.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use fakes::composer::HOSTS;
use fakes::{Answer, Fault, Upstream};

use super::Siege;
use crate::kills::full::apart_with;
use crate::raw;
use crate::serve::Served;
use crate::world::{World, finish};

/// Something that is for this machine alone; whoever is led there leaves a line in its log.
fn inner() -> Upstream {
    let inner = Upstream::start_blocking();
    inner.handle("*", "/", |_| Some(Answer::text("secret of this machine")));
    inner
}

fn addresses(inner: &Upstream) -> Vec<String> {
    let (tls, plain) = (inner.tls_address().port(), inner.plain_address().port());
    [
        format!("http://127.0.0.1:{plain}/"),
        format!("https://127.0.0.1:{tls}/"),
        format!("http://localhost:{plain}/"),
        format!("http://[::1]:{plain}/"),
        format!("http://[::ffff:127.0.0.1]:{plain}/"),
        format!("http://0.0.0.0:{plain}/"),
        format!("http://2130706433:{plain}/"),
        format!("http://0x7f.1:{plain}/"),
        format!("http://127.1:{plain}/"),
        format!("//127.0.0.1:{plain}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
        "data:text/plain,x".to_owned(),
        String::new(),
    ]
    .to_vec()
}

#[test]
fn a_redirect_inward_is_not_followed() {
    let (siege, inner) = (Siege::new(), inner());
    for (n, address) in addresses(&inner).into_iter().enumerate() {
        // What keeps a name while its bytes move is followed by the server itself.
        let path = format!("/a/b/releases/download/v{n}/c");
        for status in [301, 302, 307] {
            let answer = Answer::status(status).header("location", &address);
            siege.upstream.put("github.com", &path, answer.clone());
            let got = siege.get(&format!("/files/github.com{path}"));
            assert_eq!(got.status, 503, "{address} {status}: {got:?}");
            // Others are handed back, and whoever asked goes or does not go there.
            siege.upstream.put("files.example", &path, answer);
            let got = siege.get(&format!("/files/files.example{path}"));
            assert!([status, 502, 503].contains(&got.status), "{address} {status}: {got:?}");
            assert!(!got.text().contains("secret"), "{got:?}");
        }
    }
    assert_eq!(inner.n_connections(), 0, "{:?}", inner.log());
    // The control: a redirect to a place that is allowed is followed.
    siege.upstream.put(
        "github.com",
        "/a/b/releases/download/v99/c",
        Answer::status(302).header("location", "https://files.example/c"),
    );
    siege.upstream.put("files.example", "/c", Answer::file("right"));
    assert!(siege.get("/files/github.com/a/b/releases/download/v99/c").is(b"right"));
    siege.assert_unharmed();
}

#[test]
fn redirects_in_circles_and_without_end_are_given_up() {
    let siege = Siege::new();
    for (n, fault) in [Fault::RedirectLoop, Fault::RedirectWithoutEnd].into_iter().enumerate() {
        let path = format!("/a/b/releases/download/v{n}/c");
        siege.upstream.on("github.com", &format!("{path}*"), fault);
        siege.upstream.clear_log();
        assert_eq!(siege.get(&format!("/files/github.com{path}")).status, 503);
        assert!(siege.upstream.log().len() <= 6, "{}", siege.upstream.log().len());
    }
    siege.assert_unharmed();
}

#[test]
fn an_index_that_names_what_is_inside_leads_nobody_there() {
    let (siege, inner) = (Siege::new(), inner());
    let public = "https://files.example/dist.zip".to_owned();
    siege.upstream.put("files.example", "/dist.zip", Answer::file(fakes::zip(&[("a", b"x")])));
    for (n, address) in addresses(&inner).into_iter().chain([public.clone()]).enumerate() {
        let reference = format!("{n:040x}");
        let dist = serde_json::json!({ "type": "zip", "url": address, "reference": reference, "shasum": "" });
        let version = serde_json::json!({ "name": "acme/evil", "version": "1.0.0", "version_normalized": "1.0.0.0", "dist": dist });
        let document = serde_json::json!({ "packages": { format!("acme/evil-{n}"): [version] } });
        siege.upstream.put(HOSTS[0], &format!("/p2/acme/evil-{n}.json"), Answer::json(document.to_string()));
        let got = siege.get(&format!("/composer/dists/acme/evil-{n}/1.0.0.0/{reference}.zip"));
        if address == public {
            assert_eq!(got.status, 200, "the control: what lies outside is fetched: {got:?}");
        } else {
            assert!([404, 429, 503].contains(&got.status), "{address}: {got:?}");
        }
    }
    assert_eq!(inner.n_connections(), 0, "{:?}", inner.log());
    siege.assert_unharmed();
}

/// An address of the internet, which in a network of the test's own is this machine's.
const PUBLIC: &str = "93.184.215.14";
const REBIND: &str = "rebind.example";

/// Listens at a public address for a loopback one; each connection can be ended from outside.
fn relay(port: u16) -> Arc<Mutex<Vec<TcpStream>>> {
    let listener = TcpListener::bind((PUBLIC, port)).unwrap();
    let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let all = open.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let inner = TcpStream::connect(("127.0.0.1", port)).unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), inner.try_clone().unwrap()),
                (inner, client.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || io::copy(&mut from, &mut to));
            }
            all.lock().unwrap().push(client);
        }
    });
    open
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

#[test]
fn a_name_that_is_public_first_and_inside_afterwards_is_not_asked_there() {
    let test =
        "serve::attackers::inward::a_name_that_is_public_first_and_inside_afterwards_is_not_asked_there";
    apart_with(&["-n"], test, || {
        run("ip", &["link", "set", "lo", "up"]);
        run("ip", &["address", "add", &format!("{PUBLIC}/32"), "dev", "lo"]);
        let upstream = Upstream::start_blocking();
        for path in ["/first", "/second", "/third"] {
            upstream.put(REBIND, path, Answer::text(path));
        }
        let port = upstream.tls_address().port();
        let open = relay(port);
        let world = World::new();
        let hosts = world.path().join("hosts");
        let lead = |address: &str| world.write(&hosts, format!("127.0.0.1 localhost\n{address} {REBIND}\n"));
        lead(PUBLIC);
        run("mount", &["--bind", hosts.to_str().unwrap(), "/etc/hosts"]);
        let ca = upstream.ca_file(world.path());
        let trust = format!("[[upstream]]\nhost = \"{REBIND}\"\nca_file = \"{}\"\n", ca.display());
        world.configure(&trust);
        let ask = |served: &Served, path: &str| {
            raw::get(&served.base, &format!("/files/{REBIND}:{port}{path}"), &[])
        };
        let served = Served::start(&world);
        assert!(ask(&served, "/first").is(b"/first"), "{:?}", ask(&served, "/first"));

        // The name's owner changes his mind, and ends the connection that is there.
        lead("127.0.0.1");
        for stream in open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        upstream.clear_log();
        let got = ask(&served, "/second");
        assert_eq!(got.status, 503, "{got:?}");
        let held = ask(&served, "/first");
        assert!(held.is(b"/first") && held.state() == "stale", "what is held stands: {held:?}");
        assert_eq!(upstream.log().len(), 0, "{:?}", upstream.log());
        drop(served);

        // The control: where that is allowed, it is asked.
        world.configure(&format!("{trust}[network]\nallow = [\"127.0.0.0/8\"]\n"));
        let served = Served::start(&world);
        assert!(ask(&served, "/third").is(b"/third"));
        assert!(Path::new("/etc/hosts").exists());
    });
}

#[test]
fn a_name_that_leads_inward_is_not_asked_through_the_forward_proxy() {
    let test = "serve::attackers::inward::a_name_that_leads_inward_is_not_asked_through_the_forward_proxy";
    apart_with(&["-n"], test, || {
        run("ip", &["link", "set", "lo", "up"]);
        let world = World::new();
        let hosts = world.path().join("hosts");
        world.write(&hosts, format!("127.0.0.1 localhost {REBIND}\n"));
        run("mount", &["--bind", hosts.to_str().unwrap(), "/etc/hosts"]);
        let inner = [443, 80].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        inner.iter().for_each(|listener| listener.set_nonblocking(true).unwrap());
        let ca = world.own().join("keys/ca.pem");
        // What is asked, and how often somebody was led there.
        let ask = |allow: &str| {
            world.configure(allow);
            let served = Served::start_as_proxy(&world, "127.0.0.1:0");
            let curl = |address: String| {
                let mut curl = Command::new("curl");
                curl.env_clear().args(["-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]);
                let done = finish(curl.arg(&ca).args(["-x", &served.proxy, &address]), b"");
                done.stdout
            };
            let statuses = ["https", "http"].map(|scheme| curl(format!("{scheme}://{REBIND}/secret")));
            let n_led = inner.iter().filter(|listener| listener.accept().is_ok()).count();
            (statuses, n_led)
        };
        let (statuses, n_led) = ask("");
        assert_eq!((statuses.each_ref().map(String::as_str), n_led), (["503", "503"], 0));
        // The control: where that is allowed, it is asked.
        assert_eq!(ask("[network]\nallow = [\"127.0.0.0/8\"]\n").1, 2);
    });
}
