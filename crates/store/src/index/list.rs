//! Questions about entries, and counts.

use model::{Concern, Held, Kind, RunId, Sha256};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row};

use super::condition::{concerns, is};
use super::lookup::Generation;
use crate::error::IndexError;
use crate::journal::{Entry, event_of};

pub(super) const COLUMNS: &str =
    "entries.seq, entries.time, entries.kind, entries.subject, entries.subject_seq, entries.payload";

/// Returns entries after a number, oldest first.
pub(crate) fn since(connection: &Connection, seq: u64, limit: usize) -> Result<Vec<Entry>, IndexError> {
    let statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM entries WHERE seq > ?1 ORDER BY seq LIMIT ?2"))?;
    entries(statement, (seq, rows(limit)))
}

/// Returns the newest entry.
pub(crate) fn newest(connection: &Connection) -> Result<Option<Entry>, IndexError> {
    Ok(newest_where(connection, "TRUE", 1)?.pop())
}

/// Returns entries of a kind, newest first.
pub(crate) fn of_kind(connection: &Connection, kind: Kind, limit: usize) -> Result<Vec<Entry>, IndexError> {
    newest_where(connection, &is(kind), limit)
}

/// Returns how many entries of a kind there are.
pub(crate) fn n_of_kind(connection: &Connection, kind: Kind) -> Result<u64, IndexError> {
    count(connection, &format!("SELECT count(*) FROM entries WHERE {}", is(kind)))
}

/// Returns what happened and a person should see, newest first.
pub(crate) fn happened(connection: &Connection, limit: usize) -> Result<Vec<Entry>, IndexError> {
    newest_where(connection, &concerns(Concern::Happened), limit)
}

/// Returns how much happened that a person should see.
pub(crate) fn n_happened(connection: &Connection) -> Result<u64, IndexError> {
    count(connection, &format!("SELECT count(*) FROM entries WHERE {}", concerns(Concern::Happened)))
}

/// Returns of each subject the newest entry of each kind that may hold still, newest first.
pub(crate) fn holding(connection: &Connection) -> Result<Vec<Entry>, IndexError> {
    let condition = concerns(Concern::Holds);
    let newest = format!("seq IN (SELECT max(seq) FROM entries WHERE {condition} GROUP BY kind, subject)");
    newest_where(connection, &newest, usize::MAX)
}

/// Returns entries that satisfy a condition, newest first.
fn newest_where(connection: &Connection, condition: &str, limit: usize) -> Result<Vec<Entry>, IndexError> {
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entries WHERE {condition} ORDER BY seq DESC LIMIT ?1"
    ))?;
    entries(statement, [rows(limit)])
}

/// Returns of every outage that is not over the first entry and the newest of each kind.
pub(crate) fn outages(connection: &Connection) -> Result<Vec<Entry>, IndexError> {
    let (condition, up) = (concerns(Concern::Outage), is(Kind::Up));
    let statement = connection.prepare_cached(&format!(
        "WITH over AS (SELECT subject, max(seq) AS seq FROM entries WHERE {condition} AND {up} GROUP BY subject),
         now AS (SELECT entries.subject, kind, entries.seq FROM entries LEFT JOIN over USING (subject)
             WHERE {condition} AND entries.seq > coalesce(over.seq, 0))
         SELECT {COLUMNS} FROM entries WHERE seq IN
             (SELECT min(seq) FROM now GROUP BY subject UNION SELECT max(seq) FROM now GROUP BY subject, kind)
         ORDER BY seq"
    ))?;
    entries(statement, [])
}

/// Returns of every subject the newest entry of a kind, oldest first.
pub(crate) fn newest_of_each(connection: &Connection, kind: Kind) -> Result<Vec<Entry>, IndexError> {
    let condition = is(kind);
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM entries WHERE seq IN (SELECT max(seq) FROM entries WHERE {condition} GROUP BY subject)
         ORDER BY seq"
    ))?;
    entries(statement, [])
}

/// Returns how many entries after a number say something besides that a copy was made.
pub(crate) fn n_since(connection: &Connection, seq: u64) -> Result<u64, IndexError> {
    let copied = is(Kind::Copied);
    let mut statement = connection
        .prepare_cached(&format!("SELECT count(*) FROM entries WHERE seq > ?1 AND NOT {copied}"))?;
    Ok(statement.query_row([seq], |row| row.get(0))?)
}

/// Returns every blob that something needs, each once.
pub(crate) fn needed(connection: &Connection) -> Result<Vec<Sha256>, IndexError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT sha256 FROM needs")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(blob(&row.get::<_, String>(0)?)?);
    }
    Ok(found)
}

