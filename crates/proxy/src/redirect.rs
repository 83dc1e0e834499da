//! Goes where redirects lead, for files that keep a stable name while what lies behind it is signed and expires.

use host::http::FetchError;
use http::{HeaderMap, header};
use registry::Redirects;

use crate::decide;
use crate::flight::Flight;
use crate::headers::CREDENTIALS;
use crate::limits::N_HOPS_MAX;
use crate::session::Inner;
use crate::upstream::{Chooser, Question, Reply};
use crate::want::Want;

/// Why nothing came, and from whom.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) host: String,
    pub(crate) error: FetchError,
}

impl Inner {
    /// Asks, and goes where redirects lead if the ecosystem says so; where they lead is Outlast's choice, so each hop is
    /// judged. The flight hears whom it waits for.
    ///
    /// # Errors
    /// `Redirects` when they lead in circles or too far, `Forbidden` when they lead inwards.
    pub(crate) async fn ask_following(
        &self,
        want: &Want,
        question: Question,
        flight: Option<&Flight>,
    ) -> Result<Reply, Trouble> {
        let (method, mut headers, mut url) =
            (question.method.clone(), question.headers.clone(), question.url.clone());
        let of = |host: &str| {
            let host = host.to_owned();
            move |error| Trouble { host, error }
        };
        let mut reply = self.begun(want.host(), want.lane(), question).await.map_err(of(want.host()))?;
        if want.redirects() == Redirects::HandedBack {
            return Ok(reply);
        }
        for _ in 0..N_HOPS_MAX {
            if !decide::is_redirect(reply.status) {
                return Ok(reply);
            }
            let location = reply.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let target = location.and_then(|location| url.object().join(location).ok());
            let Some(target) = target else {
                let host = url.object().host().to_owned();
                return Err(Trouble { error: FetchError::Redirects { host: host.clone() }, host });
            };
            if target.object().authority() != url.object().authority() {
                without_credentials(&mut headers);
            }
            let host = target.object().host().to_owned();
            self.notes.asked_inside(want.url.object(), target.object(), self.at_ms());
            if let Some(flight) = flight {
                flight.turn_to(&host);
            }
            url = target;
            let hop = Question::bare(method.clone(), url.clone(), headers.clone(), Chooser::Outlast);
            reply = self.begun(&host, want.lane(), hop).await.map_err(of(&host))?;
        }
        if decide::is_redirect(reply.status) {
            let host = want.host().to_owned();
            return Err(Trouble { error: FetchError::Redirects { host: host.clone() }, host });
        }
        Ok(reply)
    }
}

fn without_credentials(headers: &mut HeaderMap) {
    for name in &CREDENTIALS {
        headers.remove(name);
    }
}
