//! A second copy at another Outlast's server; the addresses are described in crates/server/src/copies.rs.

use std::io::{self, Read as _, Write};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::{StreamExt as _, stream};
use host::http::Outgoing;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use model::{ObjectUrl, Secret, Sha256};
use serde::de::DeserializeOwned;
use store::{BlobReader, CopyError, Head, Look, Part, SecondCopy};
use tokio::runtime::Handle;

use crate::failure::Failure;
use crate::home::Home;
use crate::peer::{self, Peer};

/// So many blobs are on their way at a time.
const N_AT_ONCE: usize = 8;
const CHUNK_BYTES: usize = 128 * 1024;
/// How long the other side may take for anything but the bytes of a blob: it may read back a gigabyte meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to say how far it has come.
const PATIENCE_FOR_HEAD: Duration = Duration::from_secs(10);
/// How long a blob may be on its way: a gigabyte at 1 MB/s.
const PATIENCE_WITH_BLOBS: Duration = Duration::from_secs(1200);

/// The copy of one journal at a server. Its methods wait, and must not be called where others would be held up.
#[derive(Debug)]
pub(super) struct Remote {
    peer: Peer,
    path: String,
    runtime: Handle,
}

impl Remote {
    pub(super) fn new(
        home: &Home,
        url: &ObjectUrl,
        journal: &str,
        token: Option<Secret<String>>,
    ) -> Result<Self, Failure> {
        let path = format!("/copies/{journal}");
        Ok(Self { peer: Peer::new(home, url, token)?, path, runtime: Handle::current() })
    }

    fn at(&self) -> impl FnOnce(anyhow::Error) -> CopyError {
        CopyError::at(self.peer.place())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Outgoing,
    ) -> anyhow::Result<Option<Response<Incoming>>> {
        self.peer.send(method, &format!("{}{path}", self.path), HeaderMap::new(), body, "admin").await
    }

    /// Asks, and reads the answer; nothing where there is none.
    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Option<T>, CopyError> {
        self.ask_within(PATIENCE, method, path, body)
    }

    fn ask_within<T: DeserializeOwned>(
        &self,
        patience: Duration,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Option<T>, CopyError> {
        let asking = async {
            match self.send(method, path, host::http::whole(body)).await? {
                None => Ok(None),
                Some(response) => peer::read(response).await.map(Some),
            }
        };
        self.wait(patience, asking).map_err(|error| self.error(error))
    }

    /// Returns what an error means for a copy.
    fn error(&self, error: anyhow::Error) -> CopyError {
        let place = self.place();
        match error.downcast_ref::<peer::Refused>().map(|refused| &*refused.kind) {
            Some("diverged") => CopyError::Diverged { place },
            Some("moved") => CopyError::Moved { place },
            _ => self.at()(error),
        }
    }

    fn wait<T>(
        &self,
        patience: Duration,
        future: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.runtime.block_on(async {
            let late = || anyhow!("it did not answer within {} s", patience.as_secs());
            tokio::time::timeout(patience, future).await.unwrap_or_else(|_| Err(late()))
        })
    }

    /// Sends a blob; whether it could be read whole from here.
    async fn put_one(&self, blob: BlobReader) -> anyhow::Result<bool> {
        let (sha256, size_bytes) = (blob.sha256(), blob.size_bytes());
        // Small ones are read before anything is sent.
        let body = if size_bytes <= CHUNK_BYTES as u64 {
            let mut bytes = Vec::new();
            let mut blob = blob;
            if blob.read_to_end(&mut bytes).is_err() {
                return Ok(false);
            }
            host::http::whole(bytes.into())
        } else if blob.verify().is_err() {
            return Ok(false);
        } else {
            StreamBody::new(stream::iter(Chunks(blob))).boxed_unsync()
        };
        let taken = self.send(Method::PUT, &format!("/blobs/{sha256}"), body).await;
        taken?.with_context(|| format!("it did not take blob {sha256}")).map(|_| true)
    }

    fn path_of(part: &Part<'_>) -> (String, Bytes) {
        match part {
            Part::Closed { name, packed, next } => {
                (format!("/segments/{name}"), [*next, *packed].concat().into())
            }
            Part::Open { offset, bytes } => (format!("/journal?offset={offset}"), bytes.to_vec().into()),
        }
    }
}

/// The bytes of a blob as a body is made of them.
#[derive(Debug)]
struct Chunks(BlobReader);

impl Iterator for Chunks {
    type Item = Result<Frame<Bytes>, Box<dyn std::error::Error + Send + Sync>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut chunk = vec![0; CHUNK_BYTES];
        match self.0.read(&mut chunk) {
            Ok(0) => None,
            Ok(n) => {
                chunk.truncate(n);
                Some(Ok(Frame::data(chunk.into())))
            }
            Err(error) => Some(Err(error.into())),
        }
    }
}

impl SecondCopy for Remote {
    fn place(&self) -> String {
        self.peer.place().to_owned()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        self.ask_within(PATIENCE_FOR_HEAD, Method::GET, "", Bytes::new())
    }

    fn missing(&self, blobs: &[Sha256], look: Look) -> Result<Vec<Sha256>, CopyError> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let path = match look {
            Look::New | Look::There => "/missing?look=there",
            Look::Whole => "/missing?look=whole",
        };
        let body = serde_json::to_vec(blobs).map_err(io::Error::from)?;
        self.ask(Method::POST, path, body.into())?
            .ok_or_else(|| self.at()(anyhow!("it has no place for second copies")))
    }

    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        let sending = async {
            let mut unread = Vec::new();
            let one = |blob: BlobReader| async {
                let sha256 = blob.sha256();
                self.put_one(blob).await.map(|was_read| (sha256, was_read))
            };
            let mut all = stream::iter(blobs.into_iter().map(one)).buffer_unordered(N_AT_ONCE);
            while let Some(sent) = all.next().await {
                let (sha256, was_read) = sent?;
                if !was_read {
                    unread.push(sha256);
                }
            }
            Ok(unread)
        };
        self.wait(PATIENCE_WITH_BLOBS, sending).map_err(self.at())
    }

    fn append(&self, part: Part<'_>) -> Result<(), CopyError> {
        let (path, body) = Self::path_of(&part);
        let taken: Option<serde_json::Value> = self.ask(Method::PUT, &path, body)?;
        taken.map(drop).ok_or_else(|| self.at()(anyhow!("it did not take the journal")))
    }

    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        let getting = async {
            let body = host::http::whole(Bytes::new());
            let Some(response) = self.send(Method::GET, &format!("/blobs/{sha256}"), body).await? else {
                return Ok(false);
            };
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Some(chunk) = frame?.data_ref() {
                    to.write_all(chunk)?;
                }
            }
            Ok(true)
        };
        match self.wait(PATIENCE_WITH_BLOBS, getting).map_err(self.at())? {
            true => Ok(()),
            false => Err(CopyError::Missing { place: self.place(), sha256: *sha256 }),
        }
    }
}
