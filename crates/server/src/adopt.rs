//! `POST /adopt`: a project's locks, so that what they pin is kept before anybody else asks for it.

use std::future::Future;
use std::pin::Pin;

use host::http::Outgoing;
use http::{HeaderMap, Request, Response, StatusCode};
use model::Sha256;
use serde::{Deserialize, Serialize};

use crate::answer::{answer, refusal};
use crate::arriving::Arriving;

/// Where it is asked.
pub(crate) const PATH: &str = "/adopt";
/// All locks of a large monorepo.
const BODY_BYTES_MAX: u64 = 64 << 20;
/// Whoever sends `Prefer: respond-async` (RFC 7240 §4.1) does not wait for the end.
const ASYNC: &str = "respond-async";

/// A project's locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptRequest {
    /// What it is called where the locks lie; who sent them is said beside it.
    pub project: String,
    /// Its locks.
    #[serde(default)]
    pub locks: Vec<SentLock>,
    /// Addresses besides them.
    #[serde(default)]
    pub urls: Vec<String>,
}

/// A lock that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentLock {
    /// Where it lies in the project; its last part says which lock it is.
    pub path: String,
    /// The digest of its bytes.
    pub sha256: Sha256,
    /// Its text; none by whoever asks first whether it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What became of it.
#[derive(Debug)]
pub enum AdoptAnswer {
    /// These very locks were adopted, and nothing is missing that was not tried a short while ago.
    Known,
    /// The texts are wanted.
    WantsTexts,
    /// The report of `outlast adopt --json`.
    Done(serde_json::Value),
    /// Too much is being adopted already.
    Busy,
    /// It cannot be adopted.
    Refused(String),
}

/// Keeps what projects need.
pub trait Adopter: Send + Sync + std::fmt::Debug {
    /// Decides at once whether there is something to do for `who` asks: the work, or the answer. The work goes on when nobody
    /// waits for its answer any more.
    fn adopt(&self, who: String, request: AdoptRequest) -> Result<AdoptWork, AdoptAnswer>;
}

/// Keeping what a project needs.
pub type AdoptWork = Pin<Box<dyn Future<Output = AdoptAnswer> + Send>>;

/// Answers a request of somebody who may do this.
pub(crate) async fn adopt(
    adopter: &dyn Adopter,
    who: String,
    request: Request<Arriving>,
) -> Response<Outgoing> {
    if request.method() != http::Method::POST {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "refused", "locks are sent with POST", HINT);
    }
    let is_patient = !is_async(request.headers());
    let body = match request.into_body().whole(BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(fault) => return fault.refuse(),
    };
    let sent: AdoptRequest = match serde_json::from_slice(&body) {
        Ok(sent) => sent,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, "bad_request", &error.to_string(), HINT),
    };
    // As large as it may be, and not needed while others are adopted.
    drop(body);
    let work = match adopter.adopt(who, sent) {
        Ok(work) => tokio::spawn(work),
        Err(answer) => return told(answer),
    };
    if !is_patient {
        return said(StatusCode::ACCEPTED, &serde_json::json!({ "state": "begun" }));
    }
    work.await.map_or_else(
        |_| {
            let hint = "look at the server's log";
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "fault", "adopting came to grief", hint)
        },
        told,
    )
}

fn told(answer: AdoptAnswer) -> Response<Outgoing> {
    match answer {
        AdoptAnswer::Known => said(StatusCode::OK, &serde_json::json!({ "state": "known" })),
        AdoptAnswer::WantsTexts => said(StatusCode::OK, &serde_json::json!({ "state": "wants_texts" })),
        AdoptAnswer::Done(report) => {
            said(StatusCode::OK, &serde_json::json!({ "state": "done", "report": report }))
        }
        AdoptAnswer::Refused(reason) => refusal(StatusCode::UNPROCESSABLE_ENTITY, "refused", &reason, HINT),
        AdoptAnswer::Busy => {
            let reason = "this server adopts too many projects already";
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", reason, "send it again in some minutes")
        }
    }
}

const HINT: &str = "`outlast adopt --via URL` speaks to this address";

fn is_async(headers: &HeaderMap) -> bool {
    let wishes = headers.get_all("prefer").iter().filter_map(|wish| wish.to_str().ok());
    wishes.flat_map(|wish| wish.split(',')).any(|wish| wish.trim().eq_ignore_ascii_case(ASYNC))
}

fn said(status: StatusCode, value: &serde_json::Value) -> Response<Outgoing> {
    answer(status, "application/json", value.to_string().into())
}
