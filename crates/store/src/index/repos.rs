//! Questions about git repositories.

use model::{Kind, RepoId, Timestamp};
use rusqlite::{Connection, params};

use super::condition::{is, is_about_refs};
use super::list::{COLUMNS, entries};
use crate::error::IndexError;
use crate::journal::Entry;

/// Returns what says how the refs of a repository were at a moment, or are now, oldest first: the newest entry with a whole state,
/// what moved since, and every decision.
pub(crate) fn refs_of(
    connection: &Connection,
    repo: &RepoId,
    at: Option<Timestamp>,
) -> Result<Vec<Entry>, IndexError> {
    let (condition, refs) = (is_about_refs(), format!("'{}'", Kind::Refs));
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, time, kind = {refs} AND json_extract(payload, '$.state') IS NOT NULL FROM entries
         WHERE {condition} AND subject = ?1 ORDER BY seq"
    ))?;
    let mut rows = statement.query([repo.subject()])?;
    let (mut from, mut upto) = (0, 0);
    while let Some(row) = rows.next()? {
        let (seq, time, has_state): (u64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_later = |at| !time.parse::<Timestamp>().is_ok_and(|time| time <= at);
        if at.is_some_and(is_later) {
            break;
        }
        upto = seq;
        if has_state {
            from = seq;
        }
    }
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entries WHERE {condition} AND subject = ?1 AND seq <= ?3
         AND (seq >= ?2 OR NOT kind = {refs}) ORDER BY seq"
    ))?;
    entries(statement, params![repo.subject(), from, upto])
}

/// Returns every entry that says how refs of a repository moved, oldest first.
pub(crate) fn all_refs_of(connection: &Connection, repo: &RepoId) -> Result<Vec<Entry>, IndexError> {
    let condition = is_about_refs();
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entries WHERE {condition} AND subject = ?1 ORDER BY seq"
    ))?;
    entries(statement, [repo.subject()])
}

/// Returns the newest entry of a kind about a repository.
pub(crate) fn newest_about(
    connection: &Connection,
    repo: &RepoId,
    kind: Kind,
) -> Result<Option<Entry>, IndexError> {
    let (condition, is) =
        if kind == Kind::Refs { (is_about_refs(), is(kind)) } else { (is(kind), "TRUE".to_owned()) };
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entries WHERE {condition} AND {is} AND subject = ?1 ORDER BY seq DESC LIMIT 1"
    ))?;
    Ok(entries(statement, [repo.subject()])?.pop())
}

/// Returns whether a repository of a host is kept.
pub(super) fn knows_host(connection: &Connection, host: &str) -> Result<bool, IndexError> {
    let condition = is(Kind::Mirrored);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT 1 FROM entries WHERE {condition} AND
         (subject BETWEEN ?1 || '/' AND ?1 || '0' OR subject BETWEEN ?1 || ':' AND ?1 || ';') LIMIT 1"
    ))?;
    Ok(statement.exists([format!("repo {host}")])?)
}
