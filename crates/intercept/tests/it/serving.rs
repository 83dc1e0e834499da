//! Requests that arrive: HTTP/1 and HTTP/2, plain and over TLS.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use intercept::Limits;
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::room::{Room, client};

async fn exchange(room: &Room, text: &str) -> String {
    let mut stream = room.connect().await;
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_plain_request_is_answered_although_the_client_closed_its_half() {
    let room = Room::open().await;
    let answer = exchange(&room, "GET /a HTTP/1.1\r\nhost: Example.test\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("example.test /a\n"), "{answer}");
    let seen = room.seen();
    assert_eq!((seen[0].origin.scheme, seen[0].origin.port), ("http", room.address.port()));
    room.ended(1).await;
    assert_eq!(room.refused(), []);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let room = Room::open().await;
    let request =
        "GET /a HTTP/1.1\r\nhost: a.test\r\n\r\nGET http://b.test/b HTTP/1.1\r\nhost: a.test\r\n\r\n";
    let answer = exchange(&room, request).await;
    assert!(answer.contains("a.test /a\n") && answer.ends_with("b.test /b\n"), "{answer}");
    let old = exchange(&room, "GET /c HTTP/1.0\r\n\r\n").await;
    assert!(old.ends_with("127.0.0.1 /c\n"), "{old}");
}

#[tokio::test]
async fn http_1_and_2_are_served_over_tls() {
    let room = Room::open().await;
    let roots = [room.authority.root_der()];

    let stream = room.tls("registry.test", &roots, &["http/1.1"]).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("/one")
        .header("host", "registry.test")
        .body(Full::<Bytes>::from("hello"))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "registry.test /one\n");

    let stream = room.tls("registry.test", &roots, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = |path: &str| {
        http::Request::get(format!("https://registry.test{path}")).body(Full::<Bytes>::default()).unwrap()
    };
    let (two, three) =
        tokio::join!(sender.clone().send_request(request("/two")), sender.send_request(request("/three")));
    assert!(two.unwrap().status().is_success() && three.unwrap().status().is_success());

    let seen = room.seen();
    assert_eq!((seen[0].method.as_str(), &seen[0].body[..]), ("POST", &b"hello"[..]));
    assert_eq!((seen[0].version, seen[1].version), (http::Version::HTTP_11, http::Version::HTTP_2));
    for one in &seen {
        let origin = &one.origin;
        assert_eq!((origin.scheme, origin.host.as_str()), ("https", "registry.test"));
        assert_eq!((origin.port, origin.address), (room.address.port(), room.address));
    }
    assert_eq!(room.authority.n_leaves(), 1, "one name, one certificate");
}

#[tokio::test]
async fn a_client_resumes_its_session_with_the_same_name_only() {
    let room = Room::open().await;
    let client = client(&[room.authority.root_der()], &[]);
    for (name, expected) in
        [("a.test", HandshakeKind::Full), ("a.test", HandshakeKind::Resumed), ("b.test", HandshakeKind::Full)]
    {
        let mut stream = room.tls_with(&client, name).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected), "{name}");
        let request = format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with(&format!("{name} /\n")), "{answer}");
    }
    assert_eq!(room.authority.n_leaves(), 2);
}

#[tokio::test]
async fn a_client_that_names_nobody_gets_a_certificate_for_the_address_or_the_name_looked_up() {
    let room = Room::open().await;
    // rustls sends no name for an address.
    room.tls("127.0.0.1", &[room.authority.root_der()], &[]).await.unwrap();
    let wrong = room.tls("127.0.0.2", &[room.authority.root_der()], &[]).await;
    assert!(wrong.is_err(), "the certificate is for the address connected to, and for no other");

    let named = Room::with(None, Some("looked-up.test"), Limits::default()).await;
    let error = named.tls("127.0.0.1", &[named.authority.root_der()], &[]).await.unwrap_err();
    assert!(error.to_string().contains("looked-up.test"), "{error}");
}

#[tokio::test]
async fn names_outside_the_constraints_are_not_accepted() {
    let permitted = ["a.test".to_owned(), "127.0.0.1".to_owned()];
    let room = Room::with(Some(&permitted), None, Limits::default()).await;
    let roots = [room.authority.root_der()];
    for name in ["a.test", "www.a.test", "127.0.0.1"] {
        room.tls(name, &roots, &[]).await.unwrap();
    }
    for name in ["b.test", "xa.test"] {
        let error = room.tls(name, &roots, &[]).await.unwrap_err();
        assert!(error.to_string().contains("NameConstraint"), "{name}: {error}");
    }
}
