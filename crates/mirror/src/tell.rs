//! Telling the journal, and who asked, what an upstream does.

use git::LeftOut;
use model::{Decision, Event, RefMove, RepoId, Timestamp};

use crate::ask::Trouble;
use crate::mirror::{Down, Mirror, lock};
use crate::outage::{down, up};
use crate::outcome::{Outage, SyncError, Synced};

/// How many refs an event names.
const N_NAMED_MAX: usize = 5;
/// How long one reason is told before another one is news.
const HOUR_S: i64 = 3600;

impl Mirror {
    /// Tells what an upstream did wrong: to the journal where it is new, and to who asked.
    pub(crate) fn tell(&self, repo: &RepoId, trouble: Trouble) -> Result<Synced, SyncError> {
        let (now, reason) = (self.clock().now(), trouble.to_string());
        // What a command asked for and nobody keeps is nobody's loss.
        let is_kept = self.store().repo(repo)?.is_some();
        let synced = match trouble {
            Trouble::Disk(error) => return Err(SyncError::Disk(error)),
            Trouble::Absent { reason } => Synced::Unavailable { reason, outage: Outage::Absent },
            Trouble::Silent { reason } => Synced::Unavailable { reason, outage: Outage::Silent },
            Trouble::Unavailable { reason } => Synced::Unavailable { reason, outage: Outage::Failing },
            Trouble::Bad { reason } => Synced::Refused { reason },
        };
        let outage = match synced {
            Synced::Unavailable { outage, .. } => outage,
            _ => Outage::Failing,
        };
        let event = down(repo, now, reason.clone(), outage);
        let subject = event.subject();
        // Another reason is news as well after an hour: some take turns.
        let is_old = |(known, at): &(String, Timestamp)| {
            *known != reason && now.duration_since(*at).as_secs() >= HOUR_S
        };
        self.with_down(|down| {
            if is_kept && down.get(&subject).is_none_or(is_old) {
                let is_refused = matches!(synced, Synced::Refused { .. });
                let refused = || Event::Refused { repo: repo.clone(), reason: reason.clone(), at: now };
                // What the journal does not take is news the next time.
                self.store().append(None, is_refused.then(refused).into_iter().chain([event]).collect())?;
                down.insert(subject, (reason.clone(), now));
            }
            Ok(())
        })?;
        Ok(synced)
    }

    /// Tells that a repository answers again, if it did not.
    pub(crate) fn note_up(&self, repo: &RepoId) -> Result<(), SyncError> {
        let event = up(repo, self.clock().now());
        let subject = event.subject();
        self.with_down(|down| {
            if down.contains_key(&subject) {
                self.store().append(None, vec![event])?;
                down.remove(&subject);
            }
            Ok(())
        })
    }

    /// Looks at what is known to be down, and may change it; nobody else does meanwhile.
    fn with_down(&self, act: impl FnOnce(&mut Down) -> Result<(), SyncError>) -> Result<(), SyncError> {
        let mut down = lock(&self.down);
        if let Some(down) = &mut *down {
            return act(down);
        }
        let known = self.store().outages()?.into_iter().filter_map(|entry| match entry.event {
            Event::Down { reason, .. } => Some((entry.subject, (reason, entry.time))),
            _ => None,
        });
        act(down.insert(known.collect()))
    }
}

/// Says that names were left out, and which.
pub fn names_left_out(LeftOut { n, names }: &LeftOut) -> String {
    let n_more = n.saturating_sub(names.len() as u64);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    format!("the upstream lists names that no copy takes: {names}{more}; everything else is held")
}

/// Returns what is told to people of moves that destroy something, or wait.
pub(crate) fn destroyed(
    repo: &RepoId,
    moves: &[RefMove],
    reasons: Vec<String>,
    at: Timestamp,
) -> Option<Event> {
    let worth_telling = |moved: &&RefMove| {
        moved.decision == Decision::Hold || moved.class.destroys() && !moved.name.is_proposal()
    };
    let told: Vec<&RefMove> = moves.iter().filter(worth_telling).collect();
    let n_held = told.iter().filter(|moved| moved.decision == Decision::Hold).count();
    let name = |moved: &&RefMove| format!("{} ({})", moved.name, moved.class);
    (!told.is_empty()).then(|| Event::Destroyed {
        repo: repo.clone(),
        n_applied: (told.len() - n_held) as u64,
        n_held: n_held as u64,
        refs: told.iter().take(N_NAMED_MAX).map(name).collect(),
        reasons,
        at,
    })
}
