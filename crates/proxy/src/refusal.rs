//! Answers of Outlast's own: what it does not have and cannot get.

use bytes::Bytes;
use host::http::Outgoing;
use http::{HeaderValue, Response, StatusCode, header};
use registry::Ecosystem;

/// How soon a client may ask again; an outage rarely ends sooner.
const RETRY_AFTER_S: u64 = 30;

/// Marks an answer of Outlast's own: it is no word of a host's, and nobody's credentials change it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnWord;

/// Why a request got no answer of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// One word for programs.
    pub(crate) error: &'static str,
    /// What happened, for people.
    pub(crate) reason: String,
    /// The next step.
    pub(crate) hint: &'static str,
    /// How soon a client may ask again.
    pub(crate) retry_after_s: u64,
    /// Whether no copy could ever have answered.
    pub(crate) never_kept: bool,
}

impl Refusal {
    /// Nothing is held and the upstream gave nothing: not a 404, since nobody said that it does not exist.
    pub(crate) const fn unavailable(reason: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "unavailable",
            reason,
            hint: "nothing is kept for this address; record it with `outlast exec --fresh` while the upstream is up",
            retry_after_s: RETRY_AFTER_S,
            never_kept: false,
        }
    }

    /// A request that only its upstream can answer, which gave nothing.
    pub(crate) fn never_kept(reason: String) -> Self {
        let hint = "no copy of such a request is ever kept: it needs its upstream, so leave it out of what must survive";
        Self { hint, never_kept: true, ..Self::unavailable(reason) }
    }

    /// A copy is held, and a lock names other bytes.
    pub(crate) fn contradicted(reason: String) -> Self {
        let hint = "what is held is not what the lock names: check the lock, then fetch what it names with \
                    `outlast exec --fresh` while the upstream is up";
        Self { hint, ..Self::unavailable(reason) }
    }

    /// Nothing was held at the moment that was asked for.
    pub(crate) fn not_held_then(reason: String) -> Self {
        let hint = "nothing of this address was held at that time: name a later one, or leave --at out";
        Self { hint, ..Self::unavailable(reason) }
    }

    /// What came cannot be what was asked for: what would be right, nobody knows yet.
    pub(crate) const fn wrong(reason: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "wrong",
            reason,
            hint: "the answer was not passed on; `outlast status` shows what was quarantined or rejected",
            retry_after_s: RETRY_AFTER_S,
            never_kept: false,
        }
    }

    /// Whoever has it says that it does not exist, or it cannot.
    pub(crate) fn absent(reason: String) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            error: "absent",
            hint: "names that [[registry]] in outlast.toml has are asked for there and nowhere else",
            ..Self::unavailable(reason)
        }
    }

    /// A company's host does not let Outlast in.
    pub(crate) fn shut_out(reason: String) -> Self {
        Self {
            error: "shut_out",
            hint: "whoever runs this Outlast has to look at `credentials_file` of this host in outlast.toml",
            ..Self::unavailable(reason)
        }
    }

    /// A person has decided that it is not given out.
    pub(crate) fn blocked(status: StatusCode, reason: String) -> Self {
        Self {
            error: "blocked",
            hint: "[[block]] in the outlast.toml of whoever runs this Outlast says so; choose another version",
            ..Self::bad_request(status, reason)
        }
    }

    /// A copy is known to the journal, and its bytes are not what they were.
    pub(crate) const fn damaged(reason: String) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: "damaged",
            reason,
            hint: "`outlast store verify` names everything that is damaged",
            retry_after_s: RETRY_AFTER_S,
            never_kept: false,
        }
    }

    /// A request that no upstream should see.
    pub(crate) const fn bad_request(status: StatusCode, reason: String) -> Self {
        Self {
            status,
            error: "refused",
            reason,
            hint: "the request was not sent to the upstream",
            retry_after_s: RETRY_AFTER_S,
            never_kept: false,
        }
    }

    /// Returns the answer.
    pub(crate) fn response(&self) -> Response<Outgoing> {
        self.response_for(None)
    }

    /// Returns the answer in the form that an ecosystem's clients show.
    pub(crate) fn response_for(&self, ecosystem: Option<&dyn Ecosystem>) -> Response<Outgoing> {
        let mut body = serde_json::json!({ "error": self.error, "reason": self.reason, "hint": self.hint });
        let message = format!("Outlast: {}", self.reason);
        for (name, value) in ecosystem.map(|it| it.refusal_fields(&message)).into_iter().flatten() {
            body[name] = value;
        }
        let mut response = Response::new(host::http::whole(Bytes::from(body.to_string())));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(OwnWord);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after_s));
        }
        response
    }
}
