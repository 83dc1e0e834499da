//! Random work from a seed, which tells what was acknowledged.

use fastrand::Rng;
use model::Event;
use store::{Expect, Store};

use crate::world::*;

/// Random puts, records, appends and flushes.
#[derive(Debug)]
pub(crate) struct Workload {
    random: Rng,
    seed: u64,
    n_done: u64,
    /// Handed over, and not acknowledged yet.
    waiting: Vec<Event>,
}

impl Workload {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), seed, n_done: 0, waiting: Vec::new() }
    }

    pub(crate) fn path(number: usize) -> String {
        format!("file-{number}")
    }

    /// Does `n_steps` things; `acknowledged` hears of every event that is durable.
    pub(crate) fn run(&mut self, store: &Store, n_steps: usize, acknowledged: &mut dyn FnMut(&Event)) {
        for _ in 0..n_steps {
            self.step(store, acknowledged);
        }
    }

    fn step(&mut self, store: &Store, acknowledged: &mut dyn FnMut(&Event)) {
        self.n_done += 1;
        let path = Self::path(self.random.usize(..40));
        match self.random.u8(..20) {
            0..=8 => {
                let bytes = self.bytes();
                store.put(&bytes).unwrap();
                self.record(store, kept(&path, &bytes));
            }
            9..=10 => {
                if let Some(held) = store.lookup(&key(&path)).unwrap() {
                    let at = time(i64::try_from(self.n_done).unwrap());
                    self.record(store, Event::Confirmed { key: key(&path), sha256: held.sha256, at });
                }
            }
            11 => self.record(store, gone(&path, i64::try_from(self.n_done).unwrap())),
            12 => self.record(store, rejected(&path, "web page")),
            13 => {
                let record = self.bytes();
                store.put(&record).unwrap();
                let number = self.random.u8(..);
                let is_drill = self.random.bool();
                self.record(store, ran(number, &record, is_drill));
            }
            14..=15 => {
                let event = drilled(self.random.u8(..));
                let subject = event.subject();
                let subject_seq = store.head(&subject).unwrap().unwrap_or_default();
                store.append(Some(Expect { subject, subject_seq }), vec![event.clone()]).unwrap();
                // An append takes everything before it along.
                self.waiting.push(event);
                self.acknowledge(acknowledged);
            }
            16 => {
                let mut writer = store.writer().unwrap();
                std::io::Write::write_all(&mut writer, &self.bytes()).unwrap();
                drop(writer);
            }
            _ => {
                store.flush().unwrap();
                self.acknowledge(acknowledged);
            }
        }
    }

    fn record(&mut self, store: &Store, event: Event) {
        store.record(vec![event.clone()]).unwrap();
        self.waiting.push(event);
    }

    fn acknowledge(&mut self, acknowledged: &mut dyn FnMut(&Event)) {
        for event in self.waiting.drain(..) {
            acknowledged(&event);
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let n = [0, 10, 1000, 100_000][self.random.usize(..4)];
        let mut bytes: Vec<u8> = (0..self.random.usize(..=n)).map(|_| self.random.u8(..)).collect();
        bytes.extend_from_slice(&self.seed.to_be_bytes());
        // Sometimes the same bytes again.
        bytes.push(self.random.u8(..));
        bytes
    }
}
