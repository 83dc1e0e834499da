//! A team's server, which keeps repositories as well: what a copy lacks and the server has comes from there, before the upstream is asked.

use std::time::Duration;

use git::Spoken;
use host::http::{HeaderMap, HeaderValue, Keyring, Method};
use model::{Secret, Timestamp};

use crate::address::Address;
use crate::ask::{ADVERTISEMENT, Trouble, Upstream, is_of, other};
use crate::listed::Heard;
use crate::mirror::Mirror;
use crate::outcome::{Stop, SyncError};
use crate::pace::Patience;
use crate::sync::N_TRIES;

/// How long a server may think before it says which refs it has: they are in its memory.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How it says how a copy stands to its upstream.
const STATE: &str = "outlast-state";

/// A team's server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its address, without `/` at the end.
    pub base: String,
    /// What it lets in by.
    pub authorization: Option<Secret<HeaderValue>>,
}

/// What came of asking a team's server for a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The copy has what the server has, unless it has moved on from there.
    Given,
    /// The server does not have it, or not for us.
    Absent,
    /// The server could not be asked.
    Silent {
        /// Why.
        reason: String,
    },
}

impl Mirror {
    /// Takes from a team's server what a copy lacks: refs that are not there, and those that only grow. Whatever else differs is for the
    /// upstream to say.
    ///
    /// # Errors
    /// What is wrong here.
    pub async fn take_from(&self, server: &Server, address: &Address) -> Result<Taken, SyncError> {
        // It is told nothing of credentials of others.
        let nobody = Keyring::default();
        let upstream = Upstream { server: Some(server), ..self.upstream(address, &nobody) };
        for _ in 0..N_TRIES {
            match self.try_to_take(&upstream).await {
                Ok(Some(taken)) => return Ok(taken),
                Ok(None) => {}
                Err(Stop::Here(SyncError::Copy(error))) if error.is_busy() => {}
                Err(Stop::Here(error)) => return Err(error),
                Err(Stop::There(Trouble::Disk(error))) => return Err(SyncError::Disk(error)),
                Err(Stop::There(Trouble::Absent { .. })) => return Ok(Taken::Absent),
                Err(Stop::There(trouble)) => return Ok(Taken::Silent { reason: trouble.to_string() }),
            }
        }
        Ok(Taken::Silent { reason: "others are at work on its copy".to_owned() })
    }

    /// Takes it once; nothing where another process was faster.
    async fn try_to_take(&self, upstream: &Upstream<'_>) -> Result<Option<Taken>, Stop> {
        let seen = self.store().newest_refs(upstream.address.repo())?.map(|entry| entry.seq);
        let quick =
            Patience { first_byte: SIGN_OF_LIFE.min(upstream.patience.first_byte), ..upstream.patience };
        let heard = self.hear_server(&Upstream { patience: quick, ..*upstream }).await?;
        Ok(self.follow(upstream, &heard, seen).await?.map(|_| Taken::Given))
    }

    async fn hear_server(&self, upstream: &Upstream<'_>) -> Result<Heard, Stop> {
        let path = "info/refs?service=git-upload-pack";
        let answer = upstream.send(Method::GET, path, ADVERTISEMENT, Vec::new()).await?;
        // Any other is a page of something in front of it.
        let as_of = Some(&answer).filter(|answer| is_of(answer, ADVERTISEMENT));
        let as_of =
            as_of.and_then(|answer| as_of_state(answer.headers(), self.clock().now())).ok_or_else(other)?;
        let Spoken::Two(capabilities) = upstream.read_spoken(answer).await? else {
            return Err(other().into());
        };
        let object_format = capabilities.object_format;
        let listed = upstream.list(&object_format).await?;
        Ok(Heard { object_format, listed, speech: Some(git::Speech::Two), as_of: Some(as_of) })
    }
}

/// Returns when the upstream last had what a server has, by the server's word; nothing where it says nothing of it.
fn as_of_state(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let mut parts = headers.get(STATE)?.to_str().ok()?.split(';').map(str::trim);
    match parts.next()? {
        "fresh" => Some(now),
        "stale" => parts.find_map(|part| part.strip_prefix("since=")?.parse().ok()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_how_old_its_refs_are() {
        let now: Timestamp = "2026-05-21T10:00:00Z".parse().unwrap();
        let check = |state: &'static str, expected: Option<&str>| {
            let headers = [(STATE.parse().unwrap(), HeaderValue::from_static(state))].into_iter().collect();
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(as_of_state(&headers, now), expected, "{state}");
        };
        check("fresh", Some("2026-05-21T10:00:00Z"));
        check("stale; since=2026-05-20T08:00:00Z; reason=x", Some("2026-05-20T08:00:00Z"));
        check("stale", None);
        check("welcome", None);
        assert_eq!(as_of_state(&HeaderMap::new(), now), None);
    }
}
