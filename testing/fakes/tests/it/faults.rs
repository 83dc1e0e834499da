//! One test per fault, over plain HTTP/1.1 where nothing hides what went over the wire.

use std::time::{Duration, Instant};

use fakes::{Answer, Fault, Upstream};

use crate::client::{End, Got, get};

const HOST: &str = "registry.example";
const BODY: &str = "{\"name\":\"left-pad\",\"n\":1}";

fn play(fault: Fault) -> Got {
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, "/p", Answer::json(BODY));
    upstream.on(HOST, "/p", fault);
    get(&upstream, HOST, "/p", &[])
}

fn half() -> &'static str {
    &BODY[..BODY.len() / 2]
}

#[test]
fn without_a_fault_the_answer_is_whole() {
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, "/p", Answer::json(BODY));
    let got = get(&upstream, HOST, "/p", &[]);
    assert_eq!((got.status(), got.text(), got.end), ("200", BODY, End::Closed));
}

#[test]
fn status_is_that_status() {
    assert_eq!(play(Fault::Status(502)).status(), "502");
}

#[test]
fn hang_never_answers() {
    let got = play(Fault::Hang);
    assert_eq!((got.head.as_str(), got.end), ("", End::TimedOut));
}

#[test]
fn reset_answers_nothing_and_resets() {
    let got = play(Fault::Reset);
    assert_eq!((got.head.as_str(), got.end), ("", End::Reset));
}

#[test]
fn a_whole_body_may_come_without_a_length() {
    let chunked = play(Fault::Chunked);
    assert_eq!(
        (chunked.header("content-length"), chunked.header("transfer-encoding")),
        (None, Some("chunked"))
    );
    assert_eq!(chunked.text(), format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len()));
    let closed = play(Fault::WithoutLength);
    assert_eq!((closed.header("content-length"), closed.header("transfer-encoding")), (None, None));
    assert_eq!((closed.text(), closed.end), (BODY, End::Closed));
}

#[test]
fn short_promises_more_than_it_sends() {
    let got = play(Fault::Short);
    assert_eq!(got.header("content-length"), Some(BODY.len().to_string().as_str()));
    assert_eq!((got.text(), got.end), (half(), End::Closed));
}

#[test]
fn a_cut_comes_where_it_was_told_and_a_client_can_go_on() {
    let upstream = Upstream::start_blocking();
    let etag = "\"1\"";
    upstream.put(HOST, "/p", Answer::json(BODY).header("etag", etag));
    let at = BODY.len() * 40 / 100;
    let check = |lines: &[&str], status: &str, body: &str| {
        let got = get(&upstream, HOST, "/p", lines);
        assert_eq!((got.status(), got.text(), got.end), (status, body, End::Closed), "{lines:?}");
    };
    upstream.on_first(1, HOST, "/p", Fault::CutAt { percent: 40 });
    check(&[], "200", &BODY[..at]);
    check(&[&format!("range: bytes={at}-"), &format!("if-range: {etag}")], "206", &BODY[at..]);
    let log = upstream.log();
    assert_eq!(log[1].headers["range"], format!("bytes={at}-").as_str());
    assert_eq!(log[1].headers["if-range"], etag);

    upstream.ignore_ranges(HOST);
    upstream.on_first(1, HOST, "/p", Fault::CutAt { percent: 0 });
    check(&[], "200", "");
    check(&[&format!("range: bytes={at}-")], "200", BODY);
}

#[test]
fn a_stall_sends_a_part_and_closes_nothing() {
    let got = play(Fault::StallAt { percent: 50 });
    assert_eq!(got.header("content-length"), Some(BODY.len().to_string().as_str()));
    assert_eq!((got.text(), got.end), (half(), End::TimedOut));
}

#[test]
fn short_without_length_looks_whole() {
    let got = play(Fault::ShortWithoutLength);
    assert_eq!((got.header("content-length"), got.header("transfer-encoding")), (None, None));
    assert_eq!((got.text(), got.end), (half(), End::Closed));
}

#[test]
fn short_chunked_has_no_last_chunk() {
    let got = play(Fault::ShortChunked);
    assert_eq!(got.header("transfer-encoding"), Some("chunked"));
    assert_eq!(got.text(), format!("{:x}\r\n{}\r\n", half().len(), half()));
}

#[test]
fn html_200_is_a_page() {
    let got = play(Fault::Html200);
    assert_eq!((got.status(), got.header("content-type")), ("200", Some("text/html")));
    assert!(got.text().contains("Welcome to our network"));
}

#[test]
fn truncated_json_is_well_framed() {
    let got = play(Fault::TruncatedJson);
    assert_eq!(got.header("content-length"), Some(half().len().to_string().as_str()));
    assert_eq!(got.text(), half());
}

#[test]
fn wrong_bytes_are_as_many() {
    let got = play(Fault::WrongBytes);
    assert_eq!(got.body.len(), BODY.len());
    assert_ne!(got.text(), BODY);
    assert_eq!(got.text()[..BODY.len() - 1], BODY[..BODY.len() - 1]);
}

