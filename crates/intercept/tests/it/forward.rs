//! The door of an observed run: clients that are told to go through us.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use intercept::{Authority, RefusedWhy, Tier, serve_forward};
use model::{SafeUrl, Secret};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::desk::Desk;
use crate::room::{Memory, PASSED, client, now};

struct Door {
    address: SocketAddr,
    authority: Arc<Authority>,
    memory: Arc<Memory>,
}

async fn open(credentials: Option<&str>) -> Door {
    let authority = Arc::new(Authority::new(now(), "outlast test", None).unwrap());
    let memory = Arc::new(Memory::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let credentials = credentials.map(|text| Secret::new(text.to_owned()));
    let (ours, remembers) = (Arc::clone(&authority), Arc::clone(&memory));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (authority, handler, credentials) =
                (Arc::clone(&ours), Arc::clone(&remembers), credentials.clone());
            tokio::spawn(async move {
                serve_forward(stream, credentials.as_ref(), &authority, handler).await;
            });
        }
    });
    Door { address, authority, memory }
}

impl Door {
    /// Sends a request and returns the head of the answer, and the connection.
    async fn ask(&self, request: &str) -> (String, TcpStream) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (String::from_utf8(head).unwrap(), stream)
    }

    fn hosts(&self) -> Vec<(&'static str, String, u16)> {
        let seen = self.memory.seen.lock().unwrap();
        seen.iter().map(|one| (one.origin.scheme, one.origin.host.clone(), one.origin.port)).collect()
    }
}

#[tokio::test]
async fn a_tunnel_is_looked_into() {
    let door = open(None).await;
    let (head, stream) =
        door.ask("CONNECT Registry.test:8443 HTTP/1.1\r\nhost: registry.test:8443\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let name = ServerName::try_from("registry.test").unwrap();
    let connector = TlsConnector::from(client(&[door.authority.root_der()], &["http/1.1"]));
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream
        .write_all(b"GET /a HTTP/1.1\r\nhost: registry.test:22\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("registry.test /a\n"), "{answer}");
    assert_eq!(door.hosts(), [("https", "registry.test".to_owned(), 8443)]);
}

#[tokio::test]
async fn a_tunnel_for_anything_else_is_refused_by_name() {
    let door = open(None).await;
    let (_, mut stream) = door.ask("CONNECT git.test:22 HTTP/1.1\r\n\r\n").await;
    stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    let refused = door.memory.refused.lock().unwrap();
    let (connection, why) = refused.last().unwrap();
    assert_eq!((connection.host().as_str(), connection.address.port()), ("git.test", 22));
    assert_eq!(*why, RefusedWhy::UnknownProtocol);
}

#[tokio::test]
async fn a_tunnel_that_is_not_to_be_looked_into_is_handed_over_as_it_is() {
    let door = open(Some("outlast:token")).await;
    let known = "proxy-authorization: Basic b3V0bGFzdDp0b2tlbg==\r\n";
    let (head, mut stream) = door.ask(&format!("CONNECT {PASSED}:8443 HTTP/1.1\r\n{known}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "passed.test 8443\n");
    assert_eq!(door.hosts(), []);
    // Nor does it spare anybody the password.
    let (head, _) = door.ask(&format!("CONNECT {PASSED}:8443 HTTP/1.1\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 407"), "{head}");
}

#[tokio::test]
async fn a_plain_request_needs_a_whole_address() {
    let door = open(None).await;
    let (head, _) = door.ask("GET http://deb.test/a HTTP/1.1\r\nhost: deb.test\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (head, _) = door.ask("GET http://deb.test:8080/a HTTP/1.1\r\nhost: deb.test\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(door.hosts(), [("http", "deb.test".to_owned(), 80), ("http", "deb.test".to_owned(), 8080)]);
    for target in ["GET /a", "GET https://deb.test/a", "CONNECT deb.test", "CONNECT me@deb.test:443"] {
        let (head, _) = door.ask(&format!("{target} HTTP/1.1\r\nhost: deb.test\r\n\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 400"), "{target}: {head}");
    }
    assert_eq!(door.hosts().len(), 2);
}

#[tokio::test]
async fn who_does_not_know_the_run_s_password_is_not_served() {
    let door = open(Some("outlast:token")).await;
    for given in ["", "proxy-authorization: Basic b3V0bGFzdDp3cm9uZw==\r\n"] {
        for target in ["CONNECT a.test:443", "GET http://a.test/"] {
            let (head, _) = door.ask(&format!("{target} HTTP/1.1\r\nhost: a.test\r\n{given}\r\n")).await;
            assert!(head.starts_with("HTTP/1.1 407"), "{head}");
        }
    }
    assert_eq!(door.hosts(), []);
    let known = "proxy-authorization: Basic b3V0bGFzdDp0b2tlbg==\r\n";
    let (head, _) = door.ask(&format!("GET http://a.test/ HTTP/1.1\r\nhost: a.test\r\n{known}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn real_clients_come_through_the_door() {
    let door = open(Some("outlast:token")).await;
    let proxy = SafeUrl::parse(&format!("http://outlast:token@{}", door.address)).unwrap();
    let cargo = "[source.crates-io]\nreplace-with = \"door\"\n[source.door]\n\
                 registry = \"sparse+https://registry.test/index/\"\n[net]\nretry = 0\n";
    let manifest = "[package]\nname = \"a\"\nedition = \"2024\"\n[dependencies]\nleft-pad = \"1\"\n";
    let files = [
        (".npmrc", "fetch-retries=0\nupdate-notifier=false\nnoproxy=registry.test\n"),
        ("project/.cargo/config.toml", cargo),
        ("project/Cargo.toml", manifest),
        ("project/src/lib.rs", ""),
        ("project/go.mod", "module a.test/a\n"),
    ];
    let desk = Desk::of(&Tier::Observed { proxy: Some(proxy) }, &door.authority, &files);
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    let clients: [(&str, &[&str]); 8] = [
        ("curl", &["-sS", "https://registry.test/"]),
        ("wget", &["-q", "-t1", "-O-", "https://registry.test/"]),
        ("git", &["ls-remote", "https://registry.test/a.git"]),
        ("npm", &["view", "left-pad", "--registry", "https://registry.test/npm/"]),
        ("pip", &["download", "--retries=0", "--index-url", "https://registry.test/simple", "left-pad"]),
        ("python3", &["-c", "import urllib.request as r; r.urlopen('https://registry.test/').read()"]),
        ("go", &["mod", "download", "b.test/b@v1.0.0"]),
        (env!("CARGO"), &["fetch"]),
    ];
    let variables = [
        ("RUSTC", rustc.to_str().unwrap()),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GOPROXY", "https://registry.test/go"),
        ("GOFLAGS", "-mod=mod"),
        ("GOTOOLCHAIN", "local"),
    ];
    for (program, arguments) in clients {
        let n = door.hosts().len();
        let output = desk.run_in_room(program, arguments, &variables).await;
        let expected = ("https", "registry.test".to_owned(), 443);
        assert_eq!(door.hosts().get(n), Some(&expected), "{program}: {output:?}");
    }
}
