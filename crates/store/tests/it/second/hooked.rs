//! A second copy that a test watches, holds up or breaks off at its steps.

use std::fmt;
use std::io::Write;

use model::Sha256;
use store::{BlobReader, CopyError, CopyFolder, Head, Look, Part, SecondCopy};

/// What a step is done for, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Head,
    /// So many blobs of so many bytes in all are asked for.
    Missing {
        n_blobs: usize,
        look: Look,
        size_bytes: u64,
    },
    Put,
    Append,
}

/// A folder's copy with something of the test's own before each step, which may end it there.
pub(super) struct Hooked<'a> {
    to: CopyFolder,
    before: Box<dyn Fn(Step) -> Result<(), CopyError> + Send + Sync + 'a>,
    /// What it says of its end instead of what is so.
    head: Box<dyn Fn(Head) -> Head + Send + Sync + 'a>,
}

impl<'a> Hooked<'a> {
    pub(super) fn new(
        to: CopyFolder,
        before: impl Fn(Step) -> Result<(), CopyError> + Send + Sync + 'a,
    ) -> Self {
        Self { to, before: Box::new(before), head: Box::new(|head| head) }
    }

    /// Lets it say something else of its end.
    pub(super) fn saying(mut self, head: impl Fn(Head) -> Head + Send + Sync + 'a) -> Self {
        self.head = Box::new(head);
        self
    }
}

impl fmt::Debug for Hooked<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hooked").field("to", &self.to).finish_non_exhaustive()
    }
}

impl SecondCopy for Hooked<'_> {
    fn place(&self) -> String {
        self.to.place()
    }

    fn head(&self) -> Result<Option<Head>, CopyError> {
        (self.before)(Step::Head)?;
        Ok(self.to.head()?.map(&self.head))
    }

    fn missing(&self, blobs: &[Sha256], look: Look, size_bytes: u64) -> Result<Vec<Sha256>, CopyError> {
        (self.before)(Step::Missing { n_blobs: blobs.len(), look, size_bytes })?;
        self.to.missing(blobs, look, size_bytes)
    }

    fn put(&self, blobs: Vec<BlobReader>) -> Result<Vec<Sha256>, CopyError> {
        (self.before)(Step::Put)?;
        self.to.put(blobs)
    }

    fn append(&self, part: Part<'_>) -> Result<(), CopyError> {
        (self.before)(Step::Append)?;
        self.to.append(part)
    }

    fn get(&self, sha256: &Sha256, to: &mut dyn Write) -> Result<(), CopyError> {
        self.to.get(sha256, to)
    }
}

/// Counts down to the step at which something happens.
#[derive(Debug)]
pub(super) struct Countdown(std::sync::atomic::AtomicUsize);

impl Countdown {
    pub(super) const fn new(n_left: usize) -> Self {
        Self(std::sync::atomic::AtomicUsize::new(n_left))
    }

    /// Takes a step; returns how many were left before it.
    pub(super) fn step(&self) -> usize {
        use std::sync::atomic::Ordering::Relaxed;
        let stepped = self.0.fetch_update(Relaxed, Relaxed, |n| n.checked_sub(1));
        stepped.unwrap_or(0)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed) == 0
    }
}
