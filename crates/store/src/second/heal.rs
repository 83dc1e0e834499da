//! Makes damaged blobs whole again.

use model::{Event, Sha256};

use super::{CopyError, SecondCopy};
use crate::store::Store;

impl Store {
    /// Replaces a damaged or missing blob by what a second copy has under its name, and notes that in the journal; durable
    /// when it returns.
    pub fn heal(&self, sha256: &Sha256, from: &dyn SecondCopy) -> Result<(), CopyError> {
        let mut writer = self.writer()?;
        from.get(sha256, &mut writer)?;
        if writer.sha256() != *sha256 {
            return Err(CopyError::Wrong { place: from.place(), sha256: *sha256 });
        }
        writer.finish()?;
        self.note_healed(sha256, &from.place())?;
        Ok(self.flush()?)
    }

    /// Notes in the journal that a blob that was damaged has come again.
    pub fn note_healed(&self, sha256: &Sha256, from: &str) -> Result<(), CopyError> {
        let belongs_to = self.belongs_to(sha256)?;
        Ok(self.record(vec![Event::Healed { sha256: *sha256, belongs_to, from: from.to_owned() }])?)
    }
}
