//! Asks the upstream itself, and gives up after the time that suits.

use std::pin::pin;
use std::time::Duration;

use host::http::FetchError;
use http::{HeaderMap, Method};
use model::SafeUrl;

use crate::fetch::said;
use crate::flight::Flight;
use crate::health::breaker::{Attempt, Gate, Lane, Outcome};
use crate::leaving;
use crate::limits::{DOWN_PATIENCE, FIRST_BYTE_TIMEOUT, HANGS_AFTER, SOFT_DEADLINE};
use crate::redirect::Trouble;
use crate::session::Inner;
use crate::upstream::{Question, Reply};
use crate::want::Want;

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// Nobody was asked.
    NotAsked(String),
    /// The upstream asked to be left alone, for so long.
    Deferred(Duration),
    /// This host gave none.
    Trouble { host: String, reason: String },
}

impl Inner {
    /// Asks the upstream for an object.
    pub(crate) async fn ask_origin(
        &self,
        want: &Want,
        headers: HeaderMap,
        flight: &Flight,
    ) -> Result<(Reply, Attempt), NoReply> {
        let question = Question::bare(Method::GET, want.url.clone(), headers, want.chooser);
        host::failpoint::pass("proxy.asking").map_err(|error| NoReply::NotAsked(error.to_string()))?;
        if let Some(left) = self.deferred(want.host(), want.lane()) {
            return Err(NoReply::Deferred(left));
        }
        let attempt = self.attempt(want.host(), want.lane());
        match self.ask_following(want, question, Some(flight)).await {
            Ok(reply) => {
                let attempt = Attempt { host: reply.host.clone(), ..attempt };
                Ok((reply, attempt))
            }
            Err(Trouble { host, error }) => {
                self.note_error(&Attempt { host: host.clone(), ..attempt }, &error);
                Err(NoReply::Trouble { host, reason: said(&error) })
            }
        }
    }

    /// Asks without a body, and gives up after the time that suits: soon where the host was cut.
    pub(crate) async fn ask_bounded(
        &self,
        url: SafeUrl,
        method: Method,
        headers: HeaderMap,
    ) -> Result<Reply, FetchError> {
        let host = url.object().host().to_owned();
        self.bounded(&host, Question::bare(method, url, headers, self.chooser())).await
    }

    /// Asks, and gives up after the time that suits.
    pub(crate) async fn bounded(&self, host: &str, question: Question) -> Result<Reply, FetchError> {
        let after = self.patience(host);
        match tokio::time::timeout(after, self.line.ask(question)).await {
            Ok(reply) => reply,
            Err(_) => Err(FetchError::Timeout { host: host.to_owned(), after }),
        }
    }

    /// Asks with a body that may be long: the patience begins anew with each piece of it that leaves.
    pub(crate) async fn while_it_leaves(&self, host: &str, question: Question) -> Result<Reply, FetchError> {
        let after = self.patience(host);
        let (body, left) = leaving::counted(question.body);
        let asking = self.line.ask(Question { body, ..question });
        let timeout = || FetchError::Timeout { host: host.to_owned(), after };
        leaving::patiently(asking, after, &left).await.ok_or_else(timeout)?
    }

    /// Asks for an object. A host that takes long is known to hang before its clients give up, and then nobody waits for it as long.
    pub(crate) async fn begun(
        &self,
        host: &str,
        lane: Lane,
        question: Question,
    ) -> Result<Reply, FetchError> {
        let (attempt, patience) = (self.attempt(host, lane), self.patience(host));
        // One in half a minute finds out with all patience whether it is back.
        let after = match self.take_turn(host, lane) {
            Gate::Shut => patience.min(DOWN_PATIENCE),
            Gate::Open | Gate::Probe => patience,
        };
        let mut asking = pin!(self.line.ask(question));
        let early = after.min(HANGS_AFTER);
        if let Ok(reply) = tokio::time::timeout(early, &mut asking).await {
            return reply;
        }
        if early < after {
            let reason = format!("it did not answer within {} s", early.as_secs());
            self.note_outcome(&attempt, Outcome::Hung, &reason);
            if let Ok(reply) = tokio::time::timeout(after - early, asking).await {
                // It was slow, and nothing worse.
                self.note_outcome(&self.attempt(host, lane), Outcome::Answered, "");
                return reply;
            }
        }
        Err(FetchError::Timeout { host: host.to_owned(), after })
    }

    fn patience(&self, host: &str) -> Duration {
        if self.line.fault(host).is_some() { SOFT_DEADLINE } else { FIRST_BYTE_TIMEOUT }
    }
}
