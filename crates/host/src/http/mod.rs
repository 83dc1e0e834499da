//! The one way out: a pooled HTTP client that knows where hosts really are, whom to trust for them, and which addresses
//! Outlast must not be talked into asking.

mod address;
mod certificate;
mod client;
mod connect;
mod credentials;
mod error;
mod guard;
mod proxies;
mod roots;
mod tunnel;

pub use address::{Network, NetworkError, is_metadata, is_public};
pub use client::{Client, Outgoing, Settings, Upstream, request, whole};
pub use credentials::{Credentials, Keyring};
pub use error::{Fate, FetchError};
pub use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
pub use hyper::body::Incoming;
pub use proxies::{BadProxy, Proxies};
pub use roots::{BadCertificates, Roots};
