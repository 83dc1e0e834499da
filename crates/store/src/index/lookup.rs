//! Questions about objects and blobs.

use model::{Held, Method, ObjectKey, ObjectUrl, Sha256, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::error::IndexError;

/// Returns a check over a row, so that a flipped bit in the database is seen and mended rather than served.
pub(super) fn seal(object: i64, held: &str) -> i64 {
    let digest = Sha256::of(format!("{object} {held}").as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    i64::from_be_bytes(first)
}

/// The archive of a release that was seen before any other of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSeen {
    /// Where.
    pub url: ObjectUrl,
    /// The archive.
    pub sha256: Sha256,
    /// The digest of what it holds.
    pub tree: Sha256,
}

/// A row of generations that was not checked yet.
pub(super) struct Generation {
    object: i64,
    held: String,
    seal: i64,
}

impl Generation {
    /// Takes `object, held, seal` from a row.
    pub(super) fn of(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self { object: row.get(first)?, held: row.get(first + 1)?, seal: row.get(first + 2)? })
    }

    pub(super) const fn object(&self) -> i64 {
        self.object
    }

    /// Checks and reads it.
    pub(super) fn open(self) -> Result<Held, IndexError> {
        let damaged = || IndexError::Damaged { place: format!("generations of object {}", self.object) };
        if seal(self.object, &self.held) != self.seal {
            return Err(damaged());
        }
        serde_json::from_str(&self.held).map_err(|_| damaged())
    }
}

/// Returns the newest generation.
pub(crate) fn newest(connection: &Connection, key: &ObjectKey) -> Result<Option<Held>, IndexError> {
    connection
        .prepare_cached(
            "SELECT object, held, seal FROM objects JOIN generations ON generations.seq = newest AND object = id
             WHERE url = ?1 AND method = ?2 AND variant = ?3",
        )?
        .query_row(params![key.url.as_str(), method(key.method), key.variant], |row| Generation::of(row, 0))
        .optional()?
        .map(Generation::open)
        .transpose()
}

/// Returns the newest generation that was kept by a moment; nothing that happened to it later shows.
pub(crate) fn newest_at(
    connection: &Connection,
    key: &ObjectKey,
    at: Timestamp,
) -> Result<Option<Held>, IndexError> {
    let mut statement = connection.prepare_cached(
        "SELECT object, held, seal, entries.time FROM objects JOIN generations ON object = id
         JOIN entries ON entries.seq = generations.seq
         WHERE url = ?1 AND method = ?2 AND variant = ?3 ORDER BY generations.seq",
    )?;
    let mut rows = statement.query(params![key.url.as_str(), method(key.method), key.variant])?;
    let mut newest: Option<Held> = None;
    while let Some(row) = rows.next()? {
        let time: String = row.get(3)?;
        if time.parse::<Timestamp>().is_ok_and(|kept| kept <= at) {
            let held = Generation::of(row, 0)?.open()?;
            if !newest.as_ref().is_some_and(|newest| newest.outlasts(&held)) {
                newest = Some(held);
            }
        }
    }
    Ok(newest.map(|held| Held {
        confirmed_at: held.confirmed_at.min(at),
        gone_since: held.gone_since.filter(|since| *since <= at),
        ..held
    }))
}

/// Returns the digest of what an archive holds.
pub(crate) fn tree_of(connection: &Connection, sha256: &Sha256) -> Result<Option<Sha256>, IndexError> {
    let found: Option<String> = connection
        .prepare_cached("SELECT tree FROM trees WHERE sha256 = ?1")?
        .query_row([sha256.to_string()], |row| row.get(0))
        .optional()?;
    let damaged = |_| IndexError::Damaged { place: "trees".to_owned() };
    found.map(|text| text.parse().map_err(damaged)).transpose()
}

