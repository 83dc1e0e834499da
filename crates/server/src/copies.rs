//! Second copies of other homes, which their owners bring up to date over the network. A copy only grows: nothing that is sent here
//! takes away or changes what is there.
//!
//! | request, below `/copies/<journal id>` | what it does |
//! |---|---|
//! | `GET` | says how far the copy's journal has come ([`store::Head`]); 404 where there is none |
//! | `POST /missing?look=there\|whole`, a list of digests | says which of these blobs are not there; `whole` reads them back |
//! | `PUT /blobs/<sha256>` | takes a blob; durable and read back before the answer |
//! | `GET /blobs/<sha256>` | gives one |
//! | `PUT /segments/<sha256>` | takes a closed segment, after the first line of the one behind it |
//! | `PUT /journal?offset=N` | takes what follows in the open segment |

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use host::http::Outgoing;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use model::Sha256;
use store::{BLOB_BYTES_MAX, CopyError, CopyFolder, Look, Part, SecondCopy};
use tokio::sync::mpsc;

use crate::answer::{answer, json, refusal};
use crate::arriving::{Arriving, Fault};

/// Under which path the copies are.
pub(crate) const PATH: &str = "/copies/";
/// A part of a journal, or a list of digests.
const PART_BYTES_MAX: u64 = 64 << 20;
/// What is asked about at a time.
const N_ASKED_MAX: usize = 10_000;
/// Copies that are open.
const N_OPEN_MAX: usize = 64;
/// How much of a blob is read before it has left.
const N_CHUNKS_AHEAD: usize = 4;

/// The second copies that a server has.
#[derive(Debug)]
pub struct Copies {
    folder: PathBuf,
    open: Mutex<HashMap<String, Arc<CopyFolder>>>,
}

impl Copies {
    /// Keeps copies in a folder, each under the id of its journal.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, open: Mutex::default() }
    }

    /// Answers a request for a path below [`PATH`], query included. Whoever asks may do so.
    pub(crate) async fn answer(&self, path: &str, request: Request<Arriving>) -> Response<Outgoing> {
        let answered = match Asked::parse(path) {
            Some(asked) => self.answer_to(&asked, request).await,
            None => return refusal(StatusCode::NOT_FOUND, "absent", "nothing is there", HINT),
        };
        answered.unwrap_or_else(|why| match why {
            Why::Sender(fault) => fault.refuse(),
            Why::Copy(error) => refuse(&error),
        })
    }

    async fn answer_to(
        &self,
        asked: &Asked<'_>,
        request: Request<Arriving>,
    ) -> Result<Response<Outgoing>, Why> {
        let method = request.method().clone();
        match (&method, asked.what, asked.name) {
            (&Method::GET, "", "") => {
                let head = self.existing(asked.journal)?.map(|copy| blocking(|| copy.head())).transpose()?;
                Ok(head.flatten().map_or_else(|| absent("there is no copy of it"), |head| json(&head)))
            }
            (&Method::GET, "blobs", name) => {
                let (Some(copy), Ok(sha256)) = (self.existing(asked.journal)?, name.parse()) else {
                    return Ok(absent("there is no such blob"));
                };
                if !blocking(|| copy.missing(&[sha256], Look::There, 0))?.is_empty() {
                    return Ok(absent("there is no such blob"));
                }
                Ok(Response::new(sent(copy, sha256)))
            }
            (&Method::POST, "missing", "") => self.missing(asked, request).await,
            (&Method::PUT, "blobs", name) => match name.parse() {
                Ok(sha256) => self.take_blob(asked.journal, &sha256, request).await,
                Err(_) => Ok(bad("that is no name of a blob")),
            },
            (&Method::PUT, "segments", name) => {
                let (Ok(name), bytes) = (name.parse(), whole(request).await?) else {
                    return Ok(bad("that is no name of a segment"));
                };
                let end = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let (next, packed) = bytes.split_at(end);
                let copy = self.begun(asked.journal)?;
                blocking(|| copy.append(Part::Closed { name: &name, packed, next }))?;
                Ok(taken())
            }
            (&Method::PUT, "journal", "") => {
                let Some(offset) = asked.query.strip_prefix("offset=").and_then(|text| text.parse().ok())
                else {
                    return Ok(bad("it does not say behind which byte"));
                };
                let bytes = whole(request).await?;
                let copy = self.begun(asked.journal)?;
                blocking(|| copy.append(Part::Open { offset, bytes: &bytes }))?;
                Ok(taken())
            }
            _ => Ok(absent("nothing is there")),
        }
    }

    async fn missing(
        &self,
        asked: &Asked<'_>,
        request: Request<Arriving>,
    ) -> Result<Response<Outgoing>, Why> {
        let look = match asked.query {
            "look=whole" => Look::Whole,
            _ => Look::There,
        };
        let blobs: Vec<Sha256> = match serde_json::from_slice(&whole(request).await?) {
            Ok(blobs) => blobs,
            Err(_) => return Ok(bad("that is no list of digests")),
        };
        if blobs.len() > N_ASKED_MAX {
            return Ok(bad("that are too many at a time"));
        }
        match self.existing(asked.journal)? {
            None => Ok(json(&blobs)),
            Some(copy) => Ok(json(&blocking(|| copy.missing(&blobs, look, 0))?)),
        }
    }

    async fn take_blob(
        &self,
        journal: &str,
        sha256: &Sha256,
        request: Request<Arriving>,
    ) -> Result<Response<Outgoing>, Why> {
        let mut body = request.into_body().at_most(BLOB_BYTES_MAX)?;
        let copy = self.begun(journal)?;
        let mut blob = copy.begin()?;
        while let Some(chunk) = body.next().await? {
            blocking(|| blob.write_all(&chunk)).map_err(CopyError::at(&copy.place()))?;
        }
        blocking(|| copy.finish(blob, sha256))?;
        Ok(taken())
    }

    fn existing(&self, journal: &str) -> Result<Option<Arc<CopyFolder>>, CopyError> {
        let is_there = self.folder.join(journal).join("journal").is_dir();
        if is_there { self.begun(journal).map(Some) } else { Ok(None) }
    }

    /// Returns the copy, which is begun where there is none.
    fn begun(&self, journal: &str) -> Result<Arc<CopyFolder>, CopyError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(journal);
        if let Some(copy) = open.get(journal).filter(|_| path.join("journal").is_dir()) {
            return Ok(copy.clone());
        }
        // Each holds a file open; there are as many as there are homes that copy themselves here.
        if open.len() >= N_OPEN_MAX {
            open.clear();
        }
        let copy = Arc::new(blocking(|| CopyFolder::create(&path, journal))?);
        open.insert(journal.to_owned(), copy.clone());
        Ok(copy)
    }
}

