//! Which headers travel in which direction.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use model::{SafeUrl, SavedHeader};

use crate::limits::{HEADER_BYTES_MAX, N_BESIDE_MAX};
use crate::via::AS_SENT;

/// Is kept with a document whose date was made here, because its upstream gave none.
pub(crate) const DATED: &str = "outlast-dated";

/// What says who asks: answers to it are kept apart, and another host must not hear it.
pub(crate) const CREDENTIALS: [HeaderName; 10] = [
    header::AUTHORIZATION,
    header::COOKIE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("private-token"),
    HeaderName::from_static("job-token"),
    HeaderName::from_static("deploy-token"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-auth-token"),
    HeaderName::from_static("x-jfrog-art-api"),
];

/// Headers of one connection, not of the message (RFC 9110 §7.6.1).
const OF_THE_CONNECTION: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers of a request that would make the upstream send less than the whole answer.
const NARROWING: [HeaderName; 7] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::ACCEPT_ENCODING,
];

/// Response headers that are kept with an object: what clients act on, nothing that names a person or a session.
const SAVED: [&str; 13] = [
    "content-type",
    "content-encoding",
    "content-disposition",
    "content-language",
    "etag",
    "last-modified",
    "location",
    "cache-control",
    "link",
    "vary",
    "retry-after",
    "x-pypi-last-serial",
    "npm-notice",
];

/// Returns the request's headers as they are sent upstream when the whole answer is wanted.
pub(crate) fn for_whole(headers: &HeaderMap) -> HeaderMap {
    let mut sent = for_live(headers);
    for name in NARROWING {
        sent.remove(name);
    }
    sent
}

/// Returns the request's headers as they are sent upstream when the answer is only passed on.
pub(crate) fn for_live(headers: &HeaderMap) -> HeaderMap {
    let mut sent = end_to_end(headers);
    // For the server that was asked, and nobody behind it.
    sent.remove(AS_SENT);
    // hyper writes the upstream's own.
    sent.remove(header::HOST);
    sent.remove(header::CONTENT_LENGTH);
    sent
}

/// Returns a message's headers without those of its connection.
pub(crate) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for value in headers.get_all(header::CONNECTION) {
        for name in value.to_str().unwrap_or_default().split(',') {
            kept.remove(name.trim());
        }
    }
    for name in OF_THE_CONNECTION {
        kept.remove(name);
    }
    kept
}

/// Headers of an answer that Outlast writes itself, or that speak about the connection to the upstream rather than the answer.
const OWN: [&str; 9] = [
    "accept-ranges",
    "age",
    "alt-svc",
    "content-length",
    "content-range",
    "date",
    "outlast-state",
    "server-timing",
    "strict-transport-security",
];

/// Returns what an answer has beside what is kept of it: cookies, challenges, whatever a server writes of its own. It is for
/// whoever waits for the answer, and never written down.
pub(crate) fn beside(headers: &HeaderMap) -> HeaderMap {
    let mut all = end_to_end(headers);
    let has_secret = |value: &HeaderValue| value.to_str().is_ok_and(|text| shown_links(text) != text);
    let are_links_secret = all.get_all(header::LINK).iter().any(has_secret);
    for name in SAVED.iter().chain(&OWN).filter(|name| **name != "link" || !are_links_secret) {
        all.remove(*name);
    }
    let mut n_bytes = 0;
    let mut beside = HeaderMap::new();
    for (name, value) in &all {
        n_bytes += name.as_str().len() + value.len();
        if n_bytes > HEADER_BYTES_MAX || beside.len() == N_BESIDE_MAX {
            break;
        }
        beside.append(name, value.clone());
    }
    beside
}

/// Returns the challenges that a client can answer at any time. Those of other schemes hold for one connection, or carry what a
/// server drew for this one answer.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<SavedHeader> {
    let is_simple = |text: &&str| {
        let scheme = text.split_ascii_whitespace().next().unwrap_or_default();
        text.len() <= HEADER_BYTES_MAX && ["basic", "bearer"].iter().any(|it| scheme.eq_ignore_ascii_case(it))
    };
    let name = header::WWW_AUTHENTICATE;
    let all = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
    all.filter(is_simple).map(|text| SavedHeader(name.to_string(), text.to_owned())).collect()
}

