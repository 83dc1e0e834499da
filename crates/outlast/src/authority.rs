//! The certificate authority of a home, which clients of its forward proxy trust: `keys/ca.key` and `keys/ca.pem`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use intercept::{Authority, Root};
use model::{Secret, Timestamp};
use server::Certifier;

use crate::complaint::Complaint;
use crate::failure::Failure;
use crate::home::Home;
use crate::mend;

/// How often what shows itself to clients is made anew; each is good for a week.
const RENEW_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Certifies hosts in the name of a home.
#[derive(Debug)]
pub(crate) struct HomeAuthority {
    home: Home,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    root_pem: String,
    authority: Arc<Authority>,
    made_at: Timestamp,
    /// About the files: each new connection would look at them.
    complaint: Complaint,
}

impl HomeAuthority {
    /// Reads the authority of a home, or makes it where there is none.
    pub(crate) fn open(home: &Home) -> Result<Self, Failure> {
        let now = home.clock.now();
        let (root_pem, authority) = make(home, now)?;
        let current = Current { root_pem, authority, made_at: now, complaint: Complaint::default() };
        Ok(Self { home: home.clone(), current: Mutex::new(current) })
    }

    /// Returns what is good now. What cannot be made anew is used on.
    fn current(&self) -> MutexGuard<'_, Current> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.home.clock.now();
        if now.duration_since(current.made_at).unsigned_abs() >= RENEW_EVERY {
            match make(&self.home, now) {
                Ok((root_pem, authority)) => {
                    (current.root_pem, current.authority, current.made_at) = (root_pem, authority, now);
                    current.complaint.settle();
                }
                Err(failure) => {
                    if current.complaint.is_new(&failure) {
                        failure.report();
                    }
                }
            }
        }
        current
    }
}

impl Certifier for HomeAuthority {
    fn authority(&self) -> Arc<Authority> {
        self.current().authority.clone()
    }

    fn root_pem(&self) -> String {
        self.current().root_pem.clone()
    }
}

/// Returns the root of a home as it lies there, and makes none.
pub(crate) fn root(home: &Home) -> anyhow::Result<Option<Root>> {
    match (read_key(&home.keys().join("ca.key"))?, read(&home.keys().join("ca.pem"))?) {
        (Some(key), Some(pem)) => Ok(Some(Root::read(&key, &pem)?)),
        (None, None) => Ok(None),
        _ => Err(anyhow!("of `ca.key` and `ca.pem` one is missing")),
    }
}

fn make(home: &Home, now: Timestamp) -> Result<(String, Arc<Authority>), Failure> {
    let root = open_root(home, now)?;
    let authority = Authority::under(&root, now).map_err(Failure::no)?;
    Ok((root.certificate_pem(), Arc::new(authority)))
}

/// Reads the root of a home, and makes what is not there or nears its end. Only one process does so at a time.
fn open_root(home: &Home, now: Timestamp) -> Result<Root, Failure> {
    let (key_path, pem_path) = (home.keys().join("ca.key"), home.keys().join("ca.pem"));
    let open = || -> anyhow::Result<Root> {
        let _writing = mend::writing(&home.path)?;
        host::file::create_folder(&home.keys())?;
        let lock = fs::File::open(home.keys())?;
        lock.lock()?;
        let (key, pem) = (read_key(&key_path)?, read(&pem_path)?);
        let root = match (&key, pem) {
            (Some(key), Some(pem)) => {
                let root = Root::read(key, &pem)?;
                if !root.is_due(now) {
                    return Ok(root);
                }
                Root::renewed(key, now)?
            }
            (Some(key), None) => Root::renewed(key, now)?,
            (None, Some(_)) => {
                return Err(anyhow!("`{}` is there and its private key is not", pem_path.display()));
            }
            (None, None) => {
                let root = Root::new(now)?;
                host::file::create_private(&key_path, root.key_pem().expose().as_bytes())?;
                root
            }
        };
        host::file::write_atomically(&pem_path, root.certificate_pem().as_bytes())?;
        Ok(root)
    };
    open().with_context(|| format!("cannot use the certificate authority `{}`", key_path.display())).map_err(
        |error| {
            Failure::no(error).hint(
                "mend it, or move `ca.key` and `ca.pem` away: then another authority is made, and each client has to trust it \
                 anew (`/setup`)",
            )
        },
    )
}

/// Reads the private key, which nobody else may be able to.
fn read_key(path: &PathBuf) -> anyhow::Result<Option<Secret<String>>> {
    let Some(text) = read(path)? else { return Ok(None) };
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(anyhow!("others can read it (mode {mode:03o}; `chmod 600` it)"));
    }
    Ok(Some(Secret::new(text)))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use host::Clock;

    use super::*;
    use crate::config::Config;

    const DAY: Duration = RENEW_EVERY;

    fn home(folder: &Path) -> Home {
        let clock = Clock::manual("2026-11-24T12:00:00Z".parse().unwrap());
        Home { path: folder.to_owned(), config: Config::default(), clock }
    }

    #[test]
    fn an_authority_outlives_the_process_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        let first = HomeAuthority::open(&home).unwrap();
        let again = HomeAuthority::open(&home).unwrap();
        assert_eq!(first.root_pem(), again.root_pem());
        assert_eq!(fs::read_to_string(home.keys().join("ca.pem")).unwrap(), first.root_pem());
        let key = home.keys().join("ca.key");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&key), 0o600);
        assert!(!format!("{first:?}").contains("PRIVATE"));
        // The certificate alone can be made again; the key cannot, and is not made anew unasked.
        fs::remove_file(home.keys().join("ca.pem")).unwrap();
        HomeAuthority::open(&home).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let told = |home: &Home| format!("{:#}", HomeAuthority::open(home).unwrap_err());
        assert!(told(&home).contains("mode 640"), "{}", told(&home));
        fs::remove_file(&key).unwrap();
        assert!(told(&home).contains("private key is not"), "{}", told(&home));
    }

    #[test]
    fn what_it_signs_is_made_anew_each_day_and_itself_before_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        let kept = HomeAuthority::open(&home).unwrap();
        let (root, authority) = (kept.root_pem(), kept.authority());
        home.clock.advance(DAY / 2);
        assert!(Arc::ptr_eq(&authority, &kept.authority()));
        home.clock.advance(DAY / 2);
        assert!(!Arc::ptr_eq(&authority, &kept.authority()));
        assert_eq!(kept.root_pem(), root);
        home.clock.advance(DAY * 300);
        // Whatever is wrong with the files, what was good goes on.
        let pem = home.keys().join("ca.pem");
        fs::write(&pem, "x").unwrap();
        assert_eq!(kept.root_pem(), root);
        fs::write(&pem, &root).unwrap();
        let renewed = kept.root_pem();
        assert_ne!(renewed, root);
        assert_eq!(fs::read_to_string(&pem).unwrap(), renewed);
    }
}
