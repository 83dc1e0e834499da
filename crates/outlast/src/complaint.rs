//! What is wrong with something that is looked at again and again, told once.

use crate::failure::Failure;

/// The last failure that was told; none as long as all is well.
#[derive(Debug, Default)]
pub(crate) struct Complaint(Option<String>);

impl Complaint {
    /// Returns whether a failure is another one than the last: it is to be told.
    pub(crate) fn is_new(&mut self, failure: &Failure) -> bool {
        let text = Some(failure.to_string());
        let is_new = self.0 != text;
        self.0 = text;
        is_new
    }

    /// All is well, or whoever is there wants to hear it again.
    pub(crate) fn settle(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn it_is_told_once_until_it_is_another_or_all_was_well() {
        let mut complaint = Complaint::default();
        let mut told = |text: &'static str| complaint.is_new(&Failure::no(anyhow!(text)));
        assert_eq!(["a", "a", "b", "b", "a"].map(&mut told), [true, false, true, false, true]);
        complaint.settle();
        assert!(complaint.is_new(&Failure::no(anyhow!("a"))));
    }
}
