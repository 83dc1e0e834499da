//! The one list of ways in which an origin is destroyed, fails or lies, or a mirror is interrupted.

use std::path::Path;

use anyhow::Result;

use super::origin;

/// What happens.
#[derive(Debug, Clone, Copy)]
pub(super) enum Harm {
    /// The origin is another one for good.
    Destroyed(fn(&Path) -> Result<()>),
    /// The origin is damaged, until it is put right.
    Damaged(fn(&Path) -> Result<()>),
    /// The server answers so for a while.
    Server(&'static str),
    /// The server stalls in the middle of a pack, and then the tool is killed with everything that it has started.
    Killed,
    /// The disk of the copies is full for a while.
    Full,
}

/// One way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) name: &'static str,
    /// Whether it meets the first mirror, and not a copy that is there.
    pub(super) is_first: bool,
    pub(super) harm: Harm,
    /// Whether a run in it can get everything, so that only then it may end with 0.
    pub(super) gives_all: bool,
    /// Whether it takes minutes in which nothing happens.
    pub(super) is_slow: bool,
}

const fn way(name: &'static str, harm: Harm) -> Way {
    let gives_all = matches!(harm, Harm::Destroyed(_));
    Way { name, is_first: false, harm, gives_all, is_slow: false }
}

impl Way {
    const fn first(self) -> Self {
        Self { is_first: true, ..self }
    }

    const fn slow(self) -> Self {
        Self { is_slow: true, ..self }
    }

    /// Returns whether a server need not be told to fail.
    pub(super) const fn is_of_any_server(&self) -> bool {
        matches!(self.harm, Destroyed(_) | Damaged(_) | Full)
    }

    /// Nobody can tell it from a repository that is not there.
    const fn nothing_left(self) -> Self {
        Self { gives_all: false, ..self }
    }
}

use Harm::{Damaged, Destroyed, Full, Killed, Server};

pub(super) const ALL: &[Way] = &[
    way("`main` forced to an orphan, all else deleted", Destroyed(origin::orphan_alone)),
    way("`main` replaced by an unrelated history", Destroyed(origin::main_unrelated)),
    way("`main` rewound by ten commits", Destroyed(origin::main_rewound)),
    way("a branch replaced by an unrelated history", Destroyed(origin::branch_unrelated)),
    way("a branch amended and forced", Destroyed(origin::feature_amended)),
    way("a branch deleted", Destroyed(origin::branch_deleted)),
    way("all branches but `main` deleted", Destroyed(origin::branches_deleted)),
    way("a release's tag moved, its branch deleted", Destroyed(origin::tag_moved)),
    way("a release's tag and branch deleted", Destroyed(origin::tag_deleted)),
    way("the default branch renamed", Destroyed(origin::default_renamed)),
    way("`a` deleted, `a/b` created", Destroyed(origin::in_the_way)),
    way("`Case` deleted, `case` created", Destroyed(origin::case_changed)),
    way("restored from yesterday's backup", Destroyed(origin::yesterday)),
    way("every commit rewritten", Destroyed(origin::rewritten)),
    way("deleted", Destroyed(origin::removed)).nothing_left(),
    way("deleted and created again, empty", Destroyed(origin::emptied)).nothing_left(),
    way("deleted, and the name taken over", Destroyed(origin::taken_over)),
    way("401", Server("401")),
    way("403", Server("403")),
    way("404", Server("404")),
    way("451", Server("451")),
    way("500", Server("500")),
    way("led to another repository", Server("redirect")),
    way("a web page with 200", Server("page")),
    way("silent", Server("silent")).slow(),
    way("one byte in 0.1 s", Server("drips")).slow(),
    way("half a pack", Server("half")),
    way("half a pack, first mirror", Server("half")).first(),
    way("a wrong byte in the pack", Server("flipped")),
    way("a wrong byte in the pack, first mirror", Server("flipped")).first(),
    way("another repository's pack", Server("other")),
    way("another repository's pack, first mirror", Server("other")).first(),
    way("a file's bytes are missing upstream", Damaged(origin::object_missing)),
    way("bit rot upstream, first mirror", Damaged(origin::bit_rot)).first(),
    way("a shallow upstream, first mirror", Damaged(origin::shallow)).first(),
    way("a partial upstream, first mirror", Damaged(origin::partial)).first(),
    way("disk full in the first mirror", Full).first(),
    way("disk full in a fetch", Full),
    way("`kill -9` in the first mirror", Killed).first(),
    way("`kill -9` in a fetch", Killed),
];
