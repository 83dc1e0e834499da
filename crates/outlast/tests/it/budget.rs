//! How much `adopt` asks of one host at once, by the host's own count.

use std::time::Duration;

use fakes::{Answer, Upstream};
use serde_json::json;

use crate::world::World;

/// As docs/SERVING.md says.
const N_AT_ONE_HOST: usize = 16;
const N_FILES: u64 = 64;
/// One that is asked by HTTP/2, and one by connections.
const HOSTS: [&str; 2] = ["one.example", "two.example"];

#[test]
fn a_host_is_asked_for_sixteen_things_at_once_and_never_for_more() {
    let (upstream, mut packages) = (Upstream::start_blocking(), json!({}));
    for host in HOSTS {
        for number in 0..N_FILES {
            upstream.put(host, &format!("/{number}.tgz"), Answer::file(format!("{host} {number}")));
            let url = format!("https://{host}/{number}.tgz");
            packages[format!("node_modules/{host}-{number}")] =
                json!({ "version": "1.0.0", "resolved": url });
        }
    }
    upstream.speak_http1(HOSTS[1]);
    // So long that all who may ask have asked before the first is answered.
    upstream.set_latency(Duration::from_millis(300));
    let lock = json!({ "name": "small", "lockfileVersion": 3, "packages": packages });
    let world = World::new().file("package-lock.json", &lock.to_string());
    world.place(&upstream, &HOSTS);
    let report = world.outlast(&["adopt", "--json", "."]).expect(0).json();
    assert_eq!(report["n_kept"], N_FILES * 2, "{report:#}");
    // It is the budget that bounds them: each is used up, beside the other one.
    assert_eq!(HOSTS.map(|host| upstream.n_at_once_most(host)), [N_AT_ONE_HOST; 2]);
    assert!(upstream.log().len() as u64 >= N_FILES * 2);
}
