//! Why an upstream gave no answer, by outcome.

use std::net::IpAddr;
use std::time::Duration;

/// What a caller should do about an error from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It may go better after a while.
    RetryAfter(Duration),
    /// Asking again will not help.
    GiveUp,
    /// What came contradicts itself; a person must see it.
    Corrupt,
}

/// Why an upstream gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The name does not exist.
    #[error("`{host}` does not resolve")]
    NoSuchName {
        /// The host.
        host: String,
    },
    /// The name could not be looked up.
    #[error("could not look up `{host}`")]
    Lookup {
        /// The host.
        host: String,
        /// The resolver's reason.
        source: std::io::Error,
    },
    /// The address is this machine's own, or Outlast was led to one that is not public, and nobody allowed it.
    #[error(
        "`{host}` is at `{address}`, which nobody allowed; `[network] allow = [\"{address}\"]` in outlast.toml does"
    )]
    Forbidden {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// Outlast was led to a name that is none of the world, and a proxy would have to say where it is.
    #[error(
        "`{host}` is no public name, and a proxy stands between; an [[upstream]] or `no_proxy` allows it"
    )]
    NotPublic {
        /// The host.
        host: String,
    },
    /// The proxy that the environment names gives no way.
    #[error("the proxy `{proxy}` gives no way to `{host}`")]
    Proxy {
        /// The host.
        host: String,
        /// The proxy.
        proxy: String,
        /// Its reason.
        source: std::io::Error,
    },
    /// No connection.
    #[error("could not connect to `{host}`")]
    Connect {
        /// The host.
        host: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The TLS handshake failed: an expired, foreign or unknown certificate, or no TLS at all.
    #[error("no trusted connection to `{host}`")]
    Tls {
        /// The host.
        host: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("`{host}` broke the connection")]
    Broken {
        /// The host.
        host: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing came in time.
    #[error("`{host}` did not answer within {}", time(*.after))]
    Timeout {
        /// The host.
        host: String,
        /// How long it was given.
        after: Duration,
    },
    /// Redirects lead nowhere, in circles, or on and on.
    #[error("redirects of `{host}` lead nowhere")]
    Redirects {
        /// The host where they began.
        host: String,
    },
    /// The address that was to be asked cannot be.
    #[error("`{url}` cannot be asked")]
    BadAddress {
        /// The address.
        url: String,
    },
}

impl FetchError {
    /// Returns what to do about it.
    pub const fn fate(&self) -> Fate {
        match self {
            Self::NoSuchName { .. }
            | Self::Forbidden { .. }
            | Self::NotPublic { .. }
            | Self::Redirects { .. }
            | Self::BadAddress { .. } => Fate::GiveUp,
            Self::Lookup { .. }
            | Self::Proxy { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. } => Fate::RetryAfter(Duration::from_secs(30)),
        }
    }
}

impl FetchError {
    /// Returns the same outcome again; the inner error survives as its kind and text.
    pub(super) fn same(&self) -> Self {
        let again = |error: &std::io::Error| std::io::Error::new(error.kind(), error.to_string());
        match self {
            Self::NoSuchName { host } => Self::NoSuchName { host: host.clone() },
            Self::Lookup { host, source } => Self::Lookup { host: host.clone(), source: again(source) },
            Self::Forbidden { host, address } => Self::Forbidden { host: host.clone(), address: *address },
            Self::NotPublic { host } => Self::NotPublic { host: host.clone() },
            Self::Proxy { host, proxy, source } => {
                Self::Proxy { host: host.clone(), proxy: proxy.clone(), source: again(source) }
            }
            Self::Connect { host, source } => Self::Connect { host: host.clone(), source: again(source) },
            Self::Tls { host, source } => Self::Tls { host: host.clone(), source: again(source) },
            Self::Broken { host, source } => {
                Self::Broken { host: host.clone(), source: source.to_string().into() }
            }
            Self::Timeout { host, after } => Self::Timeout { host: host.clone(), after: *after },
            Self::Redirects { host } => Self::Redirects { host: host.clone() },
            Self::BadAddress { url } => Self::BadAddress { url: url.clone() },
        }
    }
}

/// Returns a time as a person would say it: `900 ms`, `1.5 s`, `30 s`.
fn time(time: Duration) -> String {
    let ms = time.as_millis();
    match (ms / 1000, ms % 1000 / 100) {
        (0, _) => format!("{ms} ms"),
        (seconds, 0) => format!("{seconds} s"),
        (seconds, tenths) => format!("{seconds}.{tenths} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_says_how_long_was_waited() {
        let check = |ms: u64, expected: &str| {
            let error =
                FetchError::Timeout { host: "a.example".to_owned(), after: Duration::from_millis(ms) };
            assert_eq!(error.to_string(), format!("`a.example` did not answer within {expected}"));
        };
        check(900, "900 ms");
        check(1_000, "1 s");
        check(1_549, "1.5 s");
        check(30_000, "30 s");
        check(0, "0 ms");
    }
}
