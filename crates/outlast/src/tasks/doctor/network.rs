//! The hosts that the configuration names, and the team's server: whether they are reached, how long their certificates are
//! good, and what time it is there.

use std::collections::BTreeMap;
use std::time::Duration;

use drill::State;
use host::http::{Client, FetchError, Method, StatusCode, header};
use http::{HeaderMap, HeaderValue};
use hyper::body::Bytes;
use model::{Event, ObjectUrl, SafeUrl, Secret, Timestamp};
use proxy::TeamServer;
use store::Store;

use super::{Chart, machine};
use crate::failure::Failure;
use crate::home::Home;
use crate::wiring;

/// How long one host may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A certificate that ends sooner should have been renewed: most are, a month before.
const GOOD_FOR_MIN: Duration = Duration::from_secs(14 * 86_400);

/// What a host was asked, and for what reason.
#[derive(Debug)]
struct Visit {
    url: ObjectUrl,
    what: &'static str,
    /// What to do where it cannot be used.
    mend: String,
    authorization: Option<Secret<HeaderValue>>,
}

/// Looks at every host that is named, all at once.
pub(super) async fn hosts(
    chart: &mut Chart,
    home: &Home,
    store: &Store,
    server: Option<&TeamServer>,
) -> Result<(), Failure> {
    let place = server.and_then(|server| ObjectUrl::parse(server.site.base()).ok());
    let client = wiring::client(home, &wiring::trust()?, place)?;
    let visits = visits(home, store, server)?;
    let n_visits = visits.len();
    let now = home.clock.now();
    let asked = futures_util::future::join_all(visits.into_iter().map(|visit| async {
        let answer = tokio::time::timeout(PATIENCE, ask(&client, &visit)).await;
        (visit, answer)
    }));
    let mut times = Vec::new();
    for (visit, answer) in asked.await {
        let subject = visit.url.host().to_owned();
        match answer {
            Err(_) => {
                let detail = format!("{} did not answer within {} s", visit.what, PATIENCE.as_secs());
                chart.find(State::Unknown, "not_reached", subject, detail, visit.mend);
            }
            Ok(Err(error @ FetchError::Tls { .. })) => {
                let detail = format!("{} cannot be used: {}", visit.what, in_words(&error));
                chart.find(State::Lost, "certificate", subject, detail, visit.mend);
            }
            Ok(Err(error)) => {
                let detail = format!("{} was not reached: {}", visit.what, in_words(&error));
                chart.find(State::Unknown, "not_reached", subject, detail, visit.mend);
            }
            Ok(Ok(answer)) => {
                times.extend(answer.time);
                told(chart, &visit, &answer, now);
            }
        }
    }
    compare(chart, &times, now);
    chart.look_at(format!("hosts ({n_visits})"));
    Ok(())
}

/// What a host said.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    certificate_end: Option<Timestamp>,
    time: Option<Timestamp>,
}

async fn ask(client: &Client, visit: &Visit) -> Result<Answer, FetchError> {
    let certificate_end = client.certificate_end(&visit.url).await?;
    let mut headers = HeaderMap::new();
    headers.extend(visit.authorization.as_ref().map(|value| (header::AUTHORIZATION, value.expose().clone())));
    let url = SafeUrl::from(visit.url.clone());
    let request = host::http::request(Method::HEAD, &url, headers, host::http::whole(Bytes::new()))?;
    let response = client.send_for_command(request).await?;
    let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    let time = date.and_then(http_date);
    Ok(Answer { status: response.status(), certificate_end, time })
}

/// Reads a date as HTTP has it (RFC 9110 §5.6.7), `Tue, 24 Nov 2026 10:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp())
}

