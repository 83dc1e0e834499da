//! The tables. An index with others, or by an Outlast that knew other kinds of events, is made anew.

use std::time::Duration;

use model::{Concern, Kind, Sha256};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::condition::{concerns, is, is_about_refs};
use super::{Place, Position};
use crate::error::IndexError;

/// Whoever changes what an event means to the index raises it; tables and kinds count by themselves.
const MEANING: u32 = 8;
/// `Outl`, which tells an index from any other SQLite database.
const APPLICATION: u32 = 0x4f75_746c;
/// Writers take turns under the journal's lock; this is for a backup tool that holds the file for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const TABLES: &str = "
CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 1), journal TEXT NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE entries (seq INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
    subject_seq INTEGER NOT NULL, payload TEXT NOT NULL);
CREATE TABLE heads (subject TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE objects (id INTEGER PRIMARY KEY, url TEXT NOT NULL, method TEXT NOT NULL, variant TEXT NOT NULL,
    host TEXT NOT NULL, newest INTEGER NOT NULL, UNIQUE (url, method, variant));
CREATE INDEX objects_host ON objects (host);
CREATE TABLE generations (seq INTEGER PRIMARY KEY, object INTEGER NOT NULL, sha256 TEXT NOT NULL, held TEXT NOT NULL,
    seal INTEGER NOT NULL);
CREATE INDEX generations_object ON generations (object, seq);
CREATE TABLE trees (sha256 TEXT PRIMARY KEY, tree TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE releases (release TEXT NOT NULL, seq INTEGER NOT NULL, sha256 TEXT NOT NULL, url TEXT NOT NULL,
    PRIMARY KEY (release, seq)) WITHOUT ROWID;
CREATE TABLE needs (sha256 TEXT NOT NULL, subject TEXT NOT NULL, size_bytes INTEGER, PRIMARY KEY (sha256, subject)) WITHOUT ROWID;
CREATE TABLE runs (seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL, directory TEXT NOT NULL, command TEXT NOT NULL, is_drill INTEGER NOT NULL);
CREATE INDEX runs_id ON runs (run_id);
CREATE INDEX runs_command ON runs (directory, command, is_drill, seq);
";

/// Returns the indexes that answer a question about some kinds of entries without reading the others.
fn partial_indexes() -> String {
    let one =
        |name, columns, condition| format!("CREATE INDEX {name} ON entries ({columns}) WHERE {condition};\n");
    [
        one("entries_happened", "seq", concerns(Concern::Happened)),
        one("entries_holding", "kind, subject, seq", concerns(Concern::Holds)),
        one("entries_standing", "subject, seq", concerns(Concern::Outage)),
        one("entries_ran", "seq", is(Kind::Ran)),
        one("entries_drilled", "seq", is(Kind::Drilled)),
        one("entries_adopted", "subject, seq", is(Kind::Adopted)),
        one("entries_copied", "subject, seq", is(Kind::Copied)),
        one("entries_mirrored", "subject, seq", is(Kind::Mirrored)),
        one("entries_observed", "subject, seq", is(Kind::Observed)),
        one("entries_refs", "subject, seq", is_about_refs()),
    ]
    .concat()
}

/// Returns the version that an index has: of a kind that its maker did not know it holds nothing but the entry.
fn version<'a>(tables: &str, kinds: impl Iterator<Item = &'a str>) -> u32 {
    let mut text = format!("{MEANING}{tables}");
    for kind in kinds {
        text.push_str(kind);
        text.push('\n');
    }
    let [a, b, c, d, ..] = *Sha256::of(text.as_bytes()).as_bytes();
    // SQLite keeps it with a sign.
    u32::from_be_bytes([a, b, c, d]) >> 1
}

fn own_version() -> u32 {
    version(&(TABLES.to_owned() + &partial_indexes()), Kind::all().map(Kind::name))
}

/// Opens a database as every connection must be opened.
pub(super) fn connect(place: &Place, flags: OpenFlags) -> Result<Connection, IndexError> {
    let connection = place.open(flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(32);
    // A question is planned once, not again for each value it is asked with.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A lost transaction is folded again from the journal, so none of them needs an fsync; and the log is moved into the
    // database by the writer alone, when no lookup waits.
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;")?;
    Ok(connection)
}

/// Makes an empty index for a journal.
pub(super) fn create(place: &Place, journal: &str) -> Result<Connection, IndexError> {
    let connection = connect(place, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    // It is synced as a whole before it gets its name.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", own_version())?;
    connection.execute_batch(TABLES)?;
    connection.execute_batch(&partial_indexes())?;
    connection.execute(
        "INSERT INTO position VALUES (1, ?1, 0, ?2)",
        (journal, Sha256::from_bytes([0; 32]).to_string()),
    )?;
    Ok(connection)
}

/// Refuses a database that is not an index of this version, and turns on the write-ahead log.
pub(super) fn check(connection: &Connection) -> Result<(), IndexError> {
    let read = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if (read("application_id")?, read("user_version")?) != (APPLICATION, own_version()) {
        return Err(IndexError::Damaged { place: "version".to_owned() });
    }
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    Ok(())
}

/// Returns how far the index has got.
pub(super) fn position(connection: &Connection) -> Result<Position, IndexError> {
    let row = connection
        .prepare_cached("SELECT journal, seq, hash FROM position")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)));
    match row {
        Ok((journal, seq, hash)) => match hash.parse() {
            Ok(hash) => Ok(Position { journal, seq, hash }),
            Err(_) => Err(IndexError::Damaged { place: "position".to_owned() }),
        },
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(IndexError::Damaged { place: "position".to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_kind_of_event_makes_another_index() {
        let kinds = || Kind::all().map(Kind::name);
        assert_eq!(version(TABLES, kinds()), version(TABLES, kinds()));
        assert_ne!(version(TABLES, kinds()), version(TABLES, kinds().chain(["pushed"])));
        assert_ne!(version(TABLES, kinds()), version(&TABLES.replace("payload", "text"), kinds()));
        assert!(i32::try_from(own_version()).is_ok());
    }
}
