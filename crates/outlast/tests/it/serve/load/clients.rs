//! Clients that ask for anything, and know whether what they get is right.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::goods::{Good, Right};
use crate::raw::{Got, Raw};

/// Requests over one connection.
const N_EACH: usize = 200;
/// Between two requests of one client: builds do other things, too.
const PAUSE: Duration = Duration::from_millis(2);
/// A client that waits for what nobody has gives up; what is held never takes so long.
const PATIENCE: Duration = Duration::from_secs(25);

/// Where the server is; its number is odd while it is down, and another after each kill.
#[derive(Debug, Default)]
pub(super) struct Address {
    pub(super) base: Mutex<String>,
    pub(super) epoch: AtomicU64,
}

/// What clients saw.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) n_requests: u64,
    pub(super) n_right: u64,
    pub(super) n_stale: u64,
    pub(super) n_refused: u64,
    pub(super) n_cut: u64,
    /// Of what is held.
    pub(super) took: Vec<Duration>,
    /// What should not be.
    pub(super) wrong: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.n_requests += other.n_requests;
        self.n_right += other.n_right;
        self.n_stale += other.n_stale;
        self.n_refused += other.n_refused;
        self.n_cut += other.n_cut;
        self.took.extend(other.took);
        self.wrong.extend(other.wrong);
    }
}

/// One client with one connection.
pub(super) struct Client<'a> {
    pub(super) address: &'a Address,
    pub(super) tally: Tally,
    connection: Option<(Raw, u64, usize)>,
}

impl<'a> Client<'a> {
    pub(super) fn new(address: &'a Address) -> Self {
        Self { address, tally: Tally::default(), connection: None }
    }

    /// Asks for one after another until `end`.
    pub(super) fn run(mut self, goods: &[Good], seed: u64, end: Instant) -> Tally {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = Instant::now();
        while Instant::now() < end {
            // Again and again there is something that nobody has asked for yet.
            let n_known =
                (start.elapsed().as_millis() * goods.len() as u128 / (end - start).as_millis()) as usize;
            let good = &goods[random.usize(..n_known.clamp(goods.len() / 2, goods.len()))];
            let range = match &good.right {
                Right::File(bytes) if random.u8(..10) == 0 => {
                    let start = random.usize(..bytes.len());
                    Some((start, random.usize(start..bytes.len())))
                }
                _ => None,
            };
            self.ask(good, range);
            std::thread::sleep(PAUSE);
        }
        self.tally
    }

    /// Asks for a good, or a part of it, and judges what comes.
    pub(super) fn ask(&mut self, good: &Good, range: Option<(usize, usize)>) {
        let epoch = self.address.epoch.load(Ordering::SeqCst);
        if epoch % 2 == 1 {
            return;
        }
        let before = *lock(&good.seen);
        let base = lock(&self.address.base).clone();
        let start = Instant::now();
        let got = self.exchange(&base, epoch, &good.path, range);
        let took = start.elapsed();
        self.tally.n_requests += 1;
        let mut seen = lock(&good.seen);
        let is_same = self.address.epoch.load(Ordering::SeqCst) == epoch;
        let must_be_held = is_same && before.held_since.is_some();
        if got.is_whole && [200, 206].contains(&got.status) {
            match edition(good, &got, &base, range) {
                None => self.complain(good, &format!("wrong bytes, status {}", got.status), &got),
                Some(edition) => {
                    self.tally.n_right += 1;
                    self.tally.n_stale += u64::from(got.state() == "stale");
                    if must_be_held {
                        self.tally.took.push(took);
                    }
                    if is_same && before.newest.is_some_and(|(newest, _)| newest > edition) {
                        self.complain(good, &format!("edition {edition} after {before:?}"), &got);
                    }
                    if is_same {
                        seen.held_since = seen.held_since.or_else(|| Some(Instant::now()));
                        if seen.newest.is_none_or(|(newest, _)| newest < edition) {
                            seen.newest = Some((edition, Instant::now()));
                        }
                    }
                }
            }
            return;
        }
        match got.status {
            _ if !is_same => self.tally.n_cut += 1,
            _ if must_be_held => self.complain(good, &format!("lost after {took:?}, held {before:?}"), &got),
            429 | 503 => self.tally.n_refused += 1,
            200 | 206 => self.tally.n_cut += 1,
            // Who asks for what nobody has, of a host that hangs, waits for as long as he likes.
            0 if took >= PATIENCE => self.tally.n_cut += 1,
            status => self.complain(good, &format!("status {status} after {took:?}"), &got),
        }
    }

    fn exchange(&mut self, base: &str, epoch: u64, path: &str, range: Option<(usize, usize)>) -> Got {
        let authority = base.trim_start_matches("http://");
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some((start, end)) = range {
            // Writing to a string does not fail.
            let _ = write!(request, "Range: bytes={start}-{end}\r\n");
        }
        request.push_str("\r\n");
        let open = self.connection.take().filter(|(_, of, n_left)| *of == epoch && *n_left > 0);
        let (mut raw, n_left) = match open {
            Some((raw, _, n_left)) => (raw, n_left),
            None => match Raw::connect(base) {
                Ok(raw) => (raw, N_EACH),
                Err(_) => return Got::default(),
            },
        };
        if raw.send(request.as_bytes()).is_err() {
            return Got::default();
        }
        let got = raw.answer();
        if got.is_whole && got.field("connection") != "close" {
            self.connection = Some((raw, epoch, n_left - 1));
        }
        got
    }

    fn complain(&mut self, good: &Good, what: &str, got: &Got) {
        let text: String = got.text().chars().take(300).collect();
        self.tally.wrong.push(format!("{}: {what}\n{}{text}", good.path, got.head));
    }
}

/// Returns which edition an answer is, `None` where it is none that was ever published.
fn edition(good: &Good, got: &Got, base: &str, range: Option<(usize, usize)>) -> Option<usize> {
    match &good.right {
        Right::File(bytes) => {
            let right = match range {
                Some((start, end)) if got.status == 206 => &bytes[start..=end],
                _ => bytes,
            };
            (got.body == right).then_some(0)
        }
        Right::Index { editions, n_published } => {
            let text = got.text().replace(base, "");
            let published = &editions[..n_published.load(Ordering::SeqCst)];
            // A page that was made of the other form names the same files with the same digests, and may be laid out otherwise.
            let is_it = |edition: &String| {
                *edition == text || !links(&text).is_empty() && links(edition) == links(&text)
            };
            published.iter().position(is_it)
        }
    }
}

/// Returns what a page links to.
fn links(page: &str) -> Vec<&str> {
    page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

pub(super) fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
