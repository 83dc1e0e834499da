//! Repositories that a real git clones over smart HTTP, served by git itself; a test bends single answers.

mod fault;
mod history;
mod repository;
mod serve;

pub use fault::{Fault, Phase};
pub use repository::Repository;
pub(crate) use serve::{answer, answer_in, file};
