//! The clients of the load see what is wrong: the control of a test that wants to see nothing.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use fakes::{Answer, Upstream};

use super::clients::{Address, Client, lock};
use super::goods::{Good, Right, Seen};

const HOST: &str = "127.0.0.1";

/// Returns what a client complains about that is answered this.
fn complaints(right: Right, seen: Seen, range: Option<(usize, usize)>, answer: Answer) -> Vec<String> {
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, "/x", answer);
    let address = Address::default();
    lock(&address.base).clone_from(&format!("http://{}", upstream.plain_address()));
    let good = Good { path: "/x".to_owned(), right, seen: Mutex::new(seen) };
    let mut client = Client::new(&address);
    client.ask(&good, range);
    client.tally.wrong
}

#[test]
fn what_is_wrong_or_lost_is_seen() {
    let file = || Right::File(b"right".to_vec());
    let index = || {
        let editions = vec!["first".to_owned(), "second".to_owned(), "third".to_owned()];
        Right::Index { editions, n_published: AtomicUsize::new(2) }
    };
    let held = || Seen { held_since: Some(Instant::now()), newest: Some((1, Instant::now())) };
    let check = |right: Right, seen: Seen, range, answer: Answer, expected: &str| {
        let found = complaints(right, seen, range, answer);
        assert_eq!(found.is_empty(), expected.is_empty(), "{found:?}");
        assert!(found.iter().all(|text| text.contains(expected)), "{found:?}");
    };
    check(file(), Seen::default(), None, Answer::file("right"), "");
    check(file(), Seen::default(), None, Answer::file("wrong"), "wrong bytes");
    check(file(), Seen::default(), None, Answer::file("righ"), "wrong bytes");
    check(file(), Seen::default(), Some((1, 2)), Answer::file("right"), "");
    check(file(), Seen::default(), Some((1, 2)), Answer::file("wrong"), "wrong bytes");
    check(file(), Seen::default(), None, Answer::status(503), "");
    check(file(), held(), None, Answer::status(503), "lost");
    check(file(), Seen::default(), None, Answer::status(404), "status 404");
    check(file(), Seen::default(), None, Answer::status(502), "status 502");
    check(index(), Seen::default(), None, Answer::text("first"), "");
    check(index(), Seen::default(), None, Answer::text("third"), "wrong bytes");
    check(index(), held(), None, Answer::text("second"), "");
    check(index(), held(), None, Answer::text("first"), "edition 0 after");
    // What was told after the last moment that is known to be kept may be lost, and nothing else.
    let before = Instant::now();
    let mut seen = held();
    seen.forget(before);
    check(file(), seen, None, Answer::status(503), "");
    let mut seen = held();
    seen.forget(Instant::now() + std::time::Duration::from_secs(1));
    check(file(), seen, None, Answer::status(503), "lost");
}
