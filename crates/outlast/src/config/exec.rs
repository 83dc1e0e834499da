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
    ports: Option<Spanned<Vec<i64>>>,
    allow_local: Option<Spanned<Vec<i64>>>,
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

fn check_ports(ports: &Spanned<Vec<i64>>) -> Result<Vec<u16>, Mistake> {
    let port = |port: &i64| u16::try_from(*port).ok().filter(|port| !matches!(port, 0 | 53)).ok_or(*port);
    ports.get_ref().iter().map(port).collect::<Result<_, _>>().map_err(|port| Mistake {
        at: ports.span(),
        what: format!("port {port} cannot be taken"),
        hint: "name ports from 1 to 65535, such as 8443; 53 belongs to the room's own name server",
    })
}
