//! `[exec]`: what a room terminates and lets through.

use serde::Deserialize;
use toml::Spanned;

use super::Mistake;

/// How rooms are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exec {
    /// Ports on which connections are taken.
    pub(crate) ports: Vec<u16>,
    /// Ports of the machine's own loopback that a room may reach.
    pub(crate) allow_local: Vec<u16>,
    /// Hosts that are not looked into.
    pub(crate) passthrough: Vec<String>,
}

impl Default for Exec {
    fn default() -> Self {
        Self { ports: vec![80, 443], allow_local: Vec::new(), passthrough: Vec::new() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    ports: Option<Spanned<Vec<u16>>>,
    allow_local: Option<Spanned<Vec<u16>>>,
    #[serde(default)]
    passthrough: Vec<Spanned<String>>,
}

impl Section {
    pub(super) fn check(self) -> Result<Exec, Mistake> {
        let mut exec = Exec::default();
        for port in self.ports.map(|ports| check_ports(&ports)).transpose()?.unwrap_or_default() {
            if !exec.ports.contains(&port) {
                exec.ports.push(port);
            }
        }
        exec.allow_local = self.allow_local.map(|ports| check_ports(&ports)).transpose()?.unwrap_or_default();
        exec.passthrough =
            self.passthrough.iter().map(super::upstream::host_name).collect::<Result<_, _>>()?;
        Ok(exec)
    }
}

fn check_ports(ports: &Spanned<Vec<u16>>) -> Result<Vec<u16>, Mistake> {
    if ports.get_ref().contains(&0) || ports.get_ref().contains(&53) {
        return Err(Mistake {
            at: ports.span(),
            what: "ports 0 and 53 cannot be taken".to_owned(),
            hint: "name ports such as 8443; 53 belongs to the room's own name server",
        });
    }
    Ok(ports.get_ref().clone())
}
