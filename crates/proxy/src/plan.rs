//! What a session is for, and what it is made from.

use std::sync::Arc;

use model::{Cut, Timestamp};
use registry::{Pin, Site};

use crate::adopt::LastResort;
use crate::repository::Repositories;
use crate::upstream::Chooser;
use crate::via::TeamServer;

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To record what a command fetches.
    Record,
    /// To prove that it survives.
    Drill,
    /// To fetch what a project needs, whoever asked for that.
    Adopt,
    /// To see what is kept: nobody is asked for anything.
    Inspect,
    /// To answer whoever comes, for as long as the server runs: nothing is written down of what they asked.
    Serve,
}

impl Purpose {
    /// Returns who chooses what is asked: only a command asks where it would ask without Outlast.
    pub(crate) const fn chooser(self) -> Chooser {
        match self {
            Self::Record | Self::Drill => Chooser::Command,
            Self::Adopt | Self::Inspect | Self::Serve => Chooser::Outlast,
        }
    }

    /// Returns whether Outlast itself asks, with its own credentials, and knows where each name is to be asked for.
    pub(crate) const fn is_its_own(self) -> bool {
        matches!(self, Self::Adopt | Self::Inspect | Self::Serve)
    }

    /// Returns whether there is a run, whose record says what was asked.
    pub(crate) const fn is_written_down(self) -> bool {
        matches!(self, Self::Record | Self::Drill)
    }
}

/// What a session is made from.
#[derive(Debug)]
pub struct SessionPlan {
    /// Which hosts fail, and how.
    pub cuts: Vec<Cut>,
    /// What the project's lock files vouch for, each with the lock's name.
    pub pins: Vec<(String, Pin)>,
    /// What it is for.
    pub purpose: Purpose,
    /// Answer with what was held at this moment. What cannot change is served as ever.
    pub at: Option<Timestamp>,
    /// The server at whose door is asked: what it offers links back to it.
    pub site: Option<Site>,
    /// The team's server, to be asked before any upstream.
    pub via: Option<TeamServer>,
    /// Whoever keeps git repositories.
    pub repositories: Option<Arc<dyn Repositories>>,
    /// Whoever can look where clients leave things, after every upstream.
    pub last_resort: Option<Arc<dyn LastResort>>,
}

impl SessionPlan {
    /// Plans a session without cuts, pins and servers.
    pub const fn new(purpose: Purpose) -> Self {
        Self {
            cuts: Vec::new(),
            pins: Vec::new(),
            purpose,
            at: None,
            site: None,
            via: None,
            repositories: None,
            last_resort: None,
        }
    }
}