/// Returns where a release was seen first, the archive, and the digest of what that holds.
pub(crate) fn first_of(connection: &Connection, release: &str) -> Result<Option<FirstSeen>, IndexError> {
    let found: Option<[String; 3]> = connection
        .prepare_cached(
            "SELECT url, sha256, tree FROM releases JOIN trees USING (sha256) WHERE release = ?1 ORDER BY seq LIMIT 1",
        )?
        .query_row([release], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
        .optional()?;
    let read = |[url, sha256, tree]: [String; 3]| {
        let (sha256, tree) = (sha256.parse().ok()?, tree.parse().ok()?);
        Some(FirstSeen { url: ObjectUrl::parse(&url).ok()?, sha256, tree })
    };
    let damaged = || IndexError::Damaged { place: "releases".to_owned() };
    found.map(|row| read(row).ok_or_else(damaged)).transpose()
}

/// Returns every generation, oldest first.
pub(crate) fn generations(connection: &Connection, key: &ObjectKey) -> Result<Vec<Held>, IndexError> {
    connection
        .prepare_cached(
            "SELECT object, held, seal FROM objects JOIN generations ON object = id
             WHERE url = ?1 AND method = ?2 AND variant = ?3 ORDER BY generations.seq",
        )?
        .query_map(params![key.url.as_str(), method(key.method), key.variant], |row| Generation::of(row, 0))?
        .map(|row| row?.open())
        .collect()
}

/// Returns every address below a folder, which ends with a slash, with the blob of each of its generations.
pub(crate) fn below(
    connection: &Connection,
    folder: &str,
    variant: &str,
) -> Result<Vec<(ObjectUrl, Sha256)>, IndexError> {
    let Some(base) = folder.strip_suffix('/') else { return Ok(Vec::new()) };
    let damaged = || IndexError::Damaged { place: format!("objects below {folder}") };
    // What comes after all that begins with a slash begins with the next character.
    let mut statement = connection.prepare_cached(
        "SELECT url, sha256 FROM objects JOIN generations ON object = id
         WHERE url >= ?1 AND url < ?2 AND method = ?3 AND variant = ?4",
    )?;
    let mut rows = statement.query(params![folder, format!("{base}0"), method(Method::Get), variant])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let url = ObjectUrl::parse(&row.get::<_, String>(0)?).map_err(|_| damaged())?;
        found.push((url, row.get::<_, String>(1)?.parse().map_err(|_| damaged())?));
    }
    Ok(found)
}

/// Returns the variants held of an address, in their own order.
pub(crate) fn variants(
    connection: &Connection,
    asked: Method,
    url: &ObjectUrl,
) -> Result<Vec<ObjectKey>, IndexError> {
    connection
        .prepare_cached("SELECT variant FROM objects WHERE url = ?1 AND method = ?2 ORDER BY variant")?
        .query_map(params![url.as_str(), method(asked)], |row| row.get(0))?
        .map(|variant| Ok(ObjectKey { method: asked, url: url.clone(), variant: variant? }))
        .collect()
}

/// Returns whether any object of a host is held.
pub(crate) fn knows_host(connection: &Connection, host: &str) -> Result<bool, IndexError> {
    let has_object =
        connection.prepare_cached("SELECT 1 FROM objects WHERE host = ?1 LIMIT 1")?.exists([host])?;
    Ok(has_object || super::repos::knows_host(connection, host)?)
}

/// Returns who needs a blob.
pub(crate) fn belongs_to(connection: &Connection, sha256: &Sha256) -> Result<Vec<String>, IndexError> {
    connection
        .prepare_cached("SELECT subject FROM needs WHERE sha256 = ?1 ORDER BY subject")?
        .query_map([sha256.to_string()], |row| row.get(0))?
        .map(|subject| Ok(subject?))
        .collect()
}

/// Returns the length a blob must have, where the journal says it.
pub(crate) fn blob_size(connection: &Connection, sha256: &Sha256) -> Result<Option<u64>, IndexError> {
    Ok(connection
        .prepare_cached("SELECT size_bytes FROM needs WHERE sha256 = ?1 AND size_bytes IS NOT NULL LIMIT 1")?
        .query_row([sha256.to_string()], |row| row.get(0))
        .optional()?)
}

/// Returns the last number of a subject.
pub(crate) fn head(connection: &Connection, subject: &str) -> Result<Option<u64>, IndexError> {
    Ok(connection
        .prepare_cached("SELECT seq FROM heads WHERE subject = ?1")?
        .query_row([subject], |row| row.get(0))
        .optional()?)
}

const fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}
