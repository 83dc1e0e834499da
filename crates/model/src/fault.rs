//! What a drill does to a host.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a cut host fails, played between Outlast and the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is refused.
    #[default]
    Refuse,
    /// The connection is reset after the request.
    Reset,
    /// The connection is accepted and nothing ever comes.
    Hang,
    /// Every request is answered with status 502.
    #[serde(rename = "502")]
    BadGateway,
    /// The name does not resolve.
    Nxdomain,
    /// Every request is answered with status 200 and a web page nobody asked for.
    Wrong,
}

impl Fault {
    /// Every fault, in the order of the help text.
    pub const ALL: [Self; 6] =
        [Self::Refuse, Self::Reset, Self::Hang, Self::BadGateway, Self::Nxdomain, Self::Wrong];

    /// Returns the spelling of the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::BadGateway => "502",
            Self::Nxdomain => "nxdomain",
            Self::Wrong => "wrong",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One `--cut`: a host, or `all`, and how it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// A host name in lower case, or `all`.
    pub host: String,
    /// How it fails.
    pub fault: Fault,
}

impl Cut {
    /// Every host refuses connections: what a drill does unless told otherwise.
    pub fn everything() -> Self {
        Self { host: "all".to_owned(), fault: Fault::Refuse }
    }

    /// Returns whether this cut concerns `host`.
    pub fn concerns(&self, host: &str) -> bool {
        self.host == "all" || self.host.eq_ignore_ascii_case(host)
    }

    /// Returns how a host fails, if one of the cuts concerns it: the first that names it, else the first of all hosts.
    pub fn fault_of(cuts: &[Self], host: &str) -> Option<Fault> {
        let concerning = || cuts.iter().filter(|cut| cut.concerns(host));
        concerning().find(|cut| cut.host != "all").or_else(|| concerning().next()).map(|cut| cut.fault)
    }
}

impl FromStr for Cut {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        let (host, fault) = match text.split_once('=') {
            None => (text, Fault::default()),
            Some((host, name)) => (
                host,
                Fault::ALL
                    .into_iter()
                    .find(|fault| fault.name() == name)
                    .ok_or_else(|| ParseFaultError::Fault { name: name.to_owned() })?,
            ),
        };
        let is_host = !host.is_empty()
            && host.len() <= 253
            && host.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b':'));
        if !is_host {
            return Err(ParseFaultError::Host { host: host.to_owned() });
        }
        Ok(Self { host: host.trim_end_matches('.').to_ascii_lowercase(), fault })
    }
}

/// Why a `--cut` could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFaultError {
    /// Not one of the faults.
    #[error("unknown fault `{name}`, known are refuse, reset, hang, 502, nxdomain and wrong")]
    Fault {
        /// What was written.
        name: String,
    },
    /// Not a host name.
    #[error("`{host}` is not a host name")]
    Host {
        /// What was written.
        host: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_read_as_the_command_line_writes_them() {
        let check = |text: &str, host: &str, fault: Fault| {
            assert_eq!(text.parse(), Ok(Cut { host: host.to_owned(), fault }), "{text}");
        };
        check("all", "all", Fault::Refuse);
        check("GitHub.com", "github.com", Fault::Refuse);
        check("api.github.com=hang", "api.github.com", Fault::Hang);
        check("codeload.github.com=502", "codeload.github.com", Fault::BadGateway);
        assert!("github.com=slow".parse::<Cut>().is_err());
        assert!("https://github.com".parse::<Cut>().is_err());
        assert!("".parse::<Cut>().is_err());
    }

    #[test]
    fn a_cut_that_names_a_host_goes_before_all() {
        let check = |cuts: &[&str], host: &str, expected: Option<Fault>| {
            let cuts: Vec<Cut> = cuts.iter().map(|cut| cut.parse().unwrap()).collect();
            assert_eq!(Cut::fault_of(&cuts, host), expected, "{cuts:?}: {host}");
        };
        for cuts in [["all", "github.com=hang"], ["github.com=hang", "all"]] {
            check(&cuts, "github.com", Some(Fault::Hang));
            check(&cuts, "GitHub.com", Some(Fault::Hang));
            check(&cuts, "api.github.com", Some(Fault::Refuse));
        }
        check(&["github.com=hang", "github.com=502"], "github.com", Some(Fault::Hang));
        check(&["all=502", "all"], "github.com", Some(Fault::BadGateway));
        check(&["github.com"], "github.io", None);
        check(&[], "github.com", None);
    }
}
