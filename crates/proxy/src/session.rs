//! One run's conversation with the world: what it asks, what it gets, and what is written down.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host::Clock;
use host::http::{Client, FetchError, Keyring, Outgoing};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use model::{Event, Expired, ObjectKey, SafeUrl, Sha256, Timestamp};
use registry::{Class, Head, Site};
use store::Store;
use tokio::task::{AbortHandle, JoinSet};

use crate::adopt::LastResort;
use crate::blocked::Block;
use crate::flight::Flight;
use crate::heal::Healer;
use crate::health::breaker::Breaker;
use crate::health::outage::Outages;
use crate::late::Left;
use crate::limits::SHELF_BYTES_MAX;
use crate::mirrors::FileMirror;
use crate::note::{Ending, Exchange, HostTimes, Notes};
use crate::plan::{Purpose, SessionPlan};
use crate::private::{Own, Private};
use crate::refusal::Refusal;
use crate::repository::Repositories;
use crate::shelf::Shelf;
use crate::shelf::linked::OnTheirWay;
use crate::shelf::spelling::Spelling;
use crate::transfer::unpack::Unpacking;
use crate::upstream::{Chooser, Giver, Line};
use crate::via::{ServerUse, Via};
use crate::vouch::Vouchers;
use crate::want::{Asker, Shape, Want};
use crate::who::{CredentialKey, CredentialUse, Seen, Who};

/// How long transfers that the command did not wait for may go on after its end.
const LINGER: Duration = Duration::from_secs(10);

/// What every session shares.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Where copies are kept.
    pub store: Store,
    /// The way out.
    pub client: Client,
    /// The time.
    pub clock: Clock,
    /// Names those who ask.
    pub credential_key: CredentialKey,
    /// How long an index is served without asking: `limits.index_fresh_for`.
    pub index_fresh_for: Duration,
    /// Whoever can mend what is damaged.
    pub healer: Option<Arc<dyn Healer>>,
    /// A company's own registries, and how Outlast is let in.
    pub private: Private,
    /// What is not given out.
    pub blocks: Vec<Block>,
    /// Where files lie besides.
    pub mirrors: Arc<[FileMirror]>,
}

/// What a session found.
#[derive(Debug)]
pub struct Findings {
    /// Every request in the order in which it came.
    pub exchanges: Vec<Exchange>,
    /// How many requests came when there were too many to write down.
    pub n_unlisted: u64,
    /// Each host's times.
    pub hosts: BTreeMap<String, HostTimes>,
    /// What was done with credentials, by host.
    pub credentials: BTreeMap<String, CredentialUse>,
    /// What came of asking the team's server, if there is one.
    pub server: Option<ServerUse>,
    /// Copies that were served after their time, in the order of their addresses.
    pub expired: Vec<Expired>,
}

/// Answers the requests of one run; cheap to clone.
#[derive(Debug, Clone)]
pub struct Session(pub(crate) Arc<Inner>);