#[test]
fn retry_after_says_when() {
    let got = play(Fault::RetryAfter429(7));
    assert_eq!((got.status(), got.header("retry-after")), ("429", Some("7")));
    let got = play(Fault::RetryAfter503(120));
    assert_eq!((got.status(), got.header("retry-after")), ("503", Some("120")));
}

#[test]
fn a_redirect_loop_never_leaves_and_another_never_comes_back() {
    assert_eq!(play(Fault::RedirectLoop).header("location"), Some("/p"));
    let upstream = Upstream::start_blocking();
    upstream.on(HOST, "/p*", Fault::RedirectWithoutEnd);
    let mut path = "/p".to_owned();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let got = get(&upstream, HOST, &path, &[]);
        assert_eq!(got.status(), "302");
        got.header("location").unwrap().clone_into(&mut path);
        assert!(seen.insert(path.clone()), "{path}");
    }
}

#[test]
fn a_redirect_leads_inwards() {
    for inwards in ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "https://[::1]:8443/"] {
        let got = play(Fault::RedirectTo(inwards.into()));
        assert_eq!((got.status(), got.header("location")), ("302", Some(inwards)));
    }
}

#[test]
fn older_is_the_other_answer() {
    assert_eq!(play(Fault::Older(Answer::json("{}"))).text(), "{}");
}

#[test]
fn as_of_is_what_everything_was_then() {
    let upstream = Upstream::start_blocking();
    let text = |path: &str| get(&upstream, HOST, path, &[]).text().to_owned();
    upstream.put(HOST, "/p", Answer::text("old"));
    upstream.handle(HOST, "/h/", |_| Some(Answer::text("old")));
    let then = upstream.keep();
    upstream.put(HOST, "/p", Answer::text("new"));
    upstream.handle(HOST, "/h/", |_| Some(Answer::text("new")));
    upstream.put(HOST, "/later", Answer::text("new"));
    assert_eq!(["/p", "/h/x", "/later"].map(text), ["new"; 3]);
    upstream.on(HOST, "/p", Fault::AsOf(then.clone()));
    assert_eq!(["/p", "/h/x", "/later"].map(text), ["old", "new", "new"]);
    upstream.clear_faults();
    upstream.restore(&then);
    assert_eq!(["/p", "/h/x"].map(text), ["old"; 2]);
    assert_eq!(get(&upstream, HOST, "/later", &[]).status(), "404");
}

#[test]
fn slow_first_byte_and_drip_take_their_time_and_send_all() {
    let check = |fault: Fault, at_least_ms: u64| {
        let started = Instant::now();
        let got = play(fault.clone());
        assert_eq!(got.text(), BODY, "{fault:?}");
        assert!(started.elapsed() >= Duration::from_millis(at_least_ms), "{fault:?}");
    };
    check(Fault::SlowFirstByte(Duration::from_millis(60)), 60);
    let pieces = (BODY.len() as u64).div_ceil(5);
    check(Fault::Drip { bytes: 5, every: Duration::from_millis(10) }, 10 * pieces);
}

#[test]
fn an_endless_body_goes_on_and_ends_where_it_was_told() {
    let got = play(Fault::EndlessBody { bytes: 1 << 20 });
    assert_eq!(got.header("content-length"), None);
    assert_eq!(got.body.iter().filter(|byte| **byte == b'a').count(), 1 << 20);
}

#[test]
fn an_endless_index_begins_like_one() {
    let got = play(Fault::EndlessIndex { bytes: 1 << 20 });
    assert_eq!((got.status(), got.header("content-length")), ("200", None));
    let start = format!("{:x}\r\n{}\r\n", BODY.len() - 1, &BODY[..BODY.len() - 1]);
    assert!(got.text().starts_with(&start), "{}", &got.text()[..80]);
    assert!(got.body.iter().filter(|byte| **byte == b' ').count() >= 1 << 20);
}

#[test]
fn latency_is_before_every_answer_until_it_is_nothing() {
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, "/p", Answer::json(BODY));
    let took = |path: &str| {
        let started = Instant::now();
        get(&upstream, HOST, path, &[]);
        started.elapsed()
    };
    let latency = Duration::from_millis(150);
    upstream.set_latency(latency);
    assert!(took("/p") >= latency && took("/missing") >= latency);
    upstream.set_latency(Duration::ZERO);
    assert!(took("/p") < latency);
}

#[test]
fn a_counted_fault_ends_and_a_cleared_one_too() {
    let upstream = Upstream::start_blocking();
    upstream.put(HOST, "/p", Answer::json(BODY));
    let status = || get(&upstream, HOST, "/p", &[]).status().to_owned();
    upstream.on_first(2, HOST, "/p*", Fault::Status(503));
    assert_eq!([status(), status(), status()], ["503", "503", "200"]);
    upstream.on("*", "*", Fault::Status(500));
    assert_eq!(status(), "500");
    upstream.clear_faults();
    assert_eq!(status(), "200");
}
