//! What the server counts, in the text format of Prometheus (version 0.0.4).

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Response, StatusCode};

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Requests by the first digit of their status, 1xx first.
    by_class: [AtomicU64; 5],
    /// Answers that are not what the upstream says now: stale, gone.
    by_state: [AtomicU64; 2],
    pub(crate) n_connections: AtomicU64,
    pub(crate) n_connections_now: AtomicU64,
    /// Tunnels of the forward proxy.
    pub(crate) n_tunnels: AtomicU64,
    pub(crate) n_refused: AtomicU64,
    /// Requests that came too fast, connections that were too many.
    pub(crate) n_turned_away: AtomicU64,
    pub(crate) n_bytes: AtomicU64,
}

/// The states of [`Metrics::by_state`], as `Outlast-State` begins.
const STATES: [&str; 2] = ["stale", "gone"];

impl Metrics {
    /// Counts an answer.
    pub(crate) fn count<B>(&self, response: &Response<B>) {
        let state = response.headers().get("outlast-state").and_then(|state| state.to_str().ok());
        self.count_as(response.status(), state);
    }

    fn count_as(&self, status: StatusCode, state: Option<&str>) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.by_class[class].fetch_add(1, Ordering::Relaxed);
        let known = STATES.iter().position(|known| state.is_some_and(|state| state.starts_with(known)));
        if let Some(index) = known {
            self.by_state[index].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns all counters as text.
    pub(crate) fn text(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, values: &[(String, u64)]| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP outlast_{name} {help}\n# TYPE outlast_{name} {kind}");
            for (labels, value) in values {
                let _ = writeln!(text, "outlast_{name}{labels} {value}");
            }
        };
        let plain = |counter: &AtomicU64| [(String::new(), get(counter))];
        let requests: Vec<_> = (1..)
            .zip(&self.by_class)
            .map(|(class, counter)| (format!("{{status=\"{class}xx\"}}"), get(counter)))
            .collect();
        family("http_requests_total", "counter", "Requests answered, by class of status.", &requests);
        let states: Vec<_> = STATES
            .iter()
            .zip(&self.by_state)
            .map(|(state, counter)| (format!("{{state=\"{state}\"}}"), get(counter)))
            .collect();
        family("copies_served_total", "counter", "Answers from copies that are not fresh.", &states);
        family("sent_bytes_total", "counter", "Bytes of bodies sent to clients.", &plain(&self.n_bytes));
        family("connections_total", "counter", "Connections accepted.", &plain(&self.n_connections));
        family("connections", "gauge", "Connections open now.", &plain(&self.n_connections_now));
        family("tunnels_total", "counter", "Tunnels of the forward proxy granted.", &plain(&self.n_tunnels));
        family(
            "refused_total",
            "counter",
            "Requests and connections refused at the gate.",
            &plain(&self.n_refused),
        );
        let turned_away = "Requests that came too fast, and connections that were too many.";
        family("turned_away_total", "counter", turned_away, &plain(&self.n_turned_away));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_type_and_values() {
        let metrics = Metrics::default();
        metrics.count_as(StatusCode::OK, None);
        metrics.count_as(StatusCode::OK, Some("stale; since=2026-05-21T10:00:05Z"));
        metrics.count_as(StatusCode::NOT_FOUND, Some("gone"));
        let text = metrics.text();
        for line in [
            "outlast_http_requests_total{status=\"2xx\"} 2",
            "outlast_http_requests_total{status=\"4xx\"} 1",
            "outlast_copies_served_total{state=\"stale\"} 1",
            "outlast_copies_served_total{state=\"gone\"} 1",
            "outlast_connections 0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
        let n_of = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(n_of("# TYPE "), n_of("# HELP "));
    }
}