/// Transfers under way, apart by who chose to ask: what Outlast may not ask, the command may.
type Flights = HashMap<(ObjectKey, Chooser), (Arc<Flight>, AbortHandle)>;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) line: Line,
    pub(crate) notes: Notes,
    pub(crate) vouchers: Vouchers,
    pub(crate) flights: Mutex<Flights>,
    /// Transfers that nobody waits for any more, because they hung; what comes late is kept all the same.
    pub(crate) left: Mutex<Vec<Left>>,
    /// Files that broke off while they were given out, until they are asked for again: mirrors come first then.
    pub(crate) broken_off: Mutex<HashSet<ObjectKey>>,
    purpose: Purpose,
    pub(crate) at: Option<Timestamp>,
    pub(crate) site: Option<Site>,
    pub(crate) via: Option<Via>,
    pub(crate) repositories: Option<Arc<dyn Repositories>>,
    pub(crate) last_resort: Option<Arc<dyn LastResort>>,
    pub(crate) own: Own,
    /// What is ready to leave; a run has none, since it asks for each thing once.
    pub(crate) shelf: Option<Shelf>,
    pub(crate) linked: OnTheirWay,
    pub(crate) seen: Mutex<Seen>,
    pub(crate) breaker: Mutex<Breaker>,
    pub(crate) outages: Mutex<Outages>,
    /// Blobs that were found damaged, and told about.
    pub(crate) damaged: Mutex<HashSet<Sha256>>,
    /// Answers that were told of as none, each with when and why.
    pub(crate) told_rejections: Mutex<HashMap<ObjectKey, (Duration, String)>>,
    /// What was served after its time, and told about.
    pub(crate) expired: Mutex<BTreeSet<Expired>>,
    /// Which of the engine's blocks were met, and told about.
    pub(crate) told_blocks: Mutex<HashSet<usize>>,
    probed: Mutex<HashSet<String>>,
    /// What goes on beside the command: probes of cut hosts, and archives that are unpacked.
    background: Mutex<JoinSet<()>>,
    pub(crate) unpacking: Unpacking,
    start: Duration,
}

impl Engine {
    /// Begins a session.
    pub fn session(&self, plan: SessionPlan) -> Session {
        let keyring = match plan.purpose.is_its_own() {
            true => self.private.keyring(),
            false => Keyring::default(),
        };
        let registries = self.private.registries.clone();
        let inner = Inner {
            engine: self.clone(),
            line: Line::new(self.client.clone(), plan.cuts, keyring.clone()),
            own: Own::new(registries, keyring, self.credential_key.clone()),
            notes: if plan.purpose.is_written_down() { Notes::default() } else { Notes::none() },
            vouchers: Vouchers::new(plan.pins),
            flights: Mutex::default(),
            left: Mutex::default(),
            broken_off: Mutex::default(),
            purpose: plan.purpose,
            at: plan.at,
            site: plan.site,
            via: plan.via.map(Via::new),
            repositories: plan.repositories,
            last_resort: plan.last_resort,
            shelf: (plan.purpose == Purpose::Serve).then(|| Shelf::bounded(SHELF_BYTES_MAX)),
            linked: OnTheirWay::default(),
            seen: Mutex::new(Seen::new(self.credential_key.clone())),
            breaker: Mutex::default(),
            outages: Mutex::default(),
            damaged: Mutex::default(),
            told_rejections: Mutex::default(),
            expired: Mutex::default(),
            told_blocks: Mutex::default(),
            probed: Mutex::default(),
            background: Mutex::default(),
            unpacking: Unpacking::default(),
            start: self.clock.elapsed(),
        };
        inner.restore_health();
        Session(Arc::new(inner))
    }
}

