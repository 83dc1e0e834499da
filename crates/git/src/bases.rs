//! The objects of a repository's packs: what another pack may build on, and what an archive is compared with.

use std::cell::{OnceCell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use gix_error::ResultExt as _;
use gix_hash::{Kind, oid};
use gix_pack::Bundle;
use gix_pack::cache::Never;

/// The objects of a folder of packs, which are opened once the first object is wanted.
pub(crate) struct Bases {
    folder: PathBuf,
    kind: Kind,
    packs: OnceCell<Vec<Bundle>>,
    inflate: RefCell<gix_zlib::Inflate>,
}

impl Bases {
    pub(crate) fn new(folder: &Path, kind: Kind) -> Self {
        Self { folder: folder.to_owned(), kind, packs: OnceCell::new(), inflate: RefCell::default() }
    }

    fn packs(&self) -> gix_error::Result<&[Bundle]> {
        if let Some(packs) = self.packs.get() {
            return Ok(packs);
        }
        let mut packs = Vec::new();
        for entry in fs::read_dir(&self.folder).or_error()? {
            let path = entry.or_error()?.path();
            if path.extension().is_some_and(|extension| extension == "idx") {
                packs.push(Bundle::at(path, self.kind)?);
            }
        }
        Ok(self.packs.get_or_init(|| packs))
    }
}

impl std::fmt::Debug for Bases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bases").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl gix_object::Find for Bases {
    fn try_find<'a>(
        &self,
        id: &oid,
        buffer: &'a mut Vec<u8>,
    ) -> gix_error::Result<Option<gix_object::Data<'a>>> {
        for pack in self.packs()? {
            let Some(index) = pack.index.lookup(id) else { continue };
            let mut inflate = self.inflate.borrow_mut();
            return pack
                .get_object_by_index(index, buffer, &mut inflate, &mut Never)
                .map(|(data, _)| Some(data));
        }
        Ok(None)
    }
}
