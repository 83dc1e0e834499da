//! Drills: scenarios, what is masked, measurement, verdict, signed evidence, and the survival matrix.
//!
//! Pure but for keys and evidence folders; the rim runs the command and hands the facts in.

pub mod action;
pub mod attest;
mod control;
mod duration;
pub mod evidence;
pub mod judge;
pub mod key;
pub mod mask;
pub mod matrix;
mod measure;
#[cfg(test)]
mod mutation;
mod page;
mod report;
mod scenario;

pub use action::{Action, Actor, Deed};
pub use duration::{DurationError, format_duration, parse_duration};
pub use judge::{Facts, RecordedRun, judge, quoted};
pub use key::{KeyError, PublicKey, SigningKey};
pub use mask::{Mask, Place, masks};
pub use matrix::{Cell, Entry, LOCKS, State, label, matrix};
pub use measure::{HostTimeline, Measured, measure};
pub use page::render;
pub use report::{Environment, Level, Missing, REPORT_SCHEMA, Reason, Report};
pub use scenario::{Scenario, ScenarioError};
