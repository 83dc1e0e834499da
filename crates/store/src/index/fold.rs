//! What one entry of the journal changes in the index.

use model::{Event, Held, ObjectKey, Sha256};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::lookup::{self, Generation};
use crate::error::IndexError;
use crate::journal::Line;

/// Folds entries in order; those that were folded before are passed over.
pub(crate) fn fold(transaction: &Transaction<'_>, lines: &[Line]) -> Result<(), IndexError> {
    let mut folded = super::schema::position(transaction)?.seq;
    let mut hash = None;
    for line in lines.iter().filter(|line| line.seq > folded) {
        entry(transaction, line)?;
        // A kind that a newer Outlast wrote is kept in the journal and means nothing here.
        if let Some(event) = line.event() {
            meaning(transaction, line.seq, &event)?;
        }
        hash = Some((line.seq, line.hash));
    }
    if let Some((seq, hash)) = hash {
        folded = seq;
        transaction
            .prepare_cached("UPDATE position SET seq = ?1, hash = ?2")?
            .execute(params![folded, hash.to_string()])?;
    }
    Ok(())
}

/// Changes what is held under a key as an event says; `generations` is oldest first.
///
/// The one rule for the index and for what is not in it yet.
pub(crate) fn apply(generations: &mut Vec<Held>, event: &Event) {
    match event {
        Event::Kept { held, .. } => {
            let place = match generations.last() {
                // Two processes may both have found nothing held.
                Some(newest) if newest.outlasts(held) => generations.len() - 1,
                _ => generations.len(),
            };
            generations.insert(place, held.clone());
        }
        // The first bytes are lost, and these hold the same.
        Event::Repacked { after, .. } => {
            if let Some(place) = generations.iter().rposition(|held| held.sha256 == *after) {
                let held = generations.remove(place);
                generations.push(held);
            }
        }
        Event::Confirmed { sha256, at, .. } => {
            if let Some(held) = generations.iter_mut().rev().find(|held| held.sha256 == *sha256) {
                held.confirmed_at = held.confirmed_at.max(*at);
                held.gone_since = None;
            }
        }
        Event::Gone { since, .. } => {
            if let Some(held) = generations.last_mut() {
                // Told again, it is still gone since the first time.
                held.gone_since.get_or_insert(*since);
            }
        }
        _ => {}
    }
}

fn entry(transaction: &Transaction<'_>, line: &Line) -> Result<(), IndexError> {
    transaction.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        line.seq,
        line.time,
        line.kind,
        line.subject,
        line.subject_seq,
        line.payload
    ])?;
    transaction
        .prepare_cached("INSERT INTO heads VALUES (?1, ?2) ON CONFLICT DO UPDATE SET seq = excluded.seq")?
        .execute(params![line.subject, line.subject_seq])?;
    Ok(())
}

fn meaning(transaction: &Transaction<'_>, seq: u64, event: &Event) -> Result<(), IndexError> {
    match event {
        Event::Kept { key, held } => kept(transaction, seq, key, held)?,
        Event::Confirmed { key, sha256, .. } => changed(transaction, key, Some(sha256), event)?,
        Event::Unpacked { key, sha256, tree, release } => {
            transaction
                .prepare_cached("INSERT OR IGNORE INTO trees VALUES (?1, ?2)")?
                .execute([sha256.to_string(), tree.to_string()])?;
            if let Some(release) = release {
                transaction
                    .prepare_cached("INSERT INTO releases VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![release, seq, sha256.to_string(), key.url.as_str()])?;
            }
        }
        Event::Repacked { key, after, .. } => {
            transaction
                .prepare_cached(
                    "UPDATE objects SET newest = coalesce((SELECT max(seq) FROM generations
                     WHERE object = id AND sha256 = ?4), newest)
                     WHERE url = ?1 AND method = ?2 AND variant = ?3",
                )?
                .execute(params![key.url.as_str(), key.method.to_string(), key.variant, after.to_string()])?;
        }
        Event::Gone { key, .. } => changed(transaction, key, None, event)?,
        Event::Replaced { packs, .. } => {
            for sha256 in packs {
                transaction
                    .prepare_cached("DELETE FROM needs WHERE sha256 = ?1 AND subject = ?2")?
                    .execute([sha256.to_string(), event.subject()])?;
            }
        }
        Event::Ran { run_id, command, directory, is_drill, .. } => {
            let command = serde_json::to_string(command).map_err(std::io::Error::from)?;
            transaction.prepare_cached("INSERT INTO runs VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
                seq,
                run_id.as_str(),
                directory,
                command,
                is_drill
            ])?;
        }
        _ => {}
    }
    for need in event.needs() {
        transaction.prepare_cached("INSERT OR IGNORE INTO needs VALUES (?1, ?2, ?3)")?.execute(params![
            need.sha256.to_string(),
            need.subject,
            need.size_bytes
        ])?;
    }
    Ok(())
}

fn kept(transaction: &Transaction<'_>, seq: u64, key: &ObjectKey, held: &Held) -> Result<(), IndexError> {
    let is_late = lookup::newest(transaction, key)?.is_some_and(|newest| newest.outlasts(held));
    let object: i64 = transaction
        .prepare_cached(
            "INSERT INTO objects (url, method, variant, host, newest) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (url, method, variant) DO UPDATE SET newest = CASE ?6 WHEN 0 THEN excluded.newest ELSE newest END RETURNING id",
        )?
        .query_row(
            params![key.url.as_str(), key.method.to_string(), key.variant, key.url.host(), seq, is_late],
            |row| row.get(0),
        )?;
    let text = serde_json::to_string(held).map_err(std::io::Error::from)?;
    transaction.prepare_cached("INSERT INTO generations VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        seq,
        object,
        held.sha256.to_string(),
        text,
        lookup::seal(object, &text)
    ])?;
    Ok(())
}

/// Lets an event change the newest generation, or the newest one with these bytes.
fn changed(
    transaction: &Transaction<'_>,
    key: &ObjectKey,
    sha256: Option<&Sha256>,
    event: &Event,
) -> Result<(), IndexError> {
    let sha256 = sha256.map(ToString::to_string);
    let found = transaction
        .prepare_cached(
            "SELECT generations.seq, object, held, seal FROM objects JOIN generations ON object = id
             WHERE url = ?1 AND method = ?2 AND variant = ?3 AND (?4 IS NULL OR sha256 = ?4)
             ORDER BY generations.seq DESC LIMIT 1",
        )?
        .query_row(params![key.url.as_str(), key.method.to_string(), key.variant, sha256], |row| {
            Ok((row.get::<_, u64>(0)?, Generation::of(row, 1)?))
        })
        .optional()?;
    let Some((seq, generation)) = found else {
        return Ok(());
    };
    let object = generation.object();
    let mut generations = vec![generation.open()?];
    apply(&mut generations, event);
    for held in generations {
        let text = serde_json::to_string(&held).map_err(std::io::Error::from)?;
        transaction
            .prepare_cached("UPDATE generations SET held = ?1, seal = ?2 WHERE seq = ?3")?
            .execute(params![text, lookup::seal(object, &text), seq])?;
    }
    Ok(())
}
