//! What a person pastes so that a client asks a server.

use super::Site;

/// The settings that send one client to a server. `{base}` stands for its address, `{login}` for the same with a token where one
/// is needed, `{host}` for its name alone and `{authority}` for name and port; `{proxy}` for its forward proxy, with a token where
/// one is needed. Lines that begin with `{http}` are for servers
/// without TLS, and those with `{token}` for servers that want a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSettings {
    /// The client, with its versions where they differ.
    pub client: &'static str,
    /// Lines for a shell, or of a file that they name.
    pub set: &'static str,
    /// Lines that undo it.
    pub undo: &'static str,
}

impl Site {
    /// Says at which `host:port` it is a forward proxy as well, and whether that refuses whoever brings no token.
    pub fn with_proxy(self, authority: &str, wants_token: bool) -> Self {
        let login = if wants_token { "token:TOKEN@" } else { "" };
        Self { proxy: Some(format!("http://{login}{authority}")), ..self }
    }

    /// Returns whether it is a forward proxy as well.
    pub const fn has_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// Returns settings for this server. Where it wants tokens, `TOKEN` stands for the reader's own.
    pub fn filled_in(&self, settings: &str) -> String {
        let (scheme, rest) = self.base.split_once("://").unwrap_or(("", &self.base));
        let authority = rest.split('/').next().unwrap_or(rest);
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let lines = settings.lines().filter_map(|line| {
            match (line.strip_prefix("{http}"), line.strip_prefix("{token}")) {
                (Some(line), _) => (scheme == "http").then_some(line),
                (_, Some(line)) => self.wants_token.then_some(line),
                _ => Some(line),
            }
        });
        let login =
            if self.wants_token { format!("{scheme}://token:TOKEN@{rest}") } else { self.base.clone() };
        let text = lines.collect::<Vec<_>>().join("\n");
        let text = text.replace("{base}", &self.base).replace("{login}", &login);
        let text = text.replace("{host}", host).replace("{authority}", authority);
        text.replace("{proxy}", self.proxy.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use model::ObjectUrl;

    use super::*;

    #[test]
    fn settings_are_for_this_server() {
        let site = Site::new(&ObjectUrl::parse("http://10.0.0.1:8080/team").unwrap());
        let settings = "set {base}/npm/\n{http}allow {host}\n{token}login {authority} TOKEN\nask {login}/x";
        assert_eq!(
            site.filled_in(settings),
            "set http://10.0.0.1:8080/team/npm/\nallow 10.0.0.1\nask http://10.0.0.1:8080/team/x"
        );
        let secure = Site::new(&ObjectUrl::parse("https://outlast.example/").unwrap()).guarded();
        assert_eq!(
            secure.filled_in(settings),
            "set https://outlast.example/npm/\nlogin outlast.example TOKEN\nask https://token:TOKEN@outlast.example/x"
        );
        let proxied = |wants_token| secure.clone().with_proxy("10.0.0.1:8643", wants_token);
        assert_eq!(proxied(true).filled_in("x={proxy}"), "x=http://token:TOKEN@10.0.0.1:8643");
        assert_eq!(proxied(false).filled_in("x={proxy}"), "x=http://10.0.0.1:8643");
        assert!(proxied(false).has_proxy() && !secure.has_proxy());
    }
}
