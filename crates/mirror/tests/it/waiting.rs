//! Clients that wait for a turn, and what they hear meanwhile.

use std::fs;
use std::time::Duration;

use git::{Packet, Packets};
use http_body_util::BodyExt as _;

use crate::counting::Counting;
use crate::world::{World, ask};

const SAID: &[u8] = b"\x02the server is busy; waiting for a turn\n";
const EVERY: Duration = Duration::from_millis(20);

/// Returns the packets of an answer that carry something.
fn carried(answer: &[u8]) -> Vec<Vec<u8>> {
    let (mut packets, mut carried) = (Packets::default(), Vec::new());
    packets.push(answer);
    while let Some(packet) = packets.take().unwrap() {
        match packet {
            Packet::Data(b"\x01") | Packet::Flush => {}
            Packet::Data(bytes) => carried.push(bytes.to_vec()),
            other => panic!("{other:?}"),
        }
    }
    assert!(packets.is_empty());
    carried
}

/// Returns the pack that packets carry.
fn pack(packets: &[Vec<u8>]) -> Vec<u8> {
    let parts = packets.iter().filter_map(|packet| packet.strip_prefix(b"\x01"));
    let pack: Vec<u8> = parts.flatten().copied().collect();
    assert!(pack.starts_with(b"PACK"));
    pack
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_turn_hears_of_it_and_then_has_the_same() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let served = git.served.clone().telling_every(EVERY);
    let have = format!("have {}", "1".repeat(40));
    // One that is answered alone, and one that others may share.
    for arguments in [&["ofs-delta", &*have, "done"][..], &["ofs-delta", "done"]] {
        let wait = git.told("wait");
        let busy = git.busy(&world).await;
        let mut waiting = ask(&served, &world, None, arguments);
        let mut heard = Vec::new();
        for _ in 0..3 {
            heard.extend(waiting.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        fs::remove_file(wait).unwrap();
        heard.extend(waiting.collect().await.unwrap().to_bytes());
        for task in busy {
            task.await.unwrap();
        }
        let at_once = ask(&git.served, &world, None, arguments).collect().await.unwrap().to_bytes();
        let (heard, at_once) = (carried(&heard), carried(&at_once));
        assert_eq!(heard[..2], [b"packfile\n", SAID]);
        assert!(at_once[0] == b"packfile\n" && !at_once.contains(&SAID.to_vec()));
        assert_eq!(pack(&heard), pack(&at_once));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_git_can_begin_what_is_shallow() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let served = git.served.clone().telling_every(EVERY);
    let wait = git.told("wait");
    let _busy = git.busy(&world).await;
    let mut waiting = ask(&served, &world, None, &["deepen 1", "done"]);
    tokio::time::timeout(EVERY * 10, waiting.frame()).await.expect_err("nothing is said");
    fs::remove_file(wait).unwrap();
    assert!(waiting.collect().await.unwrap().to_bytes().starts_with(b"0011shallow-info\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_waited_in_vain_is_told_why() {
    let world = World::new();
    world.sync().await;
    let git = Counting::new(&world);
    let served = git.served.clone().telling_every(EVERY);
    let (wait, _fail) = (git.told("wait"), git.told("fail"));
    let mut waiting = ask(&served, &world, None, &["no-progress", "done"]);
    let mut heard = waiting.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    fs::remove_file(wait).unwrap();
    heard.extend(waiting.collect().await.unwrap().to_bytes());
    assert_eq!(carried(&heard), [&b"packfile\n"[..], b"\x03it fails\n"]);
}
