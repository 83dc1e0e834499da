//! What is a company's own: its registries, and the credentials with which Outlast asks them.
//!
//! Credentials are for one host each, and for what Outlast itself asks in order to serve or to adopt. What was got with them is
//! kept under the name of the host that the configuration gives, never under the token's: a new token finds the old copies.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use host::http::{Credentials, Keyring};
use http::{HeaderMap, StatusCode, header};
use model::{Event, ObjectUrl, SafeUrl};
use registry::{Class, Ecosystem, Placed, PrivateRegistries, Redirects};

use crate::copy::Prior;
use crate::flight::End;
use crate::index::decode;
use crate::refusal::Refusal;
use crate::session::{Inner, lock};
use crate::want::Want;
use crate::who::{CredentialKey, Who};

/// What the configuration says of a company's own.
#[derive(Debug, Clone, Default)]
pub struct Private {
    /// Its registries.
    pub registries: PrivateRegistries,
    /// How Outlast is let in, one for each host.
    pub credentials: Vec<Credentials>,
}

impl Private {
    /// Binds each of the credentials to its host: at the usual port, and where the host has a registry.
    pub fn keyring(&self) -> Keyring {
        Keyring::new(&self.credentials, self.registries.urls())
    }
}

/// A company's own, as one session knows it.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) registries: PrivateRegistries,
    /// Empty where a command asks: it has credentials of its own.
    pub(crate) keyring: Keyring,
    name: CredentialKey,
    /// Hosts that did not let Outlast in, and were told of.
    refusing: Mutex<HashSet<String>>,
}

impl Own {
    pub(crate) fn new(registries: PrivateRegistries, keyring: Keyring, name: CredentialKey) -> Self {
        Self { registries, keyring, name, refusing: Mutex::default() }
    }

    /// Returns who Outlast itself is at a host.
    pub(crate) fn who(&self, host: &str) -> Who {
        if self.keyring.has(host) { self.name.principal(host) } else { Who::NOBODY }
    }

    /// Returns whether a host is one of the company's, by its credentials or its registry.
    pub(crate) fn is_of_company(&self, host: &str) -> bool {
        self.keyring.has(host) || self.registries.urls().any(|url| url.host() == host)
    }
}

impl Inner {
    /// Returns where something is asked for that a client wants at an address.
    ///
    /// # Errors
    /// A proved absence where it is a company's by its name, and the company's registry can have nothing like it.
    pub(crate) fn place(&self, url: SafeUrl) -> Result<SafeUrl, Refusal> {
        match self.own.registries.place(url.object()) {
            Placed::Public => Ok(url),
            Placed::Private(url) => Ok(SafeUrl::from(url)),
            Placed::Nowhere { name, registry } => Err(Refusal::absent(format!(
                "`{name}` is asked for at `{registry}` alone, where nothing lies under such an address"
            ))),
        }
    }

    /// Returns whether a name is a company's, so that nobody else may hear of it.
    pub(crate) fn is_private_name(&self, url: &ObjectUrl) -> bool {
        self.own.registries.place(url) != Placed::Public
    }

    /// Returns what a client posts as a public registry may hear it, without the names that are a company's, and the headers that
    /// go with it.
    ///
    /// # Errors
    /// A refusal where nobody here can read what is said.
    pub(crate) fn untold(
        &self,
        url: &SafeUrl,
        ecosystem: &dyn Ecosystem,
        client: &HeaderMap,
        body: Bytes,
    ) -> Result<(HeaderMap, Bytes), Refusal> {
        let mut headers = client.clone();
        if !self.is_on_its_own()
            || self.own.registries.is_empty()
            || self.own.is_of_company(url.object().host())
        {
            return Ok((headers, body));
        }
        let told = decode(client, body).ok().and_then(|body| {
            let told = self.own.registries.untold(ecosystem, &body)?;
            Some(Bytes::from(told.into_owned()))
        });
        headers.remove(header::CONTENT_ENCODING);
        told.map(|body| (headers, body)).ok_or_else(|| {
            let reason = "it may name what is private, and cannot be read".to_owned();
            Refusal::bad_request(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
        })
    }

    /// Returns what a request wants. Where Outlast asks with credentials it goes where redirects lead: what lies there is signed for
    /// a while, and is as private as what led to it.
    pub(crate) fn followed(&self, host: &str, class: Class) -> Class {
        match class {
            Class::File(file) if self.own.keyring.has(host) => {
                Class::File(registry::FileRequest { redirects: Redirects::Followed, ..file })
            }
            Class::Document { variant, .. } if self.own.keyring.has(host) => {
                Class::Document { variant, redirects: Redirects::Followed }
            }
            class => class,
        }
    }

    /// Returns whether a company's host did not let Outlast in: that says nothing about what was asked for.
    pub(crate) fn is_shut_out(&self, host: &str, status: StatusCode) -> bool {
        self.is_on_its_own()
            && matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
            && self.own.is_of_company(host)
    }

    /// Answers from the copy, or not at all, because a company's host does not let Outlast in.
    pub(crate) fn shut_out(&self, host: &str, want: &Want, prior: Prior, status: StatusCode) -> End {
        let what =
            if self.own.keyring.has(host) { "refuses Outlast's credentials" } else { "wants credentials" };
        let reason = format!("`{host}` {what} (status {})", status.as_u16());
        if lock(&self.own.refusing).insert(host.to_owned()) {
            tracing::error!("{reason}; `credentials_file` of this host in outlast.toml says what they are");
            self.journal(host, Event::Rejected { key: want.key.clone(), reason: reason.clone() });
        }
        if prior.known().is_some() {
            return self.stand_in_for(host, want, prior, &reason);
        }
        let reason = format!("nothing is kept for `{}`, and {reason}", want.url);
        End::Failed { refusal: Arc::new(Refusal::shut_out(reason)), sha256: None }
    }
}
