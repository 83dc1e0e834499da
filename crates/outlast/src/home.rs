//! Outlast's home folder, and what is in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use drill::{KeyError, SigningKey};
use host::Clock;
use proxy::CredentialKey;
use store::Store;

use crate::command_line::Global;
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::mend;

/// The length of the key by which credentials are told apart.
const N_KEY_BYTES: usize = 32;

/// The home folder and its configuration.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) clock: Clock,
}

/// Reads a configuration: a pipe would be waited for, and a device has no end.
fn read_config(file: &Path) -> std::io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is no file"));
    }
    std::fs::read(file)
}

impl Home {
    /// Finds the home folder and reads its configuration; neither has to exist.
    pub(crate) fn find(global: &Global) -> Result<Self, Failure> {
        let path = Self::path(global)?;
        let (file, is_asked_for) = match &global.config {
            Some(file) => (file.clone(), true),
            None => (path.join("outlast.toml"), false),
        };
        let config = match read_config(&file) {
            Ok(bytes) => Config::parse(&file, config::text(&file, &bytes)?)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_asked_for => Config::default(),
            Err(error) => {
                let error = anyhow!(error).context(format!("could not read `{}`", file.display()));
                return Err(Failure::usage(error).hint("name a readable file with --config"));
            }
        };
        Ok(Self { path, config, clock: Clock::real() })
    }

    /// Returns the home folder as an absolute path.
    pub(crate) fn path(global: &Global) -> Result<PathBuf, Failure> {
        let path = match &global.home {
            Some(home) if !home.as_os_str().is_empty() => home.clone(),
            _ => default_home()?,
        };
        let path = std::path::absolute(&path).map_err(Failure::nowhere)?;
        Ok(path.canonicalize().unwrap_or(path))
    }

    /// Opens the store, which makes the home folder if need be.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        create(&self.path)
            .with_context(|| format!("could not make the home folder `{}`", self.path.display()))
            .map_err(|error| Failure::no(error).hint("choose another folder with --home or OUTLAST_HOME"))?;
        let store = Store::open(&self.path, self.clock.clone())?;
        if let Err(error) = mend::mend(self, &store) {
            // No reason to keep anybody from working: it is tried again next time.
            tracing::warn!("could not finish what a killed process left: {error:#}");
        }
        Ok(store)
    }

    /// Opens the store of a home that is there already: a command that only reads does not make one.
    pub(crate) fn existing_store(&self) -> Result<Store, Failure> {
        if !self.path.join("journal").is_dir() {
            return Err(Failure::no(anyhow!("there is no Outlast home at `{}`", self.path.display()))
                .hint("`outlast init` makes one; --home or OUTLAST_HOME name another"));
        }
        self.store()
    }

    /// Opens the key that signs evidence, or makes it where there is none; the second value says whether it did.
    pub(crate) fn signing_key(&self) -> Result<(SigningKey, bool), Failure> {
        let _writing = mend::writing(&self.path)?;
        SigningKey::open_or_create(&self.keys()).map_err(|error| {
            let hint = match &error {
                KeyError::Lost { .. } => {
                    "put it back; or move the public half away and run this again: earlier evidence then verifies only \
                     with `--key` and the old public half"
                }
                KeyError::Io { .. } => "check the disk that holds Outlast's home folder, and its permissions",
                _ => {
                    "mend it, or move both halves away: with a new key, earlier evidence verifies only with `--key` and \
                     the old public half"
                }
            };
            Failure::no(error).hint(hint)
        })
    }

    /// Opens the key by which credentials are told apart, or makes it. Without it copies that were asked for with credentials
    /// are taken for those of others; whoever has it and the copies can try passwords on them.
    pub(crate) fn credential_key(&self) -> Result<CredentialKey, Failure> {
        let path = self.keys().join("credentials.hmac");
        let open = || -> anyhow::Result<CredentialKey> {
            if !path.exists() {
                let _writing = mend::writing(&self.path)?;
                host::file::create_folder(&self.keys())?;
                match host::file::create_private(&path, &host::random::bytes::<N_KEY_BYTES>()) {
                    // Another process was faster.
                    Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(error.into());
                    }
                    _ => {}
                }
            }
            let bytes = std::fs::read(&path)?;
            let bytes = bytes.try_into().map_err(|_| anyhow!("it does not have {N_KEY_BYTES} bytes"))?;
            Ok(CredentialKey::new(&bytes))
        };
        open().with_context(|| format!("cannot use the key `{}`", path.display())).map_err(|error| {
            Failure::no(error).hint("mend it, or remove it: the next run then makes a new one")
        })
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    pub(crate) fn run(&self, run_id: &model::RunId) -> PathBuf {
        self.path.join("runs").join(run_id.as_str())
    }

    /// Returns where second copies of other homes lie.
    pub(crate) fn copies(&self) -> PathBuf {
        self.path.join("copies")
    }

    pub(crate) fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }
}

/// Makes the home folder, for its owner only: copies of private packages and whole command lines lie in it.
pub(crate) fn create(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if path.is_dir() {
        return Ok(());
    }
    host::file::create_folder(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
fn default_home() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    // The standard for it says to pass over one that is relative.
    if let Some(data) = set("XDG_DATA_HOME").filter(|data| data.is_absolute()) {
        return Ok(data.join("outlast"));
    }
    let what = match set("HOME") {
        Some(home) if home.is_absolute() => return Ok(home.join(".local/share/outlast")),
        Some(home) if home.as_os_str().is_empty() => "HOME is empty".to_owned(),
        Some(home) => format!("HOME is `{}`, which is not absolute", home.display()),
        None => "HOME is not set".to_owned(),
    };
    Err(Failure::usage(anyhow!("no home folder: {what}")).hint("name one with --home DIR or OUTLAST_HOME"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_new_home_is_its_owners_alone_and_one_that_is_there_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let home = folder.path().join("a/home");
        create(&home).unwrap();
        assert_eq!(mode(&home), 0o700);
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o750)).unwrap();
        create(&home).unwrap();
        assert_eq!(mode(&home), 0o750);
    }
}
