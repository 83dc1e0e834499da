//! What commands have in common.

pub(crate) mod adopt;
pub(crate) mod attention;
pub(crate) mod copy;
pub(crate) mod damage;
pub(crate) mod doctor;
pub(crate) mod drill;
pub(crate) mod heal;
pub(crate) mod names;
pub(crate) mod record;
pub(crate) mod repositories;
pub(crate) mod room;
pub(crate) mod run;
pub(crate) mod space;
pub(crate) mod summary;
