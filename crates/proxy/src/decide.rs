//! What to do with a request and with an upstream's answer. Pure: facts in, a decision out.

use std::time::Duration;

use http::StatusCode;
use model::{Freshness, Held, Timestamp};

use crate::health::breaker::Lane;

/// How long an absence is believed without asking again; longer ones have blocked releases (npm/cli#292).
const ABSENT_FOR: Duration = Duration::from_secs(30);

/// How long an absence stands in for an answer where its clients take it for proved: said once, and said again later.
pub(crate) const DOUBTED_FOR: Duration = Duration::from_secs(60);
const BELIEVED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Returns whether an absence that its clients take for proved may still stand in for an answer.
pub(crate) fn may_stand(held: &Held, now: Timestamp, was_said_before: bool) -> bool {
    let bound = if was_said_before { BELIEVED_FOR } else { DOUBTED_FOR };
    now.duration_since(held.confirmed_at).unsigned_abs() < bound
}

/// What kind of thing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Immutable by its nature.
    File,
    /// A mutable document that an ecosystem understands.
    Index,
    /// Anything else.
    Document,
}

impl Kind {
    /// Returns what of its host is asked for it.
    pub(crate) const fn lane(self) -> Lane {
        match self {
            Self::File => Lane::Files,
            Self::Index => Lane::Indexes,
            Self::Document => Lane::Documents,
        }
    }
}

/// What is known when a request arrives.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) held: Option<&'a Held>,
    pub(crate) kind: Kind,
    pub(crate) now: Timestamp,
    /// How long an index is served without asking.
    pub(crate) fresh_for: Duration,
    /// Whether the client insists on asking (`Cache-Control: no-cache`).
    pub(crate) client: Insistence,
    /// Whether somebody else got the copy: it is no answer while there may be one.
    pub(crate) is_anothers: bool,
    /// Whether the list of which it is a document was confirmed just now, and names it.
    pub(crate) is_certain: bool,
    /// Whether the breaker lets a request wait for this host.
    pub(crate) may_wait: bool,
}

/// Whether a client accepts an answer that was not confirmed just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insistence {
    None,
    NoCache,
}

/// What to do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// Serve the copy and ask nobody.
    Serve(Freshness),
    /// Ask the upstream; a copy, where there is one, stands in after the soft deadline.
    Ask,
}

/// Decides what to do with a request.
pub(crate) fn first(situation: &Situation<'_>) -> First {
    let Some(held) = situation.held else {
        return First::Ask;
    };
    if situation.is_anothers {
        return if situation.may_wait { First::Ask } else { First::Serve(standing(held, Freshness::Stale)) };
    }
    if (held.immutable || situation.is_certain) && is_good(held) {
        return First::Serve(standing(held, Freshness::Fresh));
    }
    let age = situation.now.duration_since(held.confirmed_at).unsigned_abs();
    let is_recent = situation.kind == Kind::Index && age < situation.fresh_for && is_good(held);
    if is_recent_absence(situation, held, age) {
        return First::Serve(Freshness::Fresh);
    }
    if is_recent && situation.client == Insistence::None && held.gone_since.is_none() {
        return First::Serve(Freshness::Fresh);
    }
    if situation.may_wait { First::Ask } else { First::Serve(standing(held, Freshness::Stale)) }
}

/// Returns whether the upstream said a moment ago that there is no such thing: a client that asks for what does not exist
/// often asks again at once.
fn is_recent_absence(situation: &Situation<'_>, held: &Held, age: Duration) -> bool {
    matches!(held.status, 404 | 410)
        && age < ABSENT_FOR
        && situation.kind != Kind::Document
        && situation.client == Insistence::None
}

/// What an upstream's status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// What is held is still right.
    Confirmed,
    /// An answer to be verified and kept.
    Answer,
    /// Proved absence, to be kept until something better comes.
    Absence,
    /// Absence of something that is held: an event, never a loss.
    Gone,
    /// Somebody has to say who they are: to be kept for whoever asks in the same way, until something better comes.
    Challenge,
    /// The copy is better than this.
    Worse,
    /// To be passed on and not kept.
    Pass,
}

