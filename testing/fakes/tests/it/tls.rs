//! Certificates, versions and CONNECT.

use std::io::{Read as _, Write as _};

use fakes::{Answer, Fault, Upstream};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::client::{PATIENCE, connect, get_tls, handshake};

fn upstream() -> Upstream {
    let upstream = Upstream::start_blocking();
    for host in ["a.example", "b.example"] {
        upstream.put(host, "/", Answer::text(host.to_owned()));
    }
    upstream
}

#[test]
fn every_name_has_a_certificate_of_the_same_ca() {
    let upstream = upstream();
    for host in ["a.example", "b.example"] {
        assert_eq!(get_tls(&upstream, host, "/").unwrap().text(), host);
    }
}

#[test]
fn a_bad_certificate_is_for_its_host_only() {
    let check = |fault: Fault, expected: &str| {
        let upstream = upstream();
        upstream.on("a.example", "*", fault);
        let error = get_tls(&upstream, "a.example", "/").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(get_tls(&upstream, "b.example", "/").unwrap().text(), "b.example");
    };
    check(Fault::ExpiredCertificate, "xpired");
    check(Fault::ForeignCertificate, "UnknownIssuer");
    check(Fault::WrongHostCertificate, "not valid for name");
    check(Fault::NoHandshake, "");
    check(Fault::SilentHandshake, "temporarily unavailable");
}

#[test]
fn a_host_may_know_http1_only() {
    let upstream = upstream();
    upstream.speak_http1("a.example");
    let chosen = |host: &str| {
        let tls = handshake(&upstream, host, &[b"h2", b"http/1.1"]).unwrap();
        tls.conn.alpn_protocol().unwrap().to_vec()
    };
    assert_eq!(chosen("a.example"), b"http/1.1");
    assert_eq!(chosen("b.example"), b"h2");
}

#[test]
fn connect_leads_to_any_name() {
    let upstream = upstream();
    let mut tcp = connect(upstream.plain_address());
    tcp.write_all(b"CONNECT a.example:80 HTTP/1.1\r\nhost: a.example:80\r\n\r\n").unwrap();
    let mut answer = [0; 39];
    tcp.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").unwrap();
    let mut rest = String::new();
    tcp.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n\r\na.example"), "{rest}");
    assert_eq!(upstream.log().len(), 1, "CONNECT itself is no request to an upstream");
}

#[tokio::test]
async fn http2_answers_and_resets_where_it_is_told_to() {
    let upstream = Upstream::start().await;
    upstream.put("a.example", "/", Answer::text("0123456789"));
    upstream.on("a.example", "/short", Fault::Short);
    upstream.put("a.example", "/short", Answer::text("0123456789"));
    upstream.on("a.example", "/reset", Fault::Reset);
    upstream.put("a.example", "/stall", Answer::text("0123456789"));
    upstream.on("a.example", "/stall", Fault::StallAt { percent: 30 });
    let tcp = tokio::net::TcpStream::connect(upstream.plain_address()).await.unwrap();
    drop(tcp);
    let (mut sender, connection) = http2(&upstream).await;
    let driver = tokio::spawn(connection);
    let mut get = |path: &str| {
        let request = http::Request::get(format!("https://a.example{path}")).body(Empty::new()).unwrap();
        sender.send_request(request)
    };
    let (whole, short, reset) = (get("/"), get("/short"), get("/reset"));
    assert_eq!(whole.await.unwrap().into_body().collect().await.unwrap().to_bytes(), "0123456789");
    assert!(short.await.unwrap().into_body().collect().await.is_err());
    assert!(reset.await.is_err());
    let mut stalled = get("/stall").await.unwrap().into_body();
    assert_eq!(stalled.frame().await.unwrap().unwrap().into_data().unwrap(), "012");
    assert!(tokio::time::timeout(PATIENCE, stalled.frame()).await.is_err(), "nothing more comes");
    let log = upstream.log();
    assert_eq!(log.len(), 4);
    assert!(log.iter().all(|seen| seen.connection == log[0].connection), "one connection for all");
    assert_eq!(upstream.n_connections(), 2, "and one over which nothing was asked");
    driver.abort();
}

type Sender = hyper::client::conn::http2::SendRequest<Empty<bytes::Bytes>>;

async fn http2(upstream: &Upstream) -> (Sender, impl Future<Output = hyper::Result<()>> + Send + 'static) {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let ca = rustls_pki_types::CertificateDer::from_pem_slice(upstream.ca_pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = tokio::net::TcpStream::connect(upstream.tls_address()).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("a.example").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let tls = connector.connect(name, tcp).await.unwrap();
    hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap()
}