fn told(chart: &mut Chart, visit: &Visit, answer: &Answer, now: Timestamp) {
    let subject = visit.url.host();
    let left = answer.certificate_end.map(|end| (end, end.duration_since(now)));
    if let Some((end, _)) = left.filter(|(_, left)| *left < GOOD_FOR_MIN.try_into().unwrap_or_default()) {
        let detail = format!("the certificate of {} ends on {}", visit.what, end.strftime("%Y-%m-%d"));
        chart.find(State::Claimed, "certificate", subject, detail, "renew it, or ask whoever runs that host");
    }
    if visit.authorization.is_some() || visit.what == SERVER {
        match answer.status {
            StatusCode::UNAUTHORIZED => {
                let detail = "the team's server does not take the token in OUTLAST_TOKEN, or wants one";
                let mend =
                    "ask whoever runs it: outlast token add NAME --scope read; then export OUTLAST_TOKEN=…";
                chart.find(State::Lost, "server_token", subject, detail, mend);
            }
            status if !status.is_success() => {
                let detail = format!("the team's server answers with status {}", status.as_u16());
                chart.find(State::Unknown, "not_reached", subject, detail, visit.mend.clone());
            }
            _ => {}
        }
    }
}

/// Compares this machine's clock with the hosts': where most of them agree with each other and not with it, it is wrong.
fn compare(chart: &mut Chart, times: &[Timestamp], now: Timestamp) {
    let subject = "this machine's clock";
    let mut off: Vec<i64> = times.iter().map(|time| time.duration_since(now).as_secs()).collect();
    off.sort_unstable();
    let Some(median) = off.get(off.len() / 2) else {
        let detail = "no host could be asked what time it is";
        chart.find(
            State::Unknown,
            "clock",
            subject,
            detail,
            "name a host as [[upstream]] in outlast.toml, or a server with --via",
        );
        return;
    };
    if median.unsigned_abs() > machine::CLOCK_MAX.as_secs() {
        let way = if *median > 0 { "behind" } else { "ahead of" };
        let detail = format!(
            "it is {} s {way} the hosts': certificates and evidence depend on it",
            median.unsigned_abs()
        );
        chart.find(State::Lost, "clock", subject, detail, "set it: timedatectl set-ntp true");
    }
}

const SERVER: &str = "the team's server";
/// How far back a host is looked for that may say what time it is.
const N_ENTRIES_LATELY: u64 = 500;

/// Returns whom to visit: what the configuration names, the team's server, and one host of the newest run, for the time.
fn visits(home: &Home, store: &Store, server: Option<&TeamServer>) -> Result<Vec<Visit>, Failure> {
    let mut visits: BTreeMap<String, Visit> = BTreeMap::new();
    let mut add = |url: &str, what: &'static str, mend: &str, authorization: Option<Secret<HeaderValue>>| {
        if let Ok(url) = ObjectUrl::parse(url) {
            visits.entry(url.host().to_owned()).or_insert(Visit {
                url,
                what,
                mend: mend.to_owned(),
                authorization,
            });
        }
    };
    if let Some(server) = server {
        let page = format!("{}/metrics", server.site.base());
        add(
            &page,
            SERVER,
            "look at the machine that runs `outlast serve`; without it rooms ask the hosts themselves",
            server.authorization.clone(),
        );
    }
    if let Some(url) = &home.config.serve.url {
        let mend = "look at what stands in front of the server, and at `url` under [serve] in outlast.toml";
        add(&format!("{}/healthz", url.as_str().trim_end_matches('/')), "this home's own server", mend, None);
    }
    for upstream in &home.config.upstreams {
        let mend = "look at its [[upstream]] in outlast.toml: `connect`, `ca_file`, `url`";
        add(&format!("https://{}/", upstream.host), "a host of the configuration", mend, None);
    }
    if let Some(host) = a_host(store)? {
        let mend = "run it again when the host answers";
        add(&format!("https://{host}/"), "a host of which copies are kept", mend, None);
    }
    Ok(visits.into_values().collect())
}

/// Returns a host of which something was kept lately.
fn a_host(store: &Store) -> Result<Option<String>, Failure> {
    let newest = store.newest()?.map_or(0, |entry| entry.seq);
    let lately = store.events_since(newest.saturating_sub(N_ENTRIES_LATELY), usize::MAX)?;
    let mut hosts = lately.into_iter().rev().filter_map(|entry| match entry.event {
        Event::Kept { key, .. } | Event::Confirmed { key, .. } => Some(key.url.host().to_owned()),
        _ => None,
    });
    Ok(hosts.next())
}

/// Returns an error with its causes in one line.
fn in_words(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
