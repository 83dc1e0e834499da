//! A second copy at another Outlast's server; the addresses are described in crates/server/src/copies.rs.

use std::io::{self, Read as _, Write};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use futures_util::{StreamExt as _, stream};
use host::http::Outgoing;
use http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use model::{ObjectUrl, Secret, Sha256};
use serde::de::DeserializeOwned;
use store::{BlobReader, CopyError, Head, Look, Part, SecondCopy};
use tokio::runtime::Handle;

use super::moving::Moving;
use crate::failure::Failure;
use crate::home::Home;
use crate::peer::{self, Peer};

/// So many blobs are on their way at a time.
const N_AT_ONCE: usize = 8;
/// What is no longer is sent at once.
const WHOLE_BYTES_MAX: u64 = 128 * 1024;
/// How long nothing may move: the buffers on the way hold a megabyte that a line of 10 KB/s has to carry first.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the other side may take to say how far it has come.
const PATIENCE_FOR_HEAD: Duration = Duration::from_secs(10);

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
        authorization: Option<Secret<HeaderValue>>,
    ) -> Result<Self, Failure> {
        let path = format!("/copies/{journal}");
        Ok(Self { peer: Peer::new(home, url, authorization)?, path, runtime: Handle::current() })
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

    /// Asks, and reads the answer; nothing where there is none. `size_bytes` is what the other side reads back before it answers.
    fn ask<T: DeserializeOwned>(
        &self,
        patience: Duration,
        (method, path): (Method, &str),
        body: Vec<u8>,
        size_bytes: u64,
    ) -> Result<Option<T>, CopyError> {
        let moving = Moving::within(patience);
        let asking = async {
            let body = match body.is_empty() {
                true => host::http::whole(Bytes::new()),
                false => moving.body(io::Cursor::new(body), size_bytes),
            };
            let answered = self.send(method, path, body).await?;
            moving.moved();
            match answered {
                None => Ok(None),
                Some(response) => peer::read(response).await.map(Some),
            }
        };
        self.runtime.block_on(moving.wait(asking)).map_err(|error| self.error(error))
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

    /// Sends a blob; whether it could be read whole from here. `size_bytes` is what the other side has to read back meanwhile.
    async fn put_one(&self, mut blob: BlobReader, moving: &Moving, size_bytes: u64) -> anyhow::Result<bool> {
        let sha256 = blob.sha256();
        // Small ones are read before anything is sent.
        let body = if blob.size_bytes() <= WHOLE_BYTES_MAX {
            let mut bytes = Vec::new();
            if blob.read_to_end(&mut bytes).is_err() {
                return Ok(false);
            }
            host::http::whole(bytes.into())
        } else if blob.verify().is_err() {
            return Ok(false);
        } else {
            moving.body(blob, size_bytes)
        };
        // Long ones take their time to be read here.
        moving.moved();
        let taken = self.send(Method::PUT, &format!("/blobs/{sha256}"), body).await;
        moving.moved();
        taken?.with_context(|| format!("it did not take blob {sha256}")).map(|_| true)
    }

    fn path_of(part: &Part<'_>) -> (String, Vec<u8>) {
        match part {
            Part::Closed { name, packed, next } => (format!("/segments/{name}"), [*next, *packed].concat()),
            Part::Open { offset, bytes } => (format!("/journal?offset={offset}"), bytes.to_vec()),
        }
    }
}

impl SecondCopy for Remote {
    fn place(&self) -> String {
        self.peer.place().to_owned()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        self.ask(PATIENCE_FOR_HEAD, (Method::GET, ""), Vec::new(), 0)
    }

    fn missing(&self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<Vec<Sha256>, CopyError> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let path = match look {
            Look::New | Look::There => "/missing?look=there",
            Look::Whole => "/missing?look=whole",
        };
        let body = serde_json::to_vec(blobs).map_err(io::Error::from)?;
        self.ask(PATIENCE, (Method::POST, path), body, size_bytes)?
            .ok_or_else(|| self.at()(anyhow!("it has no place for second copies")))
    }

    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        let moving = Moving::within(PATIENCE);
        // Several are read back at the same time there, from the same disk.
        let size_bytes = blobs.iter().map(BlobReader::size_bytes).sum();
        let sending = async {
            let mut unread = Vec::new();
            let one = |blob: BlobReader| async {
                let sha256 = blob.sha256();
                self.put_one(blob, &moving, size_bytes).await.map(|was_read| (sha256, was_read))
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
        self.runtime.block_on(moving.wait(sending)).map_err(self.at())
    }

    fn append(&self, part: Part<'_>) -> Result<(), CopyError> {
        let (path, body) = Self::path_of(&part);
        let taken: Option<serde_json::Value> = self.ask(PATIENCE, (Method::PUT, &path), body, 0)?;
        taken.map(drop).ok_or_else(|| self.at()(anyhow!("it did not take the journal")))
    }

    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        let moving = Moving::within(PATIENCE);
        let getting = async {
            let body = host::http::whole(Bytes::new());
            let Some(response) = self.send(Method::GET, &format!("/blobs/{sha256}"), body).await? else {
                return Ok(false);
            };
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                if let Some(chunk) = frame?.data_ref() {
                    to.write_all(chunk)?;
                    moving.moved();
                }
            }
            Ok(true)
        };
        match self.runtime.block_on(moving.wait(getting)).map_err(self.at())? {
            true => Ok(()),
            false => Err(CopyError::Missing { place: self.place(), sha256: *sha256 }),
        }
    }
}
