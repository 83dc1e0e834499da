//! Rows about a disk that is full while the server runs.

use std::fs;

use fakes::{Answer, Upstream, noise};

use crate::kills::full::{Disk, FILLER, apart, fill};
use crate::raw::{self, Got};
use crate::serve::Served;
use crate::world::{World, places};

const HOST: &str = "files.example";
const N_BYTES: usize = 300_000;

#[test]
fn a_full_disk_is_passed_by_and_nothing_of_it_stays() {
    apart("serve::faults::disk::a_full_disk_is_passed_by_and_nothing_of_it_stays", || {
        let upstream = Upstream::start_blocking();
        let bytes = |n: u64| noise(N_BYTES, n);
        for n in 0..10 {
            upstream.put(
                HOST,
                &format!("/{n}.bin"),
                Answer::file(bytes(n)).header("etag", &format!("\"{n}\"")),
            );
        }
        let world = World::new();
        let _disk = Disk::of(&world);
        world.place(&upstream, &[HOST]);
        let served = Served::start(&world);
        let ask = |served: &Served, n: u64| raw::get(&served.base, &format!("/files/{HOST}/{n}.bin"), &[]);
        let is = |got: &Got, n: u64| got.is(&bytes(n));
        assert!(is(&ask(&served, 0), 0));
        let filler = world.own().join(FILLER);
        for (n, free_kb) in (1..).zip([0, 4, 16, 64, 200, 310]) {
            fill(&world, free_kb);
            for n in [n, 0] {
                let got = ask(&served, n);
                assert!(is(&got, n), "{free_kb} KiB free: {n}: {} {}", got.head, got.body.len());
            }
            assert_eq!(served.get(&[], "/healthz").0, "200");
            fs::remove_file(&filler).unwrap();
        }
        // With space again everything is kept again, without anybody's help.
        for n in 0..10 {
            assert!(is(&ask(&served, n), n), "{n}");
        }
        served.end();
        world.outlast(&["store", "verify"]).expect(0);
        world.configure(&places(&[HOST], &[("connect", "127.0.0.1:9")]));
        let served = Served::start(&world);
        for n in 0..10 {
            let got = ask(&served, n);
            assert!(is(&got, n), "{n}, cut off: {}", got.head);
        }
    });
}
