//! A fake upstream as a test holds it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::answer::{Answer, Asked};
use crate::cargo::Crate;
use crate::certificate::Authorities;
use crate::composer;
use crate::composer::Signatures;
use crate::connection;
use crate::fault::{Fault, Planned};
use crate::git::{self, Repository};
use crate::npm::Package;
use crate::pypi;
use crate::site::{Generation, Seen, Shared};

/// A scripted upstream on loopback that plays every host name it is asked for; gone when dropped.
///
/// It runs on a thread of its own, so that tests with and without a runtime can use it. Both addresses tell TLS from
/// plain HTTP by the first byte, and either takes CONNECT, so it can stand behind `https_proxy` too.
#[derive(Debug)]
pub struct Upstream {
    tls_address: SocketAddr,
    plain_address: SocketAddr,
    authorities: Arc<Authorities>,
    site: Shared,
    /// What Packagist knows, which outlives every single answer.
    listed: Mutex<composer::Listed>,
    signatures: Arc<Signatures>,
    /// What PyPI knows.
    projects: Mutex<pypi::Listed>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Upstream {
    /// Starts an upstream with nothing on it.
    ///
    /// # Panics
    /// When loopback cannot be listened on.
    #[expect(clippy::unused_async, reason = "tests with a runtime read the same as for any other server")]
    pub async fn start() -> Self {
        Self::start_blocking()
    }

    /// Starts an upstream from a test without a runtime.
    ///
    /// # Panics
    /// When loopback cannot be listened on.
    pub fn start_blocking() -> Self {
        let bind = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
            listener.set_nonblocking(true).expect("a listener that does not block");
            let address = listener.local_addr().expect("the address just bound");
            (listener, address)
        };
        let (tls, tls_address) = bind();
        let (plain, plain_address) = bind();
        let authorities = Arc::new(Authorities::generate());
        let site = Shared::default();
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let (site, authorities) = (site.clone(), authorities.clone());
            std::thread::spawn(move || serve([tls, plain], &site, &authorities, stopped))
        };
        Self {
            tls_address,
            plain_address,
            authorities,
            site,
            listed: Mutex::default(),
            signatures: Arc::default(),
            projects: Mutex::default(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns the address that speaks TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.tls_address
    }

    /// Returns the address that speaks plain HTTP.
    pub fn plain_address(&self) -> SocketAddr {
        self.plain_address
    }

    /// Returns what to set `https_proxy` to, so that a real client meets this upstream under every name.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.plain_address)
    }

    /// Returns the CA that signs for every host, in PEM.
    pub fn ca_pem(&self) -> &str {
        self.authorities.trusted_pem()
    }

