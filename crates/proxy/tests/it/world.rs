//! An upstream, a store and sessions between them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
pub(crate) use fakes::noise;
use fakes::npm::Package;
use fakes::{Answer, Upstream};
use host::Clock;
use host::http::{Client, Proxies, Roots, Settings};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::BodyExt as _;
use model::{Algorithm, Digest, Event, Held, ObjectUrl, SafeUrl, Sha256, Timestamp};
use proxy::{Ending, Engine, FileMirror, Findings, Private, Purpose, Session, SessionPlan};
use registry::Pin;
use store::Store;

pub(crate) const NPM: &str = "registry.npmjs.org";
pub(crate) const WEB: &str = "web.example";
/// Every host that the fake stands for.
const HOSTS: [&str; 11] = [
    "pypi.org",
    NPM,
    WEB,
    "elsewhere.example",
    "index.crates.io",
    "static.crates.io",
    "api.osv.dev",
    "api.github.com",
    "repo.packagist.org",
    "files.pythonhosted.org",
    "codeload.github.com",
];
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(120);
/// More than stays in memory, so that followers read the file as well.
pub(crate) const LARGE_BYTES: usize = 6 << 20;

/// An upstream, a store and a clock.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) home: tempfile::TempDir,
    client: Client,
    /// A company's own.
    pub(crate) private: Private,
    /// What is not given out.
    pub(crate) blocks: Vec<proxy::Block>,
    pub(crate) mirrors: Vec<FileMirror>,
}

impl World {
    pub(crate) fn new() -> Self {
        let upstream = Upstream::start_blocking();
        let places = HOSTS.map(|host| place(host, &upstream.tls_address().to_string()));
        let client = client(&upstream, places.to_vec(), &[]);
        Self::with_client(upstream, client)
    }

    /// A world in which `http://raw.example` answers every request with exactly these bytes.
    pub(crate) fn with_raw(answer: impl Into<Vec<u8>>) -> Self {
        let upstream = Upstream::start_blocking();
        let mut places = HOSTS.map(|host| place(host, &upstream.tls_address().to_string())).to_vec();
        places.push(place("raw.example", &raw(answer.into()).to_string()));
        let client = client(&upstream, places, &[]);
        Self::with_client(upstream, client)
    }

    pub(crate) fn with_client(upstream: Upstream, client: Client) -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-05-21T10:00:05Z".parse::<Timestamp>().unwrap());
        let store = Store::open(home.path(), clock.clone()).unwrap();
        Self {
            upstream,
            store,
            clock,
            home,
            client,
            private: Private::default(),
            blocks: Vec::new(),
            mirrors: Vec::new(),
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine {
            store: self.store.clone(),
            client: self.client.clone(),
            credential_key: proxy::CredentialKey::new(&[7; 32]),
            clock: self.clock.clone(),
            index_fresh_for: FRESH_FOR,
            healer: None,
            private: self.private.clone(),
            blocks: self.blocks.clone(),
            mirrors: self.mirrors.clone().into(),
        }
    }

    /// A session in which everything is live.
    pub(crate) fn session(&self) -> Session {
        self.pinned(Vec::new())
    }

    /// A session of a project with a lock.
    pub(crate) fn pinned(&self, pins: Vec<Pin>) -> Session {
        let pins = pins.into_iter().map(|pin| ("the.lock".to_owned(), pin)).collect();
        self.engine().session(SessionPlan { pins, ..SessionPlan::new(Purpose::Record) })
    }

    /// A drill's session; `cuts` as on the command line, separated by blanks.
    pub(crate) fn drill(&self, cuts: &str) -> Session {
        let cuts = cuts.split_whitespace().map(|cut| cut.parse().unwrap()).collect();
        self.engine().session(SessionPlan { cuts, ..SessionPlan::new(Purpose::Drill) })
    }

    /// The newest generation of every form of an address.
    pub(crate) fn held(&self, url: &str) -> Option<Held> {
        let url = ObjectUrl::parse(url).unwrap();
        self.store.variants(model::Method::Get, &url).unwrap().pop().map(|(_, held)| held)
    }

    /// Every generation of the newest form of an address, oldest first.
    pub(crate) fn generations(&self, url: &str) -> Vec<Held> {
        let url = ObjectUrl::parse(url).unwrap();
        let variants = self.store.variants(model::Method::Get, &url).unwrap();
        variants.last().map_or_else(Vec::new, |(key, _)| self.store.generations(key).unwrap())
    }

    /// What the journal says.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.store.events_since(0, 10_000).unwrap().into_iter().map(|entry| entry.event).collect()
    }

    pub(crate) fn n_events(&self, is_one: impl Fn(&Event) -> bool) -> usize {
        self.events().iter().filter(|event| is_one(event)).count()
    }

    /// Lets every index become due.
    pub(crate) fn pass_time(&self) {
        self.clock.advance(2 * FRESH_FOR);
    }

    /// Flips a bit of a blob on the disk.
    pub(crate) fn damage(&self, sha256: &Sha256) {
        let path = self.blob_path(sha256);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }

    pub(crate) fn blob_path(&self, sha256: &Sha256) -> PathBuf {
        self.store.flush().unwrap();
        let hex = sha256.to_string();
        self.home.path().join("blobs").join(&hex[..2]).join(&hex[2..4]).join(hex)
    }

    pub(crate) fn assert_good(&self) {
        self.store.flush().unwrap();
        let report = self.store.verify(&mut |_| {}).unwrap();
        assert!(report.is_good(), "{report:?}");
    }
}

