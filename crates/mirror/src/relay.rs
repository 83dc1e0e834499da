//! A way for git to an upstream that only gives out files. Git finds its way from one to the next; each that it asks for, on loopback,
//! is asked for by Outlast in its place: with its guard, its credentials and its patience. What leads to another repository is not there.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use git::Remote;
use host::http::{Client, HeaderValue, Incoming, Keyring, Method, Outgoing, StatusCode};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::address::Address;
use crate::ask::{Trouble, Upstream};
use crate::mirror::lock;
use crate::outcome::Stop;
use crate::pace::{Body, Patience};

/// What git shows, so that no other program of this machine is given what Outlast has credentials for.
const KEY: &str = "outlast-relay";
/// How much may come for one fetch in all files of a repository together, as it may in one pack.
const BYTES_MAX: u64 = 256 << 30;

/// The way for one fetch; it ends with this.
pub(crate) struct Relay {
    url: String,
    header: String,
    files: Arc<Files>,
    listening: AbortHandle,
}

impl Relay {
    pub(crate) async fn open(upstream: &Upstream<'_>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = host::random::bytes::<16>().map(|byte| format!("{byte:02x}")).concat();
        let header = format!("{KEY}: {key}");
        let &Upstream { client, address, is_for_command, keyring, patience, .. } = upstream;
        let files = Arc::new(Files {
            client: client.clone(),
            address: address.clone(),
            is_for_command,
            keyring: keyring.clone(),
            patience,
            key,
            n_bytes_left: Mutex::new(BYTES_MAX),
            trouble: Mutex::default(),
        });
        let listening = tokio::spawn(listen(listener, files.clone())).abort_handle();
        Ok(Self { url, header, files, listening })
    }

