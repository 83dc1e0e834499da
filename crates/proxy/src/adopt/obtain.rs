//! Gets one object as a client would, for nobody who waits for its bytes.

use std::sync::Arc;

use http::{HeaderMap, Method, header};
use model::{Freshness, Held, SafeUrl, SavedHeader, Source};
use registry::{Class, Head};

use crate::copy::Copy;
use crate::decide::{self, First};
use crate::flight::End;
use crate::headers;
use crate::session::Inner;
use crate::vouch::tables::Table;
use crate::want::{Asker, Shape, Want};

/// The largest settings of a registry that are looked into; Packagist's root has 3 kB.
const SETTINGS_BYTES_MAX: u64 = 64 << 10;

/// How something is asked for, and what of it.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) headers: HeaderMap,
    /// Whether what an index vouches for is wanted, too.
    pub(super) wants_table: bool,
}

/// Something that was got.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) held: Arc<Held>,
    pub(super) source: Source,
    pub(super) freshness: Freshness,
    /// What it vouches for, if it is an index.
    pub(super) table: Option<Arc<Table>>,
    /// Its text, if it is a registry's own settings.
    pub(super) settings: Option<Arc<[u8]>>,
    /// Where it leads, if it is a redirect; with the signature that is not kept.
    pub(super) location: Option<String>,
}

/// Why something was not got.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// The upstream says that there is no such thing.
    Absent(String),
    /// It may be there at another time.
    Unavailable(String),
    /// It is there, and no good.
    Wrong(String),
}

impl Trouble {
    pub(super) fn reason(&self) -> &str {
        let (Self::Absent(reason) | Self::Unavailable(reason) | Self::Wrong(reason)) = self;
        reason
    }
}

impl Inner {
    /// Gets an object as it lies, or from its upstream unless `check` says why not.
    pub(super) async fn obtain(
        self: &Arc<Self>,
        url: &SafeUrl,
        look: &Look,
        check: impl Fn() -> Result<(), Trouble>,
    ) -> Result<Got, Trouble> {
        let Look { headers: client, wants_table } = look;
        let want = self.wanted(url, client).await?;
        let copy = self.copy(&want).await;
        let index = match &want.shape {
            Shape::Index(index) => Some(index.clone()),
            _ => None,
        };
        let key = want.key.clone();
        let ecosystem = want.ecosystem;
        let got = |held: Arc<Held>, source, freshness, live: Option<&[SavedHeader]>| {
            // Thousands of them would not fit into memory, and most are needed by nobody.
            let needed = index.as_ref().filter(|_| *wants_table || freshness == Freshness::Stale);
            let table = needed.and_then(|index| self.table(ecosystem, index, &key, &held));
            let location = headers::saved(live.unwrap_or(&held.headers), header::LOCATION.as_str());
            let location = location.filter(|_| (300..400).contains(&held.status)).map(str::to_owned);
            let is_settings = index.as_ref().is_some_and(|index| index.subject.is_empty());
            let read = || self.engine.store.read_blob(&held.sha256, SETTINGS_BYTES_MAX).ok();
            let settings = is_settings.then(read).flatten().map(Arc::from);
            Got { held, source, freshness, table, settings, location }
        };
        if self.only_looks() {
            return match &copy {
                Copy::Good(loaded) if decide::is_good(&loaded.held) => {
                    Ok(got(Arc::new(loaded.held.clone()), Source::Copy, Freshness::Fresh, None))
                }
                _ => Err(Trouble::Absent("it is not kept".to_owned())),
            };
        }
        if let Copy::Good(loaded) = &copy {
            let (first, _) = self.first(&want, client, &copy);
            if let First::Serve(freshness @ (Freshness::Fresh | Freshness::Gone)) = first
                && decide::is_good(&loaded.held)
            {
                return Ok(got(Arc::new(loaded.held.clone()), Source::Copy, freshness, None));
            }
        }
        check()?;
        let flight = self.join(Arc::new(want), copy.prior());
        match flight.ended().await {
            End::Landed { held, source, freshness, live_headers } if decide::is_good(&held) => {
                Ok(got(held, source, freshness, live_headers.as_ref().map(|headers| headers.as_slice())))
            }
            End::Landed { held, .. } => {
                Err(Trouble::Absent(format!("its upstream answered with status {}", held.status)))
            }
            End::Passed { status, reason, .. } => {
                let may_pass = status.is_server_error() || status.as_u16() == 429;
                let reason = reason.to_string();
                Err(if may_pass { Trouble::Unavailable(reason) } else { Trouble::Wrong(reason) })
            }
            End::Failed { refusal, .. } if refusal.error == "unavailable" => {
                Err(Trouble::Unavailable(refusal.reason.clone()))
            }
            End::Failed { refusal, .. } => Err(Trouble::Wrong(refusal.reason.clone())),
            End::GivenUp => Err(Trouble::Unavailable("the transfer was given up".to_owned())),
        }
    }

    /// Returns what a client would want that asks for an address.
    pub(super) async fn wanted(self: &Arc<Self>, url: &SafeUrl, client: &HeaderMap) -> Result<Want, Trouble> {
        let head = Head { method: &Method::GET, url: url.object(), headers: client };
        let (ecosystem, class) = self.classify(&head).await;
        let host = url.object().host();
        let class = self.followed(host, class);
        let asker = Asker { client, who: self.own.who(host), chooser: self.chooser() };
        let url = url.clone();
        match class {
            Class::Index(index) => Ok(Want::index(url, index, asker, ecosystem)),
            Class::File(file) => {
                let variant = file.variant.clone();
                Ok(Want::bytes(url, variant, Shape::File(file), asker, ecosystem))
            }
            Class::Document { variant, redirects } => {
                Ok(Want::bytes(url, variant, Shape::Document(redirects), asker, ecosystem))
            }
            Class::Moved { to } => Box::pin(self.wanted(&SafeUrl::from(to), client)).await,
            Class::Live { reason } | Class::Repository { reason } | Class::Refuse { reason, .. } => {
                Err(Trouble::Wrong(reason))
            }
            Class::Question | Class::Notice => Err(Trouble::Wrong("nothing is read there".to_owned())),
        }
    }
}