impl Session {
    /// Answers one request of the command for `url`. Whatever goes wrong, there is an answer.
    pub async fn answer(&self, url: SafeUrl, request: Request<Outgoing>) -> Response<Outgoing> {
        let (mut parts, body) = request.into_parts();
        let head = Head { method: &parts.method, url: url.object(), headers: &parts.headers };
        let by_address = registry::classify(&head);
        let is_understood = matches!(by_address.1, Class::Index(_) | Class::File(_));
        let (ecosystem, class) = self.0.named(&head, by_address).await;
        let number = self.0.open(&parts.method, &url, ecosystem.name());
        self.0.probe(url.object().host());
        let class = self.0.followed(url.object().host(), class);
        let (client, chooser) = (&parts.headers, self.0.chooser());
        let Some(who) = self.0.who(&url, client) else {
            let reason = "too many credentials are used at this host".to_owned();
            return self.pass(number, url, &parts.method, client, body, reason).await;
        };
        // What else it may mean depends on what was read before, and on who asks.
        if !is_understood || who != Who::NOBODY {
            parts.extensions.remove::<Spelling>();
        }
        let asker = Asker { client, who, chooser };
        match class {
            Class::Refuse { status, reason } => self.refuse(number, status, reason),
            Class::Live { reason } | Class::Repository { reason } if self.0.purpose == Purpose::Serve => {
                self.refuse(number, 403, format!("a server passes nothing on that it cannot keep: {reason}"))
            }
            Class::Live { reason } => {
                self.pass(number, url, &parts.method, &parts.headers, body, reason).await
            }
            Class::Repository { reason } => self.repository(number, url, &parts, body, reason).await,
            Class::Notice => self.notice(number, url, &parts.headers, body, ecosystem).await,
            Class::Moved { to } => self.moved(number, &to),
            Class::Question => self.question(number, url, asker, body, ecosystem).await,
            Class::Index(index) => {
                let want = Want::index(url, index, asker, ecosystem);
                self.serve(number, want, &parts).await
            }
            Class::File(file) => {
                if let Some((refusal, ecosystem)) = self.0.blocked(&file, url.object()).await {
                    self.0.end(number, Ending::Refused { reason: refusal.reason.clone() });
                    return refusal.response_for(Some(ecosystem));
                }
                let variant = file.variant.clone();
                let want = Want::bytes(url, variant, Shape::File(file), asker, ecosystem);
                self.serve(number, want, &parts).await
            }
            Class::Document { variant, redirects } => {
                let want = Want::bytes(url, variant, Shape::Document(redirects), asker, ecosystem);
                self.serve(number, want, &parts).await
            }
        }
    }

    /// Passes one request of the command on and keeps nothing, for the `reason` that the record gives.
    pub async fn pass_on(
        &self,
        url: SafeUrl,
        request: Request<Outgoing>,
        reason: &str,
    ) -> Response<Outgoing> {
        let (parts, body) = request.into_parts();
        let head = Head { method: &parts.method, url: url.object(), headers: &parts.headers };
        let (ecosystem, _) = registry::classify(&head);
        let number = self.0.open(&parts.method, &url, ecosystem.name());
        self.pass(number, url, &parts.method, &parts.headers, body, reason.to_owned()).await
    }

    /// Ends the session: waits a little for transfers that nobody waits for, and returns what was found.
    pub async fn finish(&self) -> Findings {
        let deadline = tokio::time::Instant::now() + LINGER;
        loop {
            let under_way = lock(&self.0.flights).values().next().cloned();
            let Some((flight, abort)) = under_way else { break };
            if tokio::time::timeout_at(deadline, flight.ended()).await.is_err() {
                abort.abort();
                lock(&self.0.flights).retain(|_, (other, _)| !Arc::ptr_eq(other, &flight));
            } else {
                tokio::task::yield_now().await;
            }
        }
        self.0.wait_for_late().await;
        self.0.unpacking.drop_waiting();
        // A build may be over before a hanging host is known to hang; the drill's clock still has to say when it was.
        let mut background = std::mem::take(&mut *lock(&self.0.background));
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, background.join_next()).await {}
        // One that was not done in time detected nothing, which is what the report then says.
        background.detach_all();
        // Bodies that end at this moment write their note in a task of their own.
        while self.0.notes.n_open() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (exchanges, hosts) = self.0.notes.take();
        let credentials = lock(&self.0.seen).uses();
        let (n_unlisted, server) = (self.0.notes.n_unlisted(), self.0.server_use());
        let expired = lock(&self.0.expired).iter().cloned().collect();
        Findings { exchanges, hosts, n_unlisted, credentials, server, expired }
    }

    /// Answers a request whose path is hostile; no upstream sees it.
    pub fn refuse_path(&self, hostile: &registry::Hostile) -> Response<Outgoing> {
        let status = StatusCode::from_u16(hostile.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Refusal::bad_request(status, hostile.to_string()).response()
    }

    /// Answers a request whose address is none.
    pub fn refuse_address(&self) -> Response<Outgoing> {
        Refusal::bad_request(StatusCode::BAD_REQUEST, "the address cannot be read".to_owned()).response()
    }

    pub(crate) fn refuse(&self, number: usize, status: u16, reason: String) -> Response<Outgoing> {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        self.0.end(number, Ending::Refused { reason: reason.clone() });
        Refusal::bad_request(status, reason).response()
    }
}

