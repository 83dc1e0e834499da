//! Until when a host's certificate is good.

use model::{ObjectUrl, Timestamp};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::client::Client;
use super::connect::{Chooser, Connector, Stream};
use super::error::FetchError;

impl Client {
    /// Connects to a host as a person's own command would, and returns when the certificate that it shows ends; nothing for a
    /// host without TLS.
    ///
    /// # Errors
    /// As for a request: one that is not trusted, or has ended, is an error.
    pub async fn certificate_end(&self, url: &ObjectUrl) -> Result<Option<Timestamp>, FetchError> {
        let url = self.bases.get(url.host()).unwrap_or(url);
        let uri = url.as_str().parse().map_err(|_| FetchError::BadAddress { url: url.to_string() })?;
        let connector = Connector { line: self.line.clone(), chooser: Chooser::Command };
        let Stream::Tls(tls) = connector.connect(&uri).await? else { return Ok(None) };
        let shown = tls.inner().get_ref().1.peer_certificates().and_then(<[_]>::first);
        Ok(shown.and_then(|certificate| {
            let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
            Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
        }))
    }
}