/// Returns the headers that are kept with an object.
pub(crate) fn to_save(headers: &HeaderMap) -> Vec<SavedHeader> {
    let mut n_bytes = 0;
    let mut saved = Vec::new();
    for name in SAVED {
        for value in headers.get_all(name) {
            let Ok(text) = value.to_str() else { continue };
            n_bytes += name.len() + text.len();
            if n_bytes > HEADER_BYTES_MAX {
                return saved;
            }
            saved.push(SavedHeader(name.to_owned(), text.to_owned()));
        }
    }
    saved
}

/// Returns a `Link` header (RFC 8288) whose targets are written as objects are named: without credentials.
fn shown_links(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, (target, after))) =
        rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
    {
        shown.extend([before, "<", &shown_target(target), ">"]);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn shown_target(target: &str) -> String {
    let differs = |url: &SafeUrl| url.expose() != url.object().as_str();
    if let Ok(url) = SafeUrl::parse(target) {
        return if differs(&url) { url.object().to_string() } else { target.to_owned() };
    }
    // A relative one has its secrets in the query.
    let Some((path, query)) = target.split_once('?') else { return target.to_owned() };
    match SafeUrl::parse(&format!("https://relative.invalid/?{query}")) {
        Ok(url) if differs(&url) => format!("{path}{}", &url.object().path_and_query()[1..]),
        _ => target.to_owned(),
    }
}

/// Returns saved headers for an answer.
pub(crate) fn from_saved(saved: &[SavedHeader]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for SavedHeader(name, value) in saved {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
        {
            headers.append(name, value);
        }
    }
    headers
}

/// Hides what must not be written down in what is kept with an object.
pub(crate) fn hide_secrets(saved: &mut [SavedHeader]) {
    for SavedHeader(name, value) in saved {
        match name.as_str() {
            "link" => *value = shown_links(value),
            "location" => *value = shown_target(value),
            _ => {}
        }
    }
}

/// Returns one saved header.
pub(crate) fn saved<'a>(saved: &'a [SavedHeader], name: &str) -> Option<&'a str> {
    saved.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_kept_without_their_secrets() {
        let link = |target: &str| format!("<{target}>; rel=\"next\", </first?page=1>; rel=first");
        let check = |target: &str, expected: &str| {
            let mut saved = [SavedHeader("link".to_owned(), link(target))];
            hide_secrets(&mut saved);
            assert_eq!(saved[0].1, link(expected));
            let live = HeaderMap::from_iter([(header::LINK, link(target).parse().unwrap())]);
            assert_eq!(beside(&live).contains_key("link"), target != expected, "who waits gets it as it is");
        };
        check("https://a.example/x?page=2", "https://a.example/x?page=2");
        check("https://a.example/x?page=2&private_token=S", "https://a.example/x?page=2");
        check("https://me:S@a.example/x", "https://a.example/x");
        check("/x?page=2", "/x?page=2");
        check("x?private_token=S&page=2", "x?page=2");
        check("?private_token=S", "");
    }

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
            .collect()
    }

    #[test]
    fn the_whole_answer_is_asked_for() {
        let headers = map(&[
            ("range", "bytes=0-1"),
            ("if-none-match", "x"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("authorization", "Bearer t"),
            ("host", "h"),
            ("accept", "a"),
        ]);
        assert_eq!(for_whole(&headers), map(&[("authorization", "Bearer t"), ("accept", "a")]));
    }

    #[test]
    fn what_is_not_saved_is_for_whoever_waits() {
        let headers = map(&[
            ("set-cookie", "s=1"),
            ("etag", "e"),
            ("www-authenticate", "Basic"),
            ("content-length", "3"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("alt-svc", "h3"),
        ]);
        assert_eq!(beside(&headers), map(&[("set-cookie", "s=1"), ("www-authenticate", "Basic")]));
    }

    #[test]
    fn what_names_a_person_is_not_saved() {
        let headers = map(&[
            ("set-cookie", "s=1"),
            ("etag", "\"e\""),
            ("www-authenticate", "Basic"),
            ("x-amz-id", "1"),
        ]);
        assert_eq!(to_save(&headers), [SavedHeader("etag".to_owned(), "\"e\"".to_owned())]);
    }
}
