//! Where the client connects, whom it trusts, and where it must not be led.

use bytes::Bytes;
use fakes::{Answer, Fault, Upstream};
use host::http::{Client, FetchError, HeaderMap, Method, Proxies, Roots, Settings};
use http_body_util::BodyExt as _;
use model::{ObjectUrl, SafeUrl};

fn client(places: Vec<host::http::Upstream>, allow: &[&str], roots: Roots) -> Client {
    let allow = allow.iter().map(|text| text.parse().expect("a network")).collect();
    let (public_hosts, proxies) = (Vec::new(), Proxies::default());
    Client::new(Settings { roots, upstreams: places, allow, public_hosts, server: None, proxies })
}

pub(crate) fn place(host: &str, connect: &str) -> host::http::Upstream {
    host::http::Upstream { host: host.to_owned(), connect: Some(connect.to_owned()), roots: None, base: None }
}

pub(crate) fn roots(upstream: &Upstream) -> Roots {
    let mut roots = Roots::empty();
    roots.add_pem(upstream.ca_pem().as_bytes()).expect("a certificate");
    roots
}

pub(crate) fn get(url: &str) -> http::Request<host::http::Outgoing> {
    let url = SafeUrl::parse(url).expect("an address");
    host::http::request(Method::GET, &url, HeaderMap::new(), host::http::whole(Bytes::new()))
        .expect("a request")
}

#[tokio::test]
async fn a_host_is_where_the_configuration_says_under_its_own_name() {
    let upstream = Upstream::start().await;
    upstream.put("files.example", "/a", Answer::text("here"));
    let tls = upstream.tls_address().to_string();
    let client = client(vec![place("files.example", &tls)], &[], roots(&upstream));
    let answer = client.send_for_command(get("https://files.example/a")).await.expect("an answer");
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(body, "here");
    assert_eq!(upstream.log()[0].host, "files.example");
}

#[tokio::test]
async fn another_base_takes_the_place_of_the_host() {
    let upstream = Upstream::start().await;
    upstream.put("127.0.0.1", "/npm/left-pad", Answer::text("based"));
    let base = ObjectUrl::parse(&format!("http://{}/npm", upstream.plain_address())).expect("an address");
    let mut moved = place("registry.npmjs.org", "");
    (moved.connect, moved.base) = (None, Some(base));
    let client = client(vec![moved], &[], Roots::empty());
    let answer =
        client.send_for_command(get("https://registry.npmjs.org/left-pad")).await.expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "based");
}

#[tokio::test]
async fn an_upstream_nobody_vouches_for_is_not_believed() {
    let upstream = Upstream::start().await;
    upstream.put("files.example", "/a", Answer::text("here"));
    let tls = upstream.tls_address().to_string();
    let client = client(vec![place("files.example", &tls)], &[], Roots::empty());
    let error = client.send_for_command(get("https://files.example/a")).await.expect_err("no trust");
    assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_is_led_into_this_machine() {
    let upstream = Upstream::start().await;
    upstream.put("127.0.0.1", "/", Answer::text("inside"));
    let url = format!("http://{}/", upstream.plain_address());
    let closed = client(Vec::new(), &[], Roots::empty());
    for answer in [closed.send_for_command(get(&url)).await, closed.send_for_outlast(get(&url)).await] {
        let error = answer.expect_err("loopback is not for a room");
        assert!(matches!(error, FetchError::Forbidden { .. }), "{error:?}");
    }
    assert!(upstream.log().is_empty(), "not even asked");
    let open = client(Vec::new(), &["127.0.0.0/8"], Roots::empty());
    assert!(open.send_for_outlast(get(&url)).await.is_ok(), "the control: allowed, it is reached");
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let none = client(Vec::new(), &[], Roots::empty());
    let error = none.send_for_command(get("http://no-such-name.invalid/")).await.expect_err("no such name");
    assert!(matches!(error, FetchError::NoSuchName { .. } | FetchError::Lookup { .. }), "{error:?}");
    let closed = client(vec![place("closed.example", "127.0.0.1:1")], &[], Roots::empty());
    let error = closed.send_for_command(get("https://closed.example/")).await.expect_err("refused");
    assert!(matches!(error, FetchError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_in_words() {
    let upstream = Upstream::start().await;
    let tls = upstream.tls_address().to_string();
    let said = async |fault: Fault, words: &str| {
        upstream.on("files.example", "*", fault);
        let client = client(vec![place("files.example", &tls)], &[], roots(&upstream));
        let error = client.send_for_command(get("https://files.example/a")).await.expect_err("no trust");
        let FetchError::Tls { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.to_string(), words);
        upstream.clear_faults();
    };
    said(Fault::ExpiredCertificate, "its certificate has expired").await;
    said(Fault::WrongHostCertificate, "its certificate is for another name").await;
    let foreign = "its certificate is from an authority that is not trusted here";
    said(Fault::ForeignCertificate, foreign).await;
}