const HINT: &str = "`outlast store copy` speaks to this address";

/// Why something is not done.
#[derive(Debug)]
enum Why {
    Sender(Fault),
    Copy(CopyError),
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Self {
        Self::Sender(fault)
    }
}

impl From<CopyError> for Why {
    fn from(error: CopyError) -> Self {
        Self::Copy(error)
    }
}

/// What a path asks for.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    journal: &'a str,
    what: &'a str,
    name: &'a str,
    query: &'a str,
}

impl<'a> Asked<'a> {
    fn parse(path_and_query: &'a str) -> Option<Self> {
        let rest = path_and_query.strip_prefix(PATH)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut parts = path.split('/');
        let (journal, what, name) = (parts.next()?, parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let is_id =
            journal.len() == 32 && journal.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        (is_id && parts.next().is_none()).then_some(Self { journal, what, name, query })
    }
}

/// Waits for the disk where others are not held up.
fn blocking<T>(act: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(act)
}

async fn whole(request: Request<Arriving>) -> Result<Bytes, Fault> {
    request.into_body().whole(PART_BYTES_MAX).await
}

fn taken() -> Response<Outgoing> {
    answer(StatusCode::CREATED, "application/json", Bytes::from_static(b"{}"))
}

fn absent(reason: &str) -> Response<Outgoing> {
    refusal(StatusCode::NOT_FOUND, "absent", reason, HINT)
}

fn bad(reason: &str) -> Response<Outgoing> {
    refusal(StatusCode::BAD_REQUEST, "bad_request", reason, HINT)
}

/// Returns a blob as a body that is read as it leaves.
fn sent(copy: Arc<CopyFolder>, sha256: Sha256) -> Outgoing {
    let (sender, receiver) = mpsc::channel(N_CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut leaving = Leaving(sender.clone());
        if let Err(error) = copy.get(&sha256, &mut leaving) {
            // The client sees a broken transfer.
            let _ = sender.blocking_send(Err(error.into()));
        }
    });
    Chunks(receiver).boxed_unsync()
}

type Chunk = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug)]
struct Leaving(mpsc::Sender<Chunk>);

impl std::io::Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Chunks(mpsc::Receiver<Chunk>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

fn refuse(error: &CopyError) -> Response<Outgoing> {
    let (status, kind) = match error {
        CopyError::Missing { .. } => (StatusCode::NOT_FOUND, "absent"),
        CopyError::Wrong { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "wrong"),
        CopyError::Diverged { .. } => (StatusCode::CONFLICT, "diverged"),
        CopyError::Moved { .. } => (StatusCode::CONFLICT, "moved"),
        CopyError::Foreign { .. } | CopyError::Link { .. } => (StatusCode::CONFLICT, "foreign"),
        _ => (StatusCode::INSUFFICIENT_STORAGE, "disk"),
    };
    let why = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    tracing::error!("a second copy could not be brought up to date: {error}{why}");
    refusal(status, kind, &format!("{error}{why}"), "look at the disk of this server")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_copy_and_one_thing_of_it() {
        let id = "0123456789abcdef0123456789abcdef";
        for (path, expected) in [
            ("", ("", "", "")),
            ("/journal?offset=7", ("journal", "", "offset=7")),
            ("/blobs/ab", ("blobs", "ab", "")),
        ] {
            let path = format!("/copies/{id}{path}");
            let Asked { journal, what, name, query } = Asked::parse(&path).unwrap();
            assert_eq!((journal, (what, name, query)), (id, expected), "{path}");
        }
        for path in [
            "/copies/",
            "/copies/..",
            "/copies/../x",
            &format!("/copies/{id}/a/b/c"),
            &format!("/copies/{}", id.to_uppercase()),
        ] {
            assert!(Asked::parse(path).is_none(), "{path}");
        }
    }
}