    pub(crate) fn remote(&self) -> Remote<'_> {
        Remote { url: &self.url, header: Some(&self.header) }
    }

    /// Says why git got nothing: the reason is the upstream's, where that is known, and no address is the relay's.
    pub(crate) fn blame(&self, stop: Stop) -> Stop {
        match (lock(&self.files.trouble).take(), stop) {
            (Some(trouble), Stop::There(_)) => trouble.into(),
            (None, Stop::There(Trouble::Unavailable { reason })) => {
                Trouble::Bad { reason: reason.replace(&self.url, self.files.address.as_str()) }.into()
            }
            (_, stop) => stop,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// The files of an upstream.
struct Files {
    client: Client,
    address: Address,
    is_for_command: bool,
    keyring: Keyring,
    patience: Patience,
    key: String,
    n_bytes_left: Mutex<u64>,
    /// The first thing that was wrong besides files that are not there, which is how git looks for an object.
    trouble: Mutex<Option<Trouble>>,
}

async fn listen(listener: TcpListener, files: Arc<Files>) {
    // They end with this.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(stream, files.clone()));
    }
}

async fn serve(stream: TcpStream, files: Arc<Files>) {
    let service = service_fn(move |request| {
        let files = files.clone();
        async move { Ok::<_, Infallible>(files.answer(&request).await) }
    });
    // Git goes when it has what it wants.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Files {
    async fn answer(self: Arc<Self>, request: &Request<Incoming>) -> Response<Outgoing> {
        let is_git = request.headers().get(KEY).is_some_and(|key| key == &self.key);
        let path = request.uri().path().trim_start_matches('/');
        let bytes_max = git::file_bytes_max(path).filter(|_| is_git && request.method() == Method::GET);
        let Some(bytes_max) = bytes_max else { return empty(StatusCode::NOT_FOUND) };
        let file = self.upstream().file(path).await;
        match file {
            Ok(Some(body)) => {
                let mut response = Response::new(self.bounded(body, bytes_max));
                let kind = HeaderValue::from_static("text/plain");
                response.headers_mut().insert(host::http::header::CONTENT_TYPE, kind);
                response
            }
            Ok(None) => empty(StatusCode::NOT_FOUND),
            Err(trouble) => {
                self.note(trouble);
                empty(StatusCode::BAD_GATEWAY)
            }
        }
    }

    fn upstream(&self) -> Upstream<'_> {
        let Self { client, address, is_for_command, keyring, patience, .. } = self;
        Upstream {
            client,
            address,
            is_for_command: *is_for_command,
            keyring,
            patience: *patience,
            server: None,
        }
    }

    /// Passes a file on, as long as it has no more than that.
    fn bounded(self: Arc<Self>, body: Body, bytes_max: u64) -> Outgoing {
        let pieces = stream::unfold((self, body, bytes_max), |(files, mut body, left)| async move {
            let taken = match body.next().await {
                Ok(None) => return None,
                Ok(Some(bytes)) => files.take(&bytes, left).map(|left| (bytes, left)),
                Err(trouble) => Err(trouble),
            };
            let (piece, left) = match taken {
                Ok((bytes, left)) => (Ok(Frame::data(bytes)), left),
                Err(trouble) => {
                    let broken = trouble.to_string().into();
                    files.note(trouble);
                    (Err(broken), 0)
                }
            };
            Some((piece, (files, body, left)))
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    /// Returns how much of a file may still come after these bytes.
    fn take(&self, bytes: &Bytes, left: u64) -> Result<u64, Trouble> {
        let (mut n_bytes_left, n_bytes) = (lock(&self.n_bytes_left), bytes.len() as u64);
        let all = n_bytes_left.checked_sub(n_bytes);
        let (Some(all), Some(left)) = (all, left.checked_sub(n_bytes)) else {
            return Err(Trouble::Bad { reason: "a file of the repository has no end".to_owned() });
        };
        *n_bytes_left = all;
        Ok(left)
    }

    fn note(&self, trouble: Trouble) {
        lock(&self.trouble).get_or_insert(trouble);
    }
}

fn empty(status: StatusCode) -> Response<Outgoing> {
    let mut response = Response::new(host::http::whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use fakes::Answer;
    use host::http::{Proxies, Roots, Settings};
    use http_body_util::Empty;
    use hyper_util::client::legacy;
    use hyper_util::rt::TokioExecutor;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_who_has_the_key_is_given_files_and_only_those_of_the_repository() {
        let upstream = fakes::Upstream::start_blocking();
        for file in ["HEAD", "config", "objects/info/packs"] {
            upstream.put("127.0.0.1", &format!("/app.git/{file}"), Answer::file(vec![b'a'; 8000]));
        }
        let client = Client::new(Settings {
            roots: Roots::empty(),
            upstreams: Vec::new(),
            allow: vec!["127.0.0.1".parse().unwrap()],
            public_hosts: Vec::new(),
            server: None,
            proxies: Proxies::default(),
        });
        let address = Address::parse(&format!("http://{}/app.git", upstream.plain_address())).unwrap();
        let (keyring, patience) = (Keyring::default(), Patience::default());
        let (client, address, keyring) = (&client, &address, &keyring);
        let upstream = Upstream { client, address, is_for_command: false, keyring, patience, server: None };
        let relay = Relay::open(&upstream).await.unwrap();
        let key = relay.header.strip_prefix("outlast-relay: ").unwrap();
        let ask = async |file: &str, key: &str| {
            let client = legacy::Client::builder(TokioExecutor::new()).build_http();
            let request = Request::get(format!("{}/{file}", relay.url)).header(KEY, key);
            let response = client.request(request.body(Empty::<Bytes>::new()).unwrap()).await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.into_body().collect().await.ok()?.to_bytes().len()))
        };
        assert_eq!(ask("objects/info/packs", key).await, Some((200, 8000)), "the control");
        for (file, key) in [("objects/info/packs", ""), ("objects/info/packs", &key[1..]), ("config", key)] {
            assert_eq!(ask(file, key).await, Some((404, 0)), "{file} {key}");
        }
        assert_eq!(ask("HEAD", key).await, None, "it is larger than any, and breaks off");
        let stop = Trouble::Unavailable { reason: format!("git says: {}", relay.url) }.into();
        let Stop::There(trouble) = relay.blame(stop) else { panic!() };
        assert_eq!(trouble.to_string(), "a file of the repository has no end");
    }
}
