//! `[[upstream]]`: where a host really is, whom to trust for it, and how Outlast is let in.

use std::path::{Path, PathBuf};

use host::http::{Credentials, Roots, Upstream};
use model::ObjectUrl;
use proxy::FileMirror;
use serde::Deserialize;
use toml::Spanned;

use super::{Mistake, credentials};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    host: Spanned<String>,
    connect: Option<Spanned<String>>,
    ca_file: Option<Spanned<PathBuf>>,
    url: Option<Spanned<String>>,
    credentials_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    mirrors: Vec<Spanned<String>>,
}

/// What all sections say.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) credentials: Vec<Credentials>,
    pub(super) mirrors: Vec<FileMirror>,
}

/// Checks all of them: a host is in one place.
pub(super) fn check(sections: Vec<Section>, folder: &Path) -> Result<Checked, Mistake> {
    let mut checked = Checked::default();
    for section in sections {
        let at = section.host.span();
        let (host, mirrors) = (host_name(&section.host)?, section.mirrors.clone());
        let (upstream, credentials) = section.check(folder)?;
        checked.credentials.extend(credentials);
        for mirror in mirrors {
            checked.mirrors.push(FileMirror { of: host.clone(), base: check_base(&mirror)? });
        }
        let upstreams = &mut checked.upstreams;
        if upstreams.iter().any(|other| other.host == upstream.host) {
            return Err(Mistake {
                at,
                what: format!("`{}` has an [[upstream]] already", upstream.host),
                hint: "write one [[upstream]] for each host, with all of its keys",
            });
        }
        upstreams.push(upstream);
    }
    Ok(checked)
}

impl Section {
    fn check(self, folder: &Path) -> Result<(Upstream, Option<Credentials>), Mistake> {
        let host = host_name(&self.host)?;
        let roots = self.ca_file.map(|file| read_roots(folder, &file)).transpose()?;
        let credentials =
            self.credentials_file.map(|file| credentials::read(folder, &host, &file)).transpose()?;
        let upstream = Upstream {
            host,
            connect: self.connect.map(|connect| check_connect(&connect)).transpose()?,
            roots,
            base: self.url.map(|url| check_base(&url)).transpose()?,
        };
        Ok((upstream, credentials))
    }
}

/// Returns a host name in lower case.
pub(super) fn host_name(host: &Spanned<String>) -> Result<String, Mistake> {
    let name = host.get_ref().to_ascii_lowercase();
    let is_host = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_');
    if name.is_empty() || !name.bytes().all(is_host) {
        return Err(Mistake {
            at: host.span(),
            what: format!("`{name}` is not a host name"),
            hint: "write the name that clients ask for, without `https://` and without a port",
        });
    }
    Ok(name)
}

fn check_connect(connect: &Spanned<String>) -> Result<String, Mistake> {
    let text = connect.get_ref();
    let port = text.rsplit_once(':').and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>()));
    if matches!(port, Some(Ok(port)) if port > 0) {
        return Ok(text.clone());
    }
    Err(Mistake {
        at: connect.span(),
        what: format!("`{text}` is not an address with a port"),
        hint: "write for example `connect = \"127.0.0.1:4443\"`",
    })
}

fn check_base(url: &Spanned<String>) -> Result<ObjectUrl, Mistake> {
    ObjectUrl::parse(url.get_ref()).map_err(|error| Mistake {
        at: url.span(),
        what: error.to_string(),
        hint: "write for example `url = \"http://127.0.0.1:4900/npm\"`",
    })
}

fn read_roots(folder: &Path, file: &Spanned<PathBuf>) -> Result<Roots, Mistake> {
    let path = folder.join(file.get_ref());
    let mistake = |what: String| Mistake {
        at: file.span(),
        what,
        hint: "name a file with certificates in PEM form; a relative name is relative to this file",
    };
    let pem = std::fs::read(&path).map_err(|error| mistake(format!("`{}`: {error}", path.display())))?;
    let mut roots = Roots::empty();
    roots.add_pem(&pem).map_err(|error| mistake(format!("`{}`: {error}", path.display())))?;
    Ok(roots)
}
