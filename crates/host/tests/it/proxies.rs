//! The way through a proxy: what it hears, what it is told, and where it must not be sent.

use fakes::{Answer, Upstream};
use host::http::{Client, FetchError, Proxies, Roots, Settings};
use http_body_util::BodyExt as _;
use model::ObjectUrl;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::client::{get, place, roots};

/// A proxy that answers each head it hears with these words, or, where there are none, opens the way to one address.
async fn proxy(
    answer: &'static str,
    leads_to: Option<std::net::SocketAddr>,
) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (heard, hearing) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let heard = heard.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.expect("a head"));
                }
                heard.send(String::from_utf8(head).expect("text")).expect("somebody who listens");
                client.write_all(answer.as_bytes()).await.expect("a client");
                if let Some(address) = leads_to {
                    let mut upstream = tokio::net::TcpStream::connect(address).await.expect("an upstream");
                    // Either may hang up.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                }
            });
        }
    });
    (address, hearing)
}

fn through(address: &str, no_proxy: &str, upstreams: Vec<host::http::Upstream>, roots: Roots) -> Client {
    let proxies = Proxies::read(|name| match name {
        "https_proxy" | "http_proxy" => Some(format!("http://me:S3CRET@{address}")),
        "no_proxy" => Some(no_proxy.to_owned()),
        _ => None,
    });
    let proxies = proxies.expect("a proxy");
    Client::new(Settings {
        roots,
        upstreams,
        allow: Vec::new(),
        public_hosts: Vec::new(),
        server: None,
        proxies,
    })
}

const OPEN: &str = "HTTP/1.1 200 Connection established\r\n\r\n";
const LOGIN: &str = "Basic bWU6UzNDUkVU";

#[tokio::test]
async fn a_host_with_tls_is_asked_through_a_way_that_the_proxy_opens() {
    let upstream = Upstream::start().await;
    upstream.put("files.example", "/a", Answer::text("here"));
    let (address, mut heard) = proxy(OPEN, Some(upstream.tls_address())).await;
    let client = through(&address, "", Vec::new(), roots(&upstream));
    let url = "https://files.example/a";
    for answer in [client.send_for_command(get(url)).await, client.send_for_outlast(get(url)).await] {
        let body = answer.expect("an answer").into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body, "here");
        let head = heard.recv().await.unwrap();
        assert!(
            head.starts_with("CONNECT files.example:443 HTTP/1.1\r\nHost: files.example:443\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("\r\nProxy-Authorization: {LOGIN}\r\n")), "{head}");
    }
    // The host hears nothing of what is the proxy's.
    assert!(upstream.log().iter().all(|seen| !format!("{:?}", seen.headers).contains("proxy-authorization")));
}

#[tokio::test]
async fn a_host_without_tls_is_asked_for_by_the_proxy() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere";
    let (address, mut heard) = proxy(answer, None).await;
    let client = through(&address, "", Vec::new(), Roots::empty());
    let mut request = get("http://files.example/a?b");
    request.headers_mut().insert("proxy-authorization", "Basic of-the-client".parse().unwrap());
    let answer = client.send_for_outlast(request).await.expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "here");
    let head = heard.recv().await.unwrap().to_lowercase();
    assert!(head.starts_with("get http://files.example/a?b http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("proxy-authorization: {}\r\n", LOGIN.to_lowercase())), "{head}");
    assert!(!head.contains("of-the-client"), "{head}");
}

#[tokio::test]
async fn what_is_excepted_placed_or_here_is_asked_directly() {
    let upstream = Upstream::start().await;
    upstream.put("files.example", "/a", Answer::text("here"));
    upstream.put("127.0.0.1", "/npm/a", Answer::text("here"));
    let (address, mut heard) = proxy(OPEN, None).await;
    let mut based = place("registry.npmjs.org", "");
    let base = ObjectUrl::parse(&format!("http://{}/npm", upstream.plain_address())).unwrap();
    (based.connect, based.base) = (None, Some(base));
    let placed = place("files.example", &upstream.tls_address().to_string());
    let client = through(&address, "excepted.example", vec![placed, based], roots(&upstream));
    for url in ["https://files.example/a", "https://registry.npmjs.org/a"] {
        let answer = client.send_for_command(get(url)).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{url}");
    }
    let error = client.send_for_command(get("https://excepted.example/")).await.unwrap_err();
    assert!(matches!(error, FetchError::NoSuchName { .. } | FetchError::Lookup { .. }), "{error}");
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn a_proxy_that_opens_no_way_is_named_and_its_login_is_not() {
    for (answer, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "status 407"),
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "status 502"),
        ("SSH-2.0-x\r\n\r\n", "is not HTTP"),
        ("HTTP/1.1 200 OK\r\n\r\nearly", "more than that the way is open"),
    ] {
        let (address, _heard) = proxy(answer, None).await;
        let client = through(&address, "", Vec::new(), Roots::empty());
        let error = client.send_for_outlast(get("https://files.example/a")).await.unwrap_err();
        let FetchError::Proxy { source, proxy, .. } = &error else { panic!("{answer}: {error:?}") };
        assert!(source.to_string().contains(expected) && *proxy == address, "{answer}: {error} {source}");
        assert!(!format!("{error} {error:?}").contains("S3CRET"));
    }
    let client = through("127.0.0.1:9", "", Vec::new(), Roots::empty());
    let error = client.send_for_command(get("https://files.example/a")).await.unwrap_err();
    assert!(matches!(error, FetchError::Proxy { .. }), "{error:?}");
}

#[tokio::test]
async fn outlast_sends_no_proxy_to_what_is_not_of_the_world() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere";
    let (address, mut heard) = proxy(answer, None).await;
    let named = place("npm.acme.internal", "");
    let named = host::http::Upstream { connect: None, ..named };
    let client = through(&address, "", vec![named], Roots::empty());
    for url in ["http://10.0.0.1/", "http://169.254.169.254/", "http://[fd00::1]/"] {
        let error = client.send_for_outlast(get(url)).await.unwrap_err();
        assert!(matches!(error, FetchError::Forbidden { .. }), "{url}: {error:?}");
    }
    for url in ["http://intranet/", "http://metadata.google.internal/", "http://printer.local/"] {
        let error = client.send_for_outlast(get(url)).await.unwrap_err();
        assert!(matches!(error, FetchError::NotPublic { .. }), "{url}: {error:?}");
    }
    assert!(heard.try_recv().is_err());
    // The controls: a command asks where it would, and what the configuration names is allowed.
    client.send_for_command(get("http://intranet/")).await.expect("an answer");
    client.send_for_outlast(get("http://npm.acme.internal/")).await.expect("an answer");
    let error = client.send_for_command(get("http://169.254.169.254/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Forbidden { .. }), "{error:?}");
}

#[tokio::test]
async fn a_host_that_is_not_looked_into_is_reached_through_the_proxy_as_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, mut heard) = proxy(OPEN, Some(listener.local_addr().unwrap())).await;
    let proxies = Proxies::read(|name| (name == "https_proxy").then(|| address.clone())).unwrap();
    let mut stream = proxies.connect("mtls.example", 8443).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let (mut other, _) = listener.accept().await.unwrap();
    let mut said = [0; 5];
    other.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"hello");
    assert!(heard.recv().await.unwrap().starts_with("CONNECT mtls.example:8443 HTTP/1.1\r\n"));
    assert!(proxies.has("mtls.example") && !proxies.has("localhost"));
    // The control: without one there is no such host.
    assert!(Proxies::default().connect("mtls.example", 8443).await.is_err());
}
