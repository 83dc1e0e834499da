//! What is refused, and that it is reported with what a person needs.

use std::time::Duration;

use intercept::{Authority, Limits, RefusedWhy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::room::{Room, now};

/// Short enough for a test, long enough for a busy machine to send what it wants to send.
const SHORT: Limits = Limits {
    first_bytes: Duration::from_millis(300),
    handshake: Duration::from_millis(300),
    header: Duration::from_millis(300),
    header_bytes: 16 * 1024,
};

/// Sends bytes, reads until the room closes, and returns answer and reason.
async fn send(room: &Room, bytes: &[u8]) -> (String, Option<RefusedWhy>) {
    let before = room.refused().len();
    let mut stream = room.connect().await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    let _ = stream.read_to_end(&mut answer).await;
    room.ended(1).await;
    let why = room.refused().get(before).map(|(_, why)| why.clone());
    (String::from_utf8_lossy(&answer).into_owned(), why)
}

#[tokio::test]
async fn an_unknown_protocol_is_refused_and_reported() {
    let room = Room::with(None, Some("git.test"), Limits::default()).await;
    for bytes in [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"\0\0\0\x01", b"*1\r\n$4\r\nPING\r\n", b"GET\0/"] {
        let (answer, why) = send(&room, bytes).await;
        assert_eq!(
            (answer.as_str(), why),
            ("", Some(RefusedWhy::UnknownProtocol)),
            "{}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(room.refused()[0].0.host(), "git.test");
    assert_eq!(room.refused()[0].0.address, room.address);
}

#[tokio::test]
async fn a_client_that_says_nothing_is_refused_in_time_and_one_that_closes_is_not() {
    let room = Room::with(None, None, SHORT).await;
    assert_eq!(send(&room, b"").await.1, Some(RefusedWhy::Silent));
    assert_eq!(send(&room, b"GE").await.1, Some(RefusedWhy::Silent));
    drop(room.connect().await);
    room.ended(1).await;
    assert_eq!(room.refused().len(), 2, "nothing was asked");
}

#[tokio::test]
async fn a_slow_client_is_bounded_at_every_step() {
    let room = Room::with(None, None, SHORT).await;
    assert_eq!(send(&room, b"GET / HTTP/1.1\r\nhost: a").await.1, Some(RefusedWhy::HeaderSlow));
    assert_eq!(send(&room, b"\x16\x03\x01\x02\x00\x01").await.1, Some(RefusedWhy::HandshakeSlow));
    assert_eq!(send(&room, b"PRI * HTTP/2.0\r\n").await.1, Some(RefusedWhy::HeaderSlow));
    assert_eq!(send(&room, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.1, Some(RefusedWhy::HeaderSlow));

    let mut stream = room.tls("a.test", &[room.authority.root_der()], &[]).await.unwrap();
    stream.write_all(b"GET / HT").await.unwrap();
    room.ended(1).await;
    let (connection, why) = room.refused().pop().unwrap();
    assert_eq!((connection.server_name.as_deref(), why), (Some("a.test"), RefusedWhy::HeaderSlow));
}

#[tokio::test]
async fn a_kept_connection_that_lies_idle_is_closed_without_a_report() {
    let room = Room::with(None, None, SHORT).await;
    let (answer, why) = send(&room, b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await;
    assert!(answer.ends_with("a.test /\n"), "{answer}");
    assert_eq!(why, None);
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_room_is_reported_by_name() {
    let room = Room::open().await;
    let stranger = Authority::new(now(), "someone else", None).unwrap();
    room.tls("registry.test", &[stranger.root_der()], &["h2"]).await.unwrap_err();
    room.ended(1).await;
    let (connection, why) = room.refused().pop().unwrap();
    assert_eq!(connection.host(), "registry.test");
    assert_eq!(why, RefusedWhy::NotTrusted { alert: "UnknownCA".to_owned() });
    assert_eq!(room.seen(), []);
}

#[tokio::test]
async fn a_client_that_judges_the_certificate_after_the_handshake_is_reported_too() {
    let room = Room::open().await;
    for alpn in ["http/1.1", "h2"] {
        let mut stream = room.tls("registry.test", &[room.authority.root_der()], &[alpn]).await.unwrap();
        stream.shutdown().await.unwrap();
        drop(stream);
        room.ended(1).await;
        let (connection, why) = room.refused().pop().unwrap();
        assert_eq!((connection.host().as_str(), why), ("registry.test", RefusedWhy::NothingAsked), "{alpn}");
    }
}

#[tokio::test]
async fn a_tunnel_is_refused_with_a_hint() {
    let room = Room::open().await;
    let (answer, why) =
        send(&room, b"CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 501") && answer.contains("hint"), "{answer}");
    assert_eq!(why, Some(RefusedWhy::Tunnel));
    assert_eq!(room.seen(), []);
}

#[tokio::test]
async fn a_request_with_two_hosts_or_none_that_is_one_is_refused() {
    let room = Room::open().await;
    for hosts in ["host: a.test\r\nhost: b.test\r\n", "host: a.test/x\r\n", "host: me@a.test\r\n"] {
        let request = format!("GET / HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
        let (answer, why) = send(&room, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(matches!(why, Some(RefusedWhy::Malformed { .. })), "{why:?}");
    }
    assert_eq!(room.seen(), []);
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let room = Room::with(None, None, Limits { header_bytes: 16 * 1024, ..Limits::default() }).await;
    let request = format!("GET / HTTP/1.1\r\nhost: a.test\r\nx: {}", "a".repeat(64 * 1024));
    let (_, why) = send(&room, request.as_bytes()).await;
    assert!(matches!(why, Some(RefusedWhy::Malformed { .. })), "{why:?}");
}

#[tokio::test]
async fn nothing_a_client_sends_brings_the_room_down() {
    let seed: u64 = 20_261_124;
    let mut random = fastrand::Rng::with_seed(seed);
    let room = Room::with(None, None, SHORT).await;
    let samples = [
        b"GET /a HTTP/1.1\r\nhost: a.test\r\ncontent-length: 3\r\n\r\nabc".to_vec(),
        b"POST /a HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            .to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x82".to_vec(),
        b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\0\x02\x13\x01\x01\0"
            .to_vec(),
    ];
    let n: u32 = 200;
    for _ in 0..n {
        let mut bytes = samples[random.usize(..samples.len())].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(1..=bytes.len()));
        let mut stream = room.connect().await;
        stream.write_all(&bytes).await.unwrap();
        let _ = stream.shutdown().await;
    }
    room.ended(n).await;
    let (answer, _) = send(&room, b"GET /alive HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("a.test /alive\n"), "seed {seed}: {answer}");
}
