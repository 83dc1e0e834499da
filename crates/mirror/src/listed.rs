//! What an upstream lists, asked for in the way in which it was seen to speak.

use git::{Advertised, Listed, Speech, Spoken};
use model::Timestamp;

use crate::ask::{Trouble, Upstream};
use crate::copy::folder;
use crate::mirror::Mirror;
use crate::outcome::Stop;
use crate::sync::blocking;

/// What an upstream says that it has.
pub(crate) struct Heard {
    /// `sha1` or `sha256`.
    pub(crate) object_format: String,
    pub(crate) listed: Listed,
    /// Nothing where Outlast itself cannot ask it.
    pub(crate) speech: Option<Speech>,
    /// Since when it has it, where another was asked in its place; otherwise it has it now.
    pub(crate) as_of: Option<Timestamp>,
}

impl Heard {
    fn at_once(Advertised { listed, object_format }: Advertised, speech: Speech) -> Self {
        Self { object_format, listed, speech: Some(speech), as_of: None }
    }
}

impl Mirror {
    /// Asks an upstream for all its refs; with one request where it is known.
    pub(crate) async fn hear(&self, upstream: &Upstream<'_>, is_known: bool) -> Result<Heard, Stop> {
        if !upstream.address.is_http() {
            let listed = blocking(|| self.git().list_remote(upstream.address.as_str()));
            let (object_format, listed) = listed.map_err(Stop::remote)?;
            return Ok(Heard { object_format, listed, speech: None, as_of: None });
        }
        let folder = folder(self.store().home(), upstream.address.repo());
        let known = git::object_format(&folder).filter(|_| is_known && git::speech(&folder) == Speech::Two);
        let object_format = match known {
            Some(format) => format.to_owned(),
            None => match upstream.spoken().await? {
                Spoken::Two(capabilities) => capabilities.object_format,
                Spoken::Earlier(earlier) => return Ok(Heard::at_once(earlier, Speech::Earlier)),
                Spoken::Files(files) => return Ok(Heard::at_once(files, Speech::Files)),
            },
        };
        match upstream.list(&object_format).await {
            Ok(listed) => Ok(Heard { listed, object_format, speech: Some(Speech::Two), as_of: None }),
            // It may have been replaced by an older server.
            Err(trouble @ (Trouble::Unavailable { .. } | Trouble::Bad { .. })) => {
                match upstream.spoken().await {
                    Ok(Spoken::Earlier(earlier)) => Ok(Heard::at_once(earlier, Speech::Earlier)),
                    Ok(Spoken::Files(files)) => Ok(Heard::at_once(files, Speech::Files)),
                    _ => Err(trouble.into()),
                }
            }
            Err(trouble) => Err(trouble.into()),
        }
    }
}