/// Answers every connection with these bytes once the request's head has come, and closes it.
fn raw(answer: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut head = Vec::new();
            let mut chunk = [0; 4096];
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                let n = connection.read(&mut chunk).unwrap_or(0);
                if n == 0 {
                    break;
                }
                head.extend_from_slice(&chunk[..n]);
            }
            // Whoever has heard enough hangs up.
            let _ = connection.write_all(&answer);
        }
    });
    address
}

pub(crate) fn place(host: &str, connect: &str) -> host::http::Upstream {
    host::http::Upstream { host: host.to_owned(), connect: Some(connect.to_owned()), roots: None, base: None }
}

pub(crate) fn client(upstream: &Upstream, upstreams: Vec<host::http::Upstream>, allow: &[&str]) -> Client {
    let mut roots = Roots::empty();
    roots.add_pem(upstream.ca_pem().as_bytes()).unwrap();
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    Client::new(Settings {
        roots,
        upstreams,
        allow,
        public_hosts: Vec::new(),
        server: None,
        proxies: Proxies::default(),
    })
}

/// An answer as a client has it.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The whole body, or why it broke.
    pub(crate) body: Result<Bytes, String>,
}

impl Got {
    /// Asserts a whole answer with this status and body.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, body: &[u8]) -> &Self {
        let got = self.body.as_ref().unwrap_or_else(|error| panic!("the body broke: {error}"));
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&got[..got.len().min(400)]));
        assert!(
            got == body,
            "{} bytes came: {}",
            got.len(),
            String::from_utf8_lossy(&got[..got.len().min(400)])
        );
        self
    }

    /// Asserts that nothing whole came: an error of Outlast's own, or a broken transfer.
    #[track_caller]
    pub(crate) fn is_refused(&self) -> &Self {
        let is_refused = self.body.is_err() || matches!(self.status, 502 | 503);
        assert!(is_refused, "{} {:?}", self.status, self.body);
        self
    }

    /// Asserts how the copy stands: empty where it is fresh.
    #[track_caller]
    pub(crate) fn state(&self, expected: &str) -> &Self {
        let (state, rest) = self.header("outlast-state").split_once("; since=").unwrap_or_default();
        assert_eq!(state, expected);
        assert_eq!(rest.contains("Z; reason="), !expected.is_empty(), "{rest}");
        assert_eq!(self.headers.contains_key("age"), !expected.is_empty());
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn get(session: &Session, url: &str) -> Got {
    ask(session, "GET", url, &[], b"").await
}

/// Asks until the answer is fresh, as it is a moment after a probe.
pub(crate) async fn fresh(session: &Session, url: &str) -> Got {
    for _ in 0..200 {
        let got = get(session, url).await;
        if got.header("outlast-state").is_empty() {
            return got;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("`{url}` is never fresh again");
}

pub(crate) async fn ask(
    session: &Session,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Got {
    let mut request = Request::new(host::http::whole(Bytes::copy_from_slice(body)));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
    for (name, value) in headers {
        request.headers_mut().append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let (parts, body) = session.answer(SafeUrl::parse(url).unwrap(), request).await.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).map_err(|e| e.to_string());
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Asks once and returns how it ended, with the session's findings.
pub(crate) async fn finish(session: &Session) -> Findings {
    session.finish().await
}

/// How the only exchange of a session ended.
pub(crate) async fn ending(session: &Session) -> Ending {
    let mut exchanges = session.finish().await.exchanges;
    assert_eq!(exchanges.len(), 1);
    exchanges.remove(0).ending
}

/// A file with an ETag of its own.
pub(crate) fn file(body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    let etag = format!("\"{}\"", Sha256::of(&body));
    Answer::file(body).header("etag", &etag)
}

pub(crate) fn text(body: &str) -> Answer {
    Answer::text(body.to_owned()).header("etag", &format!("\"{}\"", Sha256::of(body.as_bytes())))
}

/// The address of a package's file.
/// A tarball with one file.
pub(crate) fn packed(text: &str) -> Vec<u8> {
    fakes::tar_gz("package", &[("index.js", text)])
}

pub(crate) fn tarball(package: &Package, version: &str) -> String {
    format!("https://{NPM}{}", package.tarball_path(version))
}

/// A pin of an address, to these bytes.
pub(crate) fn pin(url: &str, bytes: &[u8]) -> Pin {
    let sha512 = ring::digest::digest(&ring::digest::SHA512, bytes);
    Pin {
        coordinate: None,
        url: Some(ObjectUrl::parse(url).unwrap()),
        digests: Digest::from_bytes(Algorithm::Sha512, sha512.as_ref()).unwrap().into(),
    }
}

/// How long something takes.
pub(crate) async fn timed<T>(act: impl Future<Output = T>) -> (T, Duration) {
    let clock = Clock::real();
    let done = act.await;
    (done, clock.elapsed())
}

/// Runs a test alone in a process of its own, because it arms failure points, which all threads pass.
pub(crate) fn alone<F: Future<Output = ()>>(test: &str, act: impl FnOnce() -> F) {
    if std::env::var_os("PROXY_TEST_ALONE").is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(act());
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env("PROXY_TEST_ALONE", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("1 passed"), "`{test}` is no test: {told}");
}
