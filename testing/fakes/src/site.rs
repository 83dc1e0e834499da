//! What a fake holds: answers, handlers, planned faults, and the log of what it was asked.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::answer::{Answer, Asked, Ranges};
use crate::fault::{Fault, Planned};

/// One request that reached the fake, answered or not.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The host asked, lower case and without its port.
    pub host: String,
    /// The method.
    pub method: Method,
    /// Path and query, as sent.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When its last byte came.
    pub at: Instant,
    /// The connection it came over, numbered as they were taken.
    pub connection: u64,
}

/// Answers a whole folder of addresses; `None` is a 404.
pub(crate) type Handler = Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

/// All that an upstream answered at one time; `Upstream::keep` makes it.
#[derive(Clone, Default)]
pub struct Generation {
    answers: HashMap<(String, String), Vec<Answer>>,
    handlers: Vec<(String, String, Handler)>,
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({} answers, {} handlers)", self.answers.len(), self.handlers.len())
    }
}

/// Everything that a test may change while the fake runs.
#[derive(Debug, Default)]
pub(crate) struct Site {
    now: Generation,
    faults: Vec<Planned>,
    only_http1: HashSet<String>,
    without_ranges: HashSet<String>,
    /// Hosts that let nobody in but who sends this.
    guards: HashMap<String, String>,
    latency: Duration,
    log: Vec<Seen>,
    n_connections: u64,
    /// Requests of each host that are being answered, and the most there ever were.
    under_way: HashMap<String, (usize, usize)>,
}

/// A request until its answer has been sent.
#[derive(Debug)]
pub(crate) struct UnderWay {
    site: Shared,
    host: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((now, _)) = self.site.lock().under_way.get_mut(&self.host) {
            *now -= 1;
        }
    }
}

/// The site as one connection meets it.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) site: Shared,
    pub(crate) connection: u64,
}

/// The site, shared by the test and the connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Site>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Site> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request until what is returned goes.
    pub(crate) fn under_way(&self, host: &str) -> UnderWay {
        let mut site = self.lock();
        let (now, most) = site.under_way.entry(host.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
        UnderWay { site: self.clone(), host: host.to_owned() }
    }
}

/// What a request meets: the right answer, or who computes it, and the fault to play instead or upon it.
pub(crate) struct Found {
    pub(crate) answer: Option<Answer>,
    pub(crate) handler: Option<Handler>,
    pub(crate) fault: Option<Fault>,
    pub(crate) latency: Duration,
    pub(crate) ranges: Ranges,
}

impl Site {
    pub(crate) fn put(&mut self, host: &str, path: &str, answer: Answer) {
        let variants = self.now.answers.entry((host.to_lowercase(), path.to_owned())).or_default();
        variants.retain(|variant| variant.accept != answer.accept);
        variants.push(answer);
    }

    pub(crate) fn remove(&mut self, host: &str, path: &str) {
        self.now.answers.remove(&(host.to_lowercase(), path.to_owned()));
    }

    pub(crate) fn handle(&mut self, host: &str, prefix: &str, handler: Handler) {
        let (host, prefix) = (host.to_lowercase(), prefix.to_owned());
        self.now.handlers.retain(|(other, of, _)| *other != host || *of != prefix);
        self.now.handlers.push((host, prefix, handler));
    }

    pub(crate) fn now(&self) -> &Generation {
        &self.now
    }

    pub(crate) fn restore(&mut self, generation: Generation) {
        self.now = generation;
    }

    pub(crate) fn plan(&mut self, planned: Planned) {
        self.faults.push(planned);
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults.clear();
    }

    pub(crate) fn speak_http1(&mut self, host: &str) {
        self.only_http1.insert(host.to_lowercase());
    }

    pub(crate) fn speaks_only_http1(&self, host: &str) -> bool {
        self.only_http1.contains(host)
    }

    pub(crate) fn ignore_ranges(&mut self, host: &str) {
        self.without_ranges.insert(host.to_lowercase());
    }

    pub(crate) fn guard(&mut self, host: &str, authorization: &str) {
        self.guards.insert(host.to_lowercase(), authorization.to_owned());
    }

    pub(crate) fn set_latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// Counts a connection and returns its number.
    pub(crate) fn connected(&mut self) -> u64 {
        self.n_connections += 1;
        self.n_connections
    }

    pub(crate) fn n_connections(&self) -> u64 {
        self.n_connections
    }

    pub(crate) fn n_at_once_most(&self, host: &str) -> usize {
        self.under_way.get(host).map_or(0, |(_, most)| *most)
    }

    pub(crate) fn log(&self) -> &[Seen] {
        &self.log
    }

    pub(crate) fn clear_log(&mut self) {
        self.log.clear();
    }

    /// Writes a request down and finds what it meets; counted faults are used up by it.
    pub(crate) fn ask(&mut self, asked: &Asked, connection: u64) -> Found {
        self.log.push(Seen {
            host: asked.host.clone(),
            method: asked.method.clone(),
            path: asked.path.clone(),
            headers: asked.headers.clone(),
            body: asked.body.clone(),
            at: Instant::now(),
            connection,
        });
        let fault = self.take_fault(&asked.host, &asked.path, |fault| !fault.is_of_the_handshake());
        let (generation, fault) = match &fault {
            Some(Fault::AsOf(generation)) => (generation, None),
            _ => (&self.now, fault.clone()),
        };
        let answer = generation.find(asked);
        let handler = if answer.is_some() { None } else { generation.find_handler(asked) };
        let is_without_ranges = self.without_ranges.contains(&asked.host);
        let ranges = if is_without_ranges { Ranges::Ignored } else { Ranges::Honoured };
        let is_let_in = |guard: &String| asked.header("authorization") == guard;
        if !self.guards.get(&asked.host).is_none_or(is_let_in) {
            let answer = Some(Answer::status(401).header("www-authenticate", "Bearer"));
            return Found { answer, handler: None, fault, latency: self.latency, ranges };
        }
        Found { answer, handler, fault, latency: self.latency, ranges }
    }

    /// Returns the fault to play in a handshake for this host.
    pub(crate) fn fault_of_the_handshake(&mut self, host: &str) -> Option<Fault> {
        self.take_fault(host, "/", Fault::is_of_the_handshake)
    }

    /// The fault planned last wins, so that a test can lay one over another.
    fn take_fault(&mut self, host: &str, path: &str, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let planned = self.faults.iter_mut().rev().find(|planned| {
            wanted(&planned.fault)
                && (planned.fits(host, path)
                    || (planned.fault.is_of_the_handshake()
                        && planned.n_left != Some(0)
                        && planned.host == host))
        })?;
        if let Some(n_left) = planned.n_left.as_mut() {
            *n_left -= 1;
        }
        Some(planned.fault.clone())
    }
}

impl Generation {
    fn find(&self, asked: &Asked) -> Option<Answer> {
        let variants = self.answers.get(&(asked.host.clone(), asked.path.clone()))?;
        let accept = asked.header("accept");
        let exact =
            variants.iter().find(|v| v.accept.as_ref().is_some_and(|part| accept.contains(part.as_str())));
        exact.or_else(|| variants.iter().find(|v| v.accept.is_none())).cloned()
    }

    fn find_handler(&self, asked: &Asked) -> Option<Handler> {
        let mut fitting = self.handlers.iter().filter(|(host, prefix, _)| {
            (host == &asked.host || host == "*") && asked.path.starts_with(prefix.as_str())
        });
        fitting.next_back().map(|(.., handler)| handler.clone())
    }
}
