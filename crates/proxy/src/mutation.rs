//! The one entry for hostile bytes: every parser of this crate, none of which may panic.

use fakes::damage::survives;
use http::{HeaderMap, HeaderValue, Method, header};
use model::Timestamp;

use crate::ask::{Manner, insists};
use crate::range::{Range, of_nothing, of_part};
use crate::via::standing::{leads_outwards, standing};
use crate::who::Who;
use crate::{body, headers};

/// Every header of a client or an upstream that is read here.
const READ: [&str; 10] = [
    "range",
    "outlast-state",
    "age",
    "location",
    "link",
    "etag",
    "if-none-match",
    "accept-encoding",
    "cache-control",
    "set-cookie",
];

/// Feeds bytes to every parser: as a range, as the name of an answer, and as the value of each header.
fn no_panic(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for size in [0, 1, 10, u64::MAX] {
        if let Some((start, end)) = Range::parse(&text).and_then(|range| range.within(size)) {
            assert!(start < end && end <= size, "{text} of {size}");
            of_part(start, end, size);
        } else {
            drop((of_nothing(size), body::unsatisfiable(size)));
        }
    }
    for variant in ["", "as sent"] {
        Who::of(variant, &text);
    }
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let all: HeaderMap =
        READ.iter().map(|name| (header::HeaderName::from_static(name), value.clone())).collect();
    let _ = (leads_outwards(&all), standing(&all, Timestamp::UNIX_EPOCH), insists(&all));
    Manner::of(&Method::GET, &all).has_it(&all);
    let saved = headers::to_save(&all);
    drop((headers::from_saved(&saved), headers::challenges(&all), headers::end_to_end(&all)));
}

#[test]
fn no_damage_makes_a_parser_panic() {
    let documents: [(&str, &[u8]); 8] = [
        ("range", b"bytes=2-18446744073709551615"),
        ("last", b"bytes=-3"),
        ("state", b"gone; since=2026-05-21T09:00:00Z; reason=x"),
        ("age", b"99999999999999999999"),
        ("link", b"<https://u:p@a.example/?token=x>; rel=\"next\", </b?sig=y>; rel=last"),
        ("tags", b"W/\"a\", \"b\""),
        ("variant", b"as sent, credentials 0123456789abcdef"),
        ("encoding", b"gzip;q=0.5, br;q=0, *"),
    ];
    survives(&documents, no_panic);
}
