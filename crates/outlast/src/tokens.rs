//! The file of a server's tokens, `keys/tokens.json`, and the gate that reads it anew whenever it changes.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow};
use host::Clock;
use http::HeaderMap;
use server::{Gate, Scope, Tokens};

use crate::complaint::Complaint;
use crate::failure::Failure;
use crate::home::Home;
use crate::mend;

/// How soon a token that was revoked is refused.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct TokenFile {
    home: PathBuf,
    path: PathBuf,
}

impl TokenFile {
    pub(crate) fn of(home: &Home) -> Self {
        Self { home: home.path.clone(), path: home.keys().join("tokens.json") }
    }

    /// Reads all tokens; `None` where none was ever made.
    pub(crate) fn read(&self) -> Result<Option<Tokens>, Failure> {
        let read = || match std::fs::read(&self.path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(anyhow!(error)),
        };
        read().with_context(|| format!("cannot use the tokens in `{}`", self.path.display())).map_err(
            |error| {
                Failure::no(error)
                    .hint("mend it, or remove it: then all tokens are gone, and new ones can be made")
            },
        )
    }

    /// Changes the tokens; nobody else does at the same time.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Tokens) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _writing = mend::writing(&self.home)?;
        let folder = self.path.parent().unwrap_or(&self.home);
        host::file::create_folder(folder)?;
        let lock = std::fs::File::open(folder)?;
        lock.lock()?;
        let mut tokens = self.read()?.unwrap_or_default();
        let made = change(&mut tokens)?;
        let bytes = serde_json::to_vec_pretty(&tokens).map_err(Failure::no)?;
        host::file::write_atomically(&self.path, &bytes)?;
        Ok(made)
    }

    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}

/// Lets in who has a token.
#[derive(Debug)]
pub(crate) struct Keyring {
    file: TokenFile,
    clock: Clock,
    /// Whether everybody is let in as long as there is no token.
    is_open: bool,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    looked_at: Duration,
    stamp: Option<(SystemTime, u64)>,
    tokens: Option<Arc<Tokens>>,
    /// About the file: every request that is refused looks at it.
    complaint: Complaint,
}

impl Keyring {
    /// Reads the tokens. Where there are none, everybody is let in or nobody.
    pub(crate) fn new(file: TokenFile, clock: Clock, is_open: bool) -> Result<Self, Failure> {
        let stamp = file.stamp();
        let tokens = file.read()?.map(Arc::new);
        let known =
            Mutex::new(Known { looked_at: clock.elapsed(), stamp, tokens, complaint: Complaint::default() });
        Ok(Self { file, clock, is_open, known })
    }

    /// Returns the tokens of a moment ago, or as they are now.
    fn tokens(&self, look: Duration) -> Option<Arc<Tokens>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        if now.saturating_sub(known.looked_at) < look {
            return known.tokens.clone();
        }
        known.looked_at = now;
        let stamp = self.file.stamp();
        if stamp != known.stamp {
            match self.file.read() {
                // That the file went is no reason to let everybody in.
                Ok(None) => known.tokens = known.tokens.as_ref().map(|_| Arc::default()),
                Ok(Some(tokens)) => known.tokens = Some(Arc::new(tokens)),
                // Read again at the next look.
                Err(failure) => {
                    if known.complaint.is_new(&failure) {
                        failure.report();
                    }
                    return known.tokens.clone();
                }
            }
            known.stamp = stamp;
            known.complaint.settle();
        }
        known.tokens.clone()
    }
}

impl Gate for Keyring {
    fn allows(&self, headers: &HeaderMap, scope: Scope) -> bool {
        let allows = |tokens: Option<Arc<Tokens>>| match tokens {
            None => self.is_open && scope == Scope::Read,
            Some(tokens) => tokens.of(headers).is_some_and(|token| token.scope >= scope),
        };
        // A token that was made a moment ago is good at once.
        allows(self.tokens(LOOK_EVERY)) || allows(self.tokens(Duration::ZERO))
    }

    fn who(&self, headers: &HeaderMap) -> Option<String> {
        self.tokens(LOOK_EVERY)?.of(headers).map(|token| token.name.clone())
    }
}