    /// Writes the CA into a folder and returns the file.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    pub fn ca_file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("upstream-ca.pem");
        fs::write(&path, self.ca_pem()).expect("a folder that can be written to");
        path
    }

    /// Answers one address (path and query, exact); a later answer for the same replaces it.
    pub fn put(&self, host: &str, path: &str, answer: Answer) {
        self.site.lock().put(host, path, answer);
    }

    /// Takes an address away: it is a 404 from now on.
    pub fn remove(&self, host: &str, path: &str) {
        self.site.lock().remove(host, path);
    }

    /// Answers everything below a prefix by computation; `None` is a 404. What was `put` comes first.
    pub fn handle(
        &self,
        host: &str,
        prefix: &str,
        handler: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) {
        self.site.lock().handle(host, prefix, Arc::new(handler));
    }

    /// Plays a fault until it is cleared; `pattern` is a path or a beginning followed by `*`, `host` may be `*`.
    pub fn on(&self, host: &str, pattern: &str, fault: Fault) {
        self.plan(host, pattern, fault, None);
    }

    /// Plays a fault for the next `n` requests only.
    pub fn on_first(&self, n: u64, host: &str, pattern: &str, fault: Fault) {
        self.plan(host, pattern, fault, Some(n));
    }

    /// Ends all faults.
    pub fn clear_faults(&self) {
        self.site.lock().clear_faults();
    }

    /// Keeps all that is answered now, so that it can be answered once more later.
    pub fn keep(&self) -> Generation {
        self.site.lock().now().clone()
    }

    /// Answers from now on as it did when this was kept, with what was put since gone.
    pub fn restore(&self, generation: &Generation) {
        self.site.lock().restore(generation.clone());
    }

    /// Lets every answer begin this much later; neither connecting nor the handshake takes longer.
    pub fn set_latency(&self, latency: Duration) {
        self.site.lock().set_latency(latency);
    }

    /// Answers requests for a range whole under this name, as many a simple server does.
    pub fn ignore_ranges(&self, host: &str) {
        self.site.lock().ignore_ranges(host);
    }

    /// Answers 401 under this name to whoever sends another `Authorization`; a later one for the same name replaces it.
    pub fn guard(&self, host: &str, authorization: &str) {
        self.site.lock().guard(host, authorization);
    }

    /// Never offers HTTP/2 under this name.
    pub fn speak_http1(&self, host: &str) {
        self.site.lock().speak_http1(host);
    }

    /// Returns every request so far, in order.
    pub fn log(&self) -> Vec<Seen> {
        self.site.lock().log().to_vec()
    }

    /// Returns how often one address was asked.
    pub fn n_asked(&self, host: &str, path: &str) -> usize {
        self.site.lock().log().iter().filter(|seen| seen.host == host && seen.path == path).count()
    }

    /// Returns how many requests for a host were ever under way at once, each until its answer was sent.
    pub fn n_at_once_most(&self, host: &str) -> usize {
        self.site.lock().n_at_once_most(host)
    }

    /// Returns how many connections were taken so far, those included over which nothing was asked.
    pub fn n_connections(&self) -> u64 {
        self.site.lock().n_connections()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.site.lock().clear_log();
    }

    /// Puts packages, each at its own host, so that npm can install them.
    pub fn serve_npm(&self, host: &str, packages: &[Package]) {
        for package in packages {
            for (path, answer) in package.answers(host) {
                self.put(host, &path, answer);
            }
        }
    }

    /// Lets a registry forget a package: it is a 404; the tarballs stay where they are.
    pub fn remove_npm(&self, host: &str, package: &Package) {
        for path in package.paths() {
            self.remove(host, &path);
        }
    }

    /// Puts a sparse index at one host and its crates at another, so that cargo can build with them.
    pub fn serve_cargo(&self, index_host: &str, crates_host: &str, crates: &[Crate]) {
        for (host, path, answer) in crate::cargo::answers(index_host, crates_host, crates) {
            self.put(&host, &path, answer);
        }
    }

    /// Serves a repository at a path such as `/owner/name.git`, so that git can clone it.
    pub fn serve_git(&self, host: &str, path: &str, repository: &Repository) {
        self.serve_git_with(host, path, repository, Vec::new());
    }

    /// Does what `serve_git` does, with faults at steps of the protocol; `serve_git` at the same path ends them.
    pub fn serve_git_with(
        &self,
        host: &str,
        path: &str,
        repository: &Repository,
        faults: Vec<(git::Phase, git::Fault)>,
    ) {
        let (folder, prefix) = (repository.folder().to_owned(), path.to_owned());
        self.handle(host, path, move |asked| git::answer(&folder, &prefix, &faults, asked));
    }

    /// Serves a repository as servers do that speak one version of git's protocol, `version=1` or, for the first, nothing.
    pub fn serve_git_in(&self, protocol: &'static str, host: &str, path: &str, repository: &Repository) {
        let (folder, prefix) = (repository.folder().to_owned(), path.to_owned());
        self.handle(host, path, move |asked| git::answer_in(protocol, &folder, &prefix, &[], asked));
    }

    /// Serves the files of a repository, as a web server does that knows nothing of git; `git update-server-info` lists them.
    pub fn serve_git_files(&self, host: &str, path: &str, repository: &Repository) {
        let (folder, prefix) = (repository.folder().to_owned(), path.to_owned());
        self.handle(host, path, move |asked| git::file(&folder, &prefix, asked));
    }

    /// Serves a repository to whoever sends this header `Authorization`, and asks everybody else who he is.
    pub fn serve_git_behind(&self, host: &str, path: &str, repository: &Repository, authorization: &str) {
        let (folder, prefix) = (repository.folder().to_owned(), path.to_owned());
        let authorization = authorization.to_owned();
        self.handle(host, path, move |asked| match asked.header("authorization") == authorization {
            true => git::answer(&folder, &prefix, &[], asked),
            false => Some(Answer::status(401).header("www-authenticate", "Basic realm=\"git\"")),
        });
    }

    pub(crate) fn listed(&self) -> MutexGuard<'_, composer::Listed> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn projects(&self) -> MutexGuard<'_, pypi::Listed> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signatures(&self) -> Arc<Signatures> {
        self.signatures.clone()
    }

    fn plan(&self, host: &str, pattern: &str, fault: Fault, n_left: Option<u64>) {
        let (host, pattern) = (host.to_lowercase(), pattern.to_owned());
        self.site.lock().plan(Planned { host, pattern, fault, n_left });
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Fails only when the thread is gone already.
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    listeners: [std::net::TcpListener; 2],
    site: &Shared,
    authorities: &Arc<Authorities>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("fake-upstream")
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        for listener in listeners {
            let listener = TcpListener::from_std(listener).expect("a listener for this runtime");
            tokio::spawn(connection::accept(listener, site.clone(), authorities.clone()));
        }
        let _ = stopped.await;
    });
    runtime.shutdown_background();
}
