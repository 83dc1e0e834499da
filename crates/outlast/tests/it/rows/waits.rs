//! Rows about an upstream that lets its clients wait.

use std::time::Duration;

use fakes::Fault;

use super::each;
use super::scene::{Door, Scene, Shelf};
use crate::world::{OUTLAST, finish};

const N_LATER: usize = 20;
/// A second is promised; a busy machine may need longer.
const FIRST_S: f64 = 1.5;
/// 5 ms are promised.
const LATER_S: f64 = 0.1;
/// More than Outlast may ever need for one index.
const PEAK_KB_MAX: u64 = 300 << 10;

#[test]
fn a_hang_is_waited_for_once() {
    each(hang);
}

fn hang(shelf: fn() -> Shelf) {
    for fault in [Fault::Hang, Fault::Drip { bytes: 1, every: Duration::from_millis(500) }] {
        let scene = Scene::held(shelf());
        let (index, file) = (scene.shelf.index.clone(), scene.shelf.file.clone());
        let good = scene.ask(Door::Sealed, &[&index]).remove(0).body;
        scene.put(super::scene::Edition::Newer);
        scene.upstream.on(index.host, &index.path, fault.clone());
        scene.upstream.clear_log();
        // One client with one connection, so that its own start is not in the figures.
        let urls = format!("{}#[0-{N_LATER}]", index.url());
        let told =
            scene.run(Door::Outlast, &["curl", "-sS", "-o", "late-#1", "-w", "%{time_total}\n", &urls]);
        let mut seconds: Vec<f64> = told.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(seconds.len(), N_LATER + 1);
        let first = seconds.remove(0);
        seconds.sort_by(f64::total_cmp);
        super::tell(&format!("{} {fault:?}: first {first} s, later {seconds:?} s", index.host));
        assert!(first < FIRST_S, "{fault:?}: {first} s");
        assert!(seconds[N_LATER / 2] < LATER_S, "{fault:?}: {seconds:?} s");
        assert_eq!(scene.n_asked(&index), 1, "{fault:?}");
        for n in 0..=N_LATER {
            assert_eq!(std::fs::read(scene.left(&format!("late-{n}"))).unwrap(), good, "{fault:?} {n}");
        }
        assert!(scene.ask(Door::Outlast, &[&file])[0].is(&scene.shelf.bytes), "{fault:?}");
        let mut control = scene.direct(&["curl", "-sS", "-m", "2", "-o", "control", &index.url()]);
        assert_eq!(finish(&mut control, b"").code, 28, "the control runs into its timeout: {fault:?}");
    }
}

/// An index without an end is given up, and never held in memory.
pub(super) fn endless(shelf: fn() -> Shelf) {
    let scene = Scene::held(shelf());
    let index = scene.shelf.index.clone();
    let good = scene.ask(Door::Sealed, &[&index]).remove(0).body;
    scene.upstream.on(index.host, &index.path, Fault::EndlessIndex { bytes: 512 << 20 });
    let script = "import resource, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\n\
                  print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let fetch = format!("curl -sS -o endless {} && sleep 2", index.url());
    let mut python = scene.world.command("python3");
    python.args(["-c", script, OUTLAST, "exec", "-q", "--", "sh", "-c", &fetch]);
    let peak_kb: u64 = finish(&mut python, b"").expect(0).stdout.trim().parse().unwrap();
    super::tell(&format!("{}: an endless index, peak {peak_kb} KB", index.host));
    assert!(peak_kb < PEAK_KB_MAX, "{peak_kb} KB");
    assert_eq!(std::fs::read(scene.left("endless")).unwrap(), good);
    let direct = scene.ask(Door::Direct, &[&index]).remove(0);
    assert!(direct.body.len() > 100 << 20, "the control: {} bytes", direct.body.len());
}
