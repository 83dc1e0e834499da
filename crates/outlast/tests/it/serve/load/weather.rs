//! How the upstreams are: now good, now bad, each host by itself.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use fakes::composer::HOSTS;
use fakes::{Fault, Upstream};

use super::goods::{Goods, RELEASES};
use crate::serve::{CARGO, NPM, PYPI};

/// Held by whoever changes the weather.
#[derive(Debug, Default)]
pub(super) struct Weather(pub(super) Mutex<()>);

/// Hosts whose files nobody vouches for: what they say whole is believed at first sight, so that they may fail and not lie.
const BELIEVED: [&str; 3] = [RELEASES, HOSTS[2], HOSTS[3]];

fn honest(random: &mut fastrand::Rng) -> Fault {
    match random.u8(..9) {
        0 => Fault::Status(502),
        1 => Fault::Status(500),
        2 => Fault::Reset,
        3 => Fault::Hang,
        4 => Fault::RetryAfter429(1),
        5 => Fault::CutAt { percent: random.u8(1..99) },
        6 => Fault::ShortChunked,
        7 => Fault::SlowFirstByte(Duration::from_millis(random.u64(100..1500))),
        _ => Fault::Drip { bytes: 4096, every: Duration::from_millis(5) },
    }
}

fn lying(random: &mut fastrand::Rng) -> Fault {
    match random.u8(..5) {
        0 => Fault::Html200,
        1 => Fault::TruncatedJson,
        2 => Fault::WrongBytes,
        3 => Fault::ExpiredCertificate,
        _ => Fault::NoHandshake,
    }
}

impl Weather {
    /// Changes it again and again until `end`; returns how often.
    pub(super) fn change(&self, upstream: &Upstream, goods: &Goods, seed: u64, end: Instant) -> usize {
        let mut random = fastrand::Rng::with_seed(seed);
        let hosts = [&[NPM, RELEASES][..], &CARGO, &PYPI, &[HOSTS[0], HOSTS[2], HOSTS[3]]].concat();
        let mut n_changes = 0;
        while Instant::now() < end {
            {
                let _change = self.0.lock().unwrap();
                upstream.clear_faults();
                // As many requests as this makes are nobody's to read.
                upstream.clear_log();
                goods.publish(upstream, &mut random);
                for host in &hosts {
                    match random.u8(..10) {
                        0..5 => {}
                        5..8 => upstream.on(host, "*", honest(&mut random)),
                        _ if BELIEVED.contains(host) => upstream.on(host, "*", honest(&mut random)),
                        _ => upstream.on(host, "*", lying(&mut random)),
                    }
                }
            }
            n_changes += 1;
            std::thread::sleep(Duration::from_millis(random.u64(300..2500)));
        }
        upstream.clear_faults();
        n_changes
    }
}
