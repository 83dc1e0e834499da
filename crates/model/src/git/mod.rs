//! Git's own words: repositories, objects, refs, and how refs move.

mod moved;
mod object;
mod refname;
mod repo;

pub use moved::{Decision, MoveClass, Pack, RefMove, Ruling, Target};
pub use object::{ObjectId, ObjectIdError};
pub use refname::{RefName, RefNameError};
pub use repo::{CommitId, RepoId, RepoIdError};
