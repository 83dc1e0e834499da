//! Java 17, Maven 3.8.7, Gradle. JAVA_TOOL_OPTIONS makes every JVM print a line, so that a sealed room covers the JVM's own
//! store instead, and sets options only where none was found or the caller's options name another store.

use super::draft::DIRECT_HOSTS;
use super::overlay::has_java;
use super::{Client, Draft, PLAIN, Tier};

pub(super) const CLIENT: Client = Client { name: "java", more, ..PLAIN };

/// Variables that hold options of the JVM; of two that set the same, which wins differs by launcher.
const OPTION_VARIABLES: [&str; 6] =
    ["JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "MAVEN_OPTS", "GRADLE_OPTS", "ANT_OPTS"];
const TRUST_STORE: &str = "-Djavax.net.ssl.trustStore=";
const PROXIES: [&str; 4] = ["-Dhttp.proxy", "-Dhttps.proxy", "-DsocksProxy", "-Djava.net.useSystemProxies="];

fn more(draft: &mut Draft<'_>) {
    let store = draft.paths.java_store.to_string_lossy().into_owned();
    let trust = format!(
        "{TRUST_STORE}{store} -Djavax.net.ssl.trustStorePassword=changeit -Djavax.net.ssl.trustStoreType=JKS"
    );
    for name in OPTION_VARIABLES {
        let Some(options) = draft.get(name).and_then(|value| value.to_str()).map(str::to_owned) else {
            continue;
        };
        let mut options = options;
        if !draft.leaves_proxies() && PROXIES.iter().any(|proxy| options.contains(proxy)) {
            let words = options.split_whitespace();
            let kept: Vec<&str> =
                words.filter(|word| !PROXIES.iter().any(|proxy| word.starts_with(proxy))).collect();
            options = kept.join(" ");
            draft.set(name, &options);
        }
        if options.contains(TRUST_STORE) {
            // The last one wins.
            draft.append(name, " ", &trust);
        }
    }
    let is_covered = draft.is_sealed() && !draft.settings.java_overlays.is_empty();
    if !has_java(draft.caller) {
        return;
    }
    let has_trust =
        draft.get("JAVA_TOOL_OPTIONS").and_then(|value| value.to_str()).is_some_and(|o| o.contains(&trust));
    if !is_covered && !has_trust {
        draft.append("JAVA_TOOL_OPTIONS", " ", &trust);
    }
    let Tier::Observed { proxy: Some(proxy) } = draft.tier else { return };
    let (host, port) = (proxy.object().host(), proxy.object().port());
    let direct = DIRECT_HOSTS.replace(',', "|").replace("::1", "[::1]");
    let options = format!(
        "-Dhttp.proxyHost={host} -Dhttp.proxyPort={port} -Dhttps.proxyHost={host} -Dhttps.proxyPort={port} \
         -Dhttp.nonProxyHosts={direct}"
    );
    draft.append("JAVA_TOOL_OPTIONS", " ", &options);
    // Maven 3.9 and later ignore system properties unless told.
    draft.append("MAVEN_ARGS", " ", "-Daether.connector.http.useSystemProperties=true");
}
