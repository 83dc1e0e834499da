//! How an answer of another Outlast stands, and where it may lead.

use std::time::Duration;

use http::{HeaderMap, header};
use model::{Freshness, ObjectUrl, Timestamp};

use crate::upstream::Standing;

/// Returns whether a redirect leads to a name of the world, and to no address inside.
pub(crate) fn leads_outwards(headers: &HeaderMap) -> bool {
    let location = headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
    let is_path = |location: &str| location.starts_with('/') && !location.starts_with("//");
    let is_name = |url: ObjectUrl| {
        url.scheme() == "https"
            && url.host().contains('.')
            && !url.host().ends_with(|c: char| c.is_ascii_digit() || c == ']')
    };
    location.is_some_and(|location| is_path(location) || ObjectUrl::parse(location).is_ok_and(is_name))
}

/// Reads how an answer stands: `fresh`, or `stale; since=…; reason=…`, and how long ago the upstream confirmed it.
pub(crate) fn standing(headers: &HeaderMap, now: Timestamp) -> Option<Standing> {
    let state = headers.get("outlast-state")?.to_str().ok()?;
    let mut parts = state.split(';').map(str::trim);
    let freshness = match parts.next()? {
        "fresh" => Freshness::Fresh,
        "stale" => Freshness::Stale,
        "gone" => Freshness::Gone,
        _ => return None,
    };
    let since = parts.find_map(|part| part.strip_prefix("since=")?.parse::<Timestamp>().ok());
    let age = headers.get(header::AGE).and_then(|age| age.to_str().ok()?.parse::<u64>().ok());
    let confirmed_at = now.checked_sub(Duration::from_secs(age.unwrap_or(0))).unwrap_or(now);
    let gone_since = since.filter(|_| freshness == Freshness::Gone);
    Some(Standing { freshness, confirmed_at, gone_since })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_an_answer_stands_is_read_from_its_headers() {
        let now: Timestamp = "2026-05-21T10:00:00Z".parse().unwrap();
        let read = |state: Option<&str>, age: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("age", age.parse().unwrap());
            if let Some(state) = state {
                headers.insert("outlast-state", state.parse().unwrap());
            }
            standing(&headers, now)
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let fresh = read(Some("fresh"), "0").unwrap();
        assert_eq!((fresh.freshness, fresh.confirmed_at, fresh.gone_since), (Freshness::Fresh, now, None));
        let stale = read(Some("stale; since=2026-05-21T09:00:00Z; reason=x"), "7200").unwrap();
        assert_eq!((stale.freshness, stale.confirmed_at), (Freshness::Stale, at("2026-05-21T08:00:00Z")));
        let gone = read(Some("gone; since=2026-05-21T09:00:00Z; reason=x"), "1").unwrap();
        assert_eq!(gone.gone_since, Some(at("2026-05-21T09:00:00Z")));
        assert!(read(None, "0").is_none() && read(Some("well"), "0").is_none());
        assert_eq!(read(Some("fresh"), "99999999999999999999").unwrap().confirmed_at, now);
    }

    #[test]
    fn a_redirect_inwards_is_none() {
        let check = |location: &str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::LOCATION, location.parse().unwrap())]);
            assert_eq!(leads_outwards(&headers), expected, "{location}");
        };
        for location in ["/other", "https://a.example/x", "https://a.example:8443/x?y"] {
            check(location, true);
        }
        for location in [
            "http://a.example/",
            "//a.example/x",
            "https://127.0.0.1:18090/secret",
            "https://169.254.169.254/",
            "https://2130706433/",
            "https://[::1]/",
            "https://localhost/",
            "other",
            "",
        ] {
            check(location, false);
        }
        assert!(!leads_outwards(&HeaderMap::new()));
    }
}