/// Returns the first needed blob from a name on, or the very first: whatever the number of blobs, it costs one look.
pub(crate) fn needed_from(connection: &Connection, name: &Sha256) -> Result<Option<Sha256>, IndexError> {
    let mut statement = connection.prepare_cached(
        "SELECT sha256 FROM (SELECT sha256, 0 AS turn FROM (SELECT sha256 FROM needs WHERE sha256 >= ?1 ORDER BY sha256 LIMIT 1)
         UNION ALL SELECT sha256, 1 FROM (SELECT sha256 FROM needs ORDER BY sha256 LIMIT 1)) ORDER BY turn LIMIT 1",
    )?;
    let found: Option<String> = statement.query_row([name.to_string()], |row| row.get(0)).optional()?;
    found.map(|name| blob(&name)).transpose()
}

fn blob(name: &str) -> Result<Sha256, IndexError> {
    name.parse().map_err(|_| IndexError::Damaged { place: format!("blob `{name}`") })
}

/// Returns the entry of one run, the newest if it was told twice.
pub(crate) fn run(connection: &Connection, id: &RunId) -> Result<Option<Entry>, IndexError> {
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs JOIN entries ON entries.seq = runs.seq WHERE run_id = ?1
         ORDER BY runs.seq DESC LIMIT 1"
    ))?;
    Ok(entries(statement, [id.as_str()])?.pop())
}

/// Any recording, whatever its exit code, as SQL.
pub(crate) const WHATEVER_ENDING: &str = "TRUE";
/// The exit code of a command that succeeded, as SQL.
pub(crate) const SUCCEEDED: &str = "json_extract(entries.payload, '$.exit_code') = 0";

/// Returns the newest recording of a command in a directory that satisfies a condition.
pub(crate) fn newest_recording(
    connection: &Connection,
    command: &[String],
    directory: &str,
    condition: &str,
) -> Result<Option<Entry>, IndexError> {
    let command = serde_json::to_string(command).map_err(std::io::Error::from)?;
    let statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM runs JOIN entries ON entries.seq = runs.seq
         WHERE runs.directory = ?1 AND runs.command = ?2 AND runs.is_drill = 0 AND {condition}
         ORDER BY runs.seq DESC LIMIT 1"
    ))?;
    Ok(entries(statement, (directory, command))?.pop())
}

/// Returns the single number that a query gives.
pub(crate) fn count(connection: &Connection, query: &str) -> Result<u64, IndexError> {
    Ok(connection.query_row(query, [], |row| row.get(0))?)
}

/// Calls back with the host and the newest generation of every object.
pub(crate) fn each_object(
    connection: &Connection,
    mut found: impl FnMut(String, Held),
) -> Result<(), IndexError> {
    let mut statement = connection.prepare_cached(
        "SELECT host, object, held, seal FROM objects JOIN generations ON generations.seq = newest",
    )?;
    let objects = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, Generation::of(row, 1)?)))?;
    for object in objects {
        let (host, generation) = object?;
        found(host, generation.open()?);
    }
    Ok(())
}

pub(super) fn entries(
    mut statement: CachedStatement<'_>,
    parameters: impl Params,
) -> Result<Vec<Entry>, IndexError> {
    let mut found = Vec::new();
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        found.extend(entry(row)?);
    }
    Ok(found)
}

/// Reads a row; `None` for a kind that only a newer Outlast knows.
fn entry(row: &Row<'_>) -> Result<Option<Entry>, IndexError> {
    let seq: u64 = row.get(0)?;
    let damaged = || IndexError::Damaged { place: format!("entry {seq}") };
    let time = row.get::<_, String>(1)?.parse().map_err(|_| damaged())?;
    let Some(event) = event_of(&row.get::<_, String>(2)?, &row.get::<_, String>(5)?) else {
        return Ok(None);
    };
    Ok(Some(Entry { seq, time, subject: row.get(3)?, subject_seq: row.get(4)?, event }))
}

fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::condition::is_about_refs;
    use crate::index::{Place, schema};

    /// Returns how SQLite answers a question.
    fn plan(connection: &Connection, question: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {question}")).unwrap();
        let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        steps.join("; ")
    }

    #[test]
    fn questions_about_kinds_do_not_read_all_entries() {
        let connection = schema::create(&Place::memory(), "journal").unwrap();
        let check = |condition: String, index: &str| {
            let plan = plan(&connection, &format!("SELECT count(*) FROM entries WHERE {condition}"));
            assert!(plan.contains(index), "{condition}: {plan}");
        };
        check(concerns(Concern::Happened), "entries_happened");
        check(concerns(Concern::Holds), "entries_holding");
        check(concerns(Concern::Outage), "entries_standing");
        check(is(Kind::Ran), "entries_ran");
        check(is(Kind::Drilled), "entries_drilled");
        check(is(Kind::Adopted), "entries_adopted");
        check(is(Kind::Copied), "entries_copied");
        check(is(Kind::Mirrored), "entries_mirrored");
        check(is(Kind::Observed), "entries_observed");
        check(is_about_refs(), "entries_refs");
        let plan = plan(&connection, "SELECT count(*) FROM entries WHERE kind IN ('ran', 'drilled')");
        assert!(!plan.contains("entries_"), "{plan}");
    }
}