impl Inner {
    pub(crate) const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Returns whether nobody may be asked.
    pub(crate) fn only_looks(&self) -> bool {
        self.purpose == Purpose::Inspect
    }

    /// Returns who chooses what this session asks.
    pub(crate) const fn chooser(&self) -> Chooser {
        self.purpose.chooser()
    }

    /// Returns whether Outlast itself asks, rather than a command.
    pub(crate) const fn is_on_its_own(&self) -> bool {
        self.purpose.is_its_own()
    }

    /// Milliseconds since the session began.
    pub(crate) fn at_ms(&self) -> u64 {
        let elapsed = self.engine.clock.elapsed().saturating_sub(self.start);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns who asks; nothing where there are too many to be told apart.
    pub(crate) fn who(&self, url: &SafeUrl, client: &HeaderMap) -> Option<Who> {
        let own = self.own.who(url.object().host());
        if own != Who::NOBODY {
            return Some(own);
        }
        lock(&self.seen).who(url, client)
    }

    /// Takes down a cookie that an upstream gave.
    pub(crate) fn note_cookie(&self, host: &str, set_cookie: &[u8], who: Who) {
        lock(&self.seen).note_cookie(host, set_cookie, who);
    }

    /// Counts bytes that came from an upstream itself.
    pub(crate) fn count(&self, host: &str, giver: Giver, n_bytes: u64) {
        if giver == Giver::Upstream {
            self.notes.count(host, n_bytes);
        }
    }

    fn open(&self, method: &Method, url: &SafeUrl, ecosystem: &'static str) -> usize {
        self.notes.open(Exchange {
            method: method.to_string(),
            url: url.object().clone(),
            variant: String::new(),
            ecosystem,
            started_ms: self.at_ms(),
            finished_ms: None,
            ending: Ending::Open,
        })
    }

    pub(crate) fn end(&self, number: usize, ending: Ending) {
        self.notes.end(number, self.at_ms(), ending);
    }

    /// Writes an event to the journal. Faults that a drill plays are no events; a team's server has none played.
    pub(crate) fn journal(&self, host: &str, event: Event) {
        if self.line.fault(host).is_some() && !self.is_server(host) {
            return;
        }
        self.write(&host, event);
    }

    /// Writes an event to the journal, a drill or not: one about bytes that lie here.
    pub(crate) fn write(&self, about: &dyn Display, event: Event) {
        if let Err(error) = self.storing(|| self.engine.store.record(vec![event])) {
            tracing::error!("an event about `{about}` could not be written to the journal: {error}");
        }
    }

    /// Asks each cut host once, for the drill's clock: files that cannot change are served without asking anybody, and
    /// would leave the outage undetected.
    fn probe(self: &Arc<Self>, host: &str) {
        if self.purpose != Purpose::Drill || self.line.fault(host).is_none() {
            return;
        }
        if !lock(&self.probed).insert(host.to_owned()) {
            return;
        }
        let (inner, host) = (self.clone(), host.to_owned());
        self.go_on_beside(async move {
            let Ok(url) = SafeUrl::parse(&format!("https://{host}/")) else { return };
            let is_unavailable = match inner.ask_bounded(url, Method::HEAD, HeaderMap::new()).await {
                Ok(reply) => reply.is_played(),
                Err(error) => !matches!(error, FetchError::BadAddress { .. }),
            };
            if is_unavailable {
                inner.notes.detected(&host, inner.at_ms());
            }
        });
    }

    /// Lets something go on beside the command; [`Session::finish`] waits for it a little.
    pub(crate) fn go_on_beside(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut background = lock(&self.background);
        // What is done is not held until the end.
        while background.try_join_next().is_some() {}
        background.spawn(task);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