/// Decides what an upstream's status means, given what is held.
pub(crate) fn meaning(status: StatusCode, kind: Kind, held: Option<&Held>) -> Meaning {
    let has_good = held.is_some_and(is_good);
    let may_be_challenged = held.is_none_or(|held| held.status == 401);
    match status {
        StatusCode::NOT_MODIFIED if held.is_some() => Meaning::Confirmed,
        StatusCode::OK => Meaning::Answer,
        StatusCode::NOT_FOUND | StatusCode::GONE if has_good => Meaning::Gone,
        StatusCode::NOT_FOUND | StatusCode::GONE => Meaning::Absence,
        // A registry does not move its indexes; the login page of a guest network looks like this.
        status if is_redirect(status) && kind == Kind::Index && has_good => Meaning::Worse,
        status if is_redirect(status) => Meaning::Answer,
        _ if has_good => Meaning::Worse,
        StatusCode::UNAUTHORIZED if may_be_challenged => Meaning::Challenge,
        // A host in trouble says nothing about an absence that was proved before.
        status if is_trouble(status) && held.is_some() => Meaning::Worse,
        _ => Meaning::Pass,
    }
}

/// Returns whether a status says that the upstream is in trouble, rather than anything about the object.
pub(crate) fn is_trouble(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// Returns whether a redirect leads from what used to be an answer to another host, for now only: the login page of a
/// guest network looks like this. A permanent move, or one within the host, is a newer answer.
pub(crate) fn leads_astray(status: StatusCode, from: &str, to: Option<&str>, held: Option<&Held>) -> bool {
    matches!(status.as_u16(), 302 | 303 | 307)
        && held.is_some_and(|held| held.status == 200)
        && to.is_none_or(|to| to != from)
}

/// Returns whether a status sends the client somewhere else.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Returns whether a copy is an answer, rather than a proved absence or a challenge.
pub(crate) const fn is_good(held: &Held) -> bool {
    !matches!(held.status, 401 | 404 | 410)
}

/// Returns how a copy stands that would otherwise be `else_`.
pub(crate) const fn standing(held: &Held, else_: Freshness) -> Freshness {
    if held.gone_since.is_some() { Freshness::Gone } else { else_ }
}

#[cfg(test)]
mod tests {
    use model::{Proof, Sha256};

    use super::*;

    fn held(status: u16, immutable: bool) -> Held {
        Held {
            status,
            headers: Vec::new(),
            sha256: Sha256::of(b""),
            size_bytes: 0,
            ecosystem: "generic".to_owned(),
            proof: Proof::FirstSeen,
            immutable,
            confirmed_at: Timestamp::UNIX_EPOCH,
            gone_since: None,
        }
    }

    fn situation<'a>(held: Option<&'a Held>, kind: Kind, age_s: i64) -> Situation<'a> {
        Situation {
            held,
            kind,
            now: Timestamp::from_second(age_s).unwrap(),
            fresh_for: Duration::from_secs(120),
            client: Insistence::None,
            is_anothers: false,
            is_certain: false,
            may_wait: true,
        }
    }

    #[test]
    fn what_cannot_change_is_served_without_asking() {
        let file = held(200, true);
        assert_eq!(first(&situation(Some(&file), Kind::File, 9_999)), First::Serve(Freshness::Fresh));
        assert_eq!(first(&situation(None, Kind::File, 0)), First::Ask);
        let gone = Held { gone_since: Some(Timestamp::UNIX_EPOCH), ..held(200, true) };
        assert_eq!(first(&situation(Some(&gone), Kind::File, 0)), First::Serve(Freshness::Gone));
    }

    #[test]
    fn a_document_that_its_list_names_is_served_without_asking() {
        let document = held(200, false);
        let asked = situation(Some(&document), Kind::Document, 9);
        assert_eq!(first(&asked), First::Ask);
        assert_eq!(first(&Situation { is_certain: true, ..asked }), First::Serve(Freshness::Fresh));
    }

    #[test]
    fn an_index_is_fresh_for_a_while_and_a_document_never() {
        let index = held(200, false);
        let serve = First::Serve(Freshness::Fresh);
        assert_eq!(first(&situation(Some(&index), Kind::Index, 119)), serve);
        assert_eq!(first(&situation(Some(&index), Kind::Index, 120)), First::Ask);
        assert_eq!(first(&situation(Some(&index), Kind::Document, 0)), First::Ask);
        let insisting = Situation { client: Insistence::NoCache, ..situation(Some(&index), Kind::Index, 1) };
        assert_eq!(first(&insisting), First::Ask);
    }

    #[test]
    fn what_another_got_is_no_answer_while_there_may_be_one() {
        for (kind, immutable) in [(Kind::File, true), (Kind::Index, false)] {
            let held = held(200, immutable);
            let asking = Situation { is_anothers: true, ..situation(Some(&held), kind, 1) };
            assert_eq!(first(&asking), First::Ask);
            let open = Situation { may_wait: false, ..asking };
            assert_eq!(first(&open), First::Serve(Freshness::Stale));
        }
    }

    #[test]
    fn an_absence_is_believed_for_a_moment() {
        let absent = held(404, false);
        let serve = First::Serve(Freshness::Fresh);
        assert_eq!(first(&situation(Some(&absent), Kind::Index, 29)), serve);
        assert_eq!(first(&situation(Some(&absent), Kind::File, 29)), serve);
        assert_eq!(first(&situation(Some(&absent), Kind::Index, 30)), First::Ask);
        assert_eq!(first(&situation(Some(&absent), Kind::Document, 0)), First::Ask);
        let insisting = Situation { client: Insistence::NoCache, ..situation(Some(&absent), Kind::File, 1) };
        assert_eq!(first(&insisting), First::Ask);
    }

    #[test]
    fn nobody_waits_for_a_host_that_is_down() {
        let index = held(200, false);
        let open = Situation { may_wait: false, ..situation(Some(&index), Kind::Index, 999) };
        assert_eq!(first(&open), First::Serve(Freshness::Stale));
        let nothing = Situation { may_wait: false, ..situation(None, Kind::Index, 999) };
        assert_eq!(first(&nothing), First::Ask, "without a copy there is nothing else to do");
    }

    #[test]
    fn a_status_means_what_the_promises_say() {
        let good = held(200, false);
        let absent = held(404, false);
        let check = |status: u16, kind: Kind, held: Option<&Held>, expected: Meaning| {
            assert_eq!(
                meaning(StatusCode::from_u16(status).unwrap(), kind, held),
                expected,
                "{status} {kind:?}"
            );
        };
        check(200, Kind::Index, Some(&good), Meaning::Answer);
        check(304, Kind::Index, Some(&good), Meaning::Confirmed);
        check(304, Kind::Index, None, Meaning::Pass);
        check(404, Kind::Index, Some(&good), Meaning::Gone);
        check(404, Kind::Index, Some(&absent), Meaning::Absence);
        check(404, Kind::File, None, Meaning::Absence);
        check(302, Kind::Index, Some(&good), Meaning::Worse);
        check(302, Kind::Index, None, Meaning::Answer);
        check(302, Kind::Document, Some(&good), Meaning::Answer);
        for status in [401, 403, 429, 451, 500, 502, 503] {
            check(status, Kind::Document, Some(&good), Meaning::Worse);
            let expected = if status == 401 { Meaning::Challenge } else { Meaning::Pass };
            check(status, Kind::Document, None, expected);
        }
        check(401, Kind::Document, Some(&held(401, false)), Meaning::Challenge);
        for status in [401, 403, 451] {
            check(status, Kind::Document, Some(&absent), Meaning::Pass);
        }
        for status in [429, 500, 502, 503] {
            check(status, Kind::Document, Some(&absent), Meaning::Worse);
        }
    }

    #[test]
    fn a_portal_is_told_from_a_move() {
        let (page, moved) = (held(200, false), held(302, false));
        let check = |status: u16, to: Option<&str>, held: Option<&Held>, expected: bool| {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(leads_astray(status, "a.example", to, held), expected, "{status} {to:?}");
        };
        check(302, Some("login.example"), Some(&page), true);
        check(302, None, Some(&page), true);
        check(302, Some("a.example"), Some(&page), false);
        check(301, Some("b.example"), Some(&page), false);
        check(302, Some("b.example"), Some(&moved), false);
        check(302, Some("b.example"), None, false);
    }
}
