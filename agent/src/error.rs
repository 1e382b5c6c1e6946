//! Chain of the causes of an error.

use std::error::Error;
use std::iter::successors;

/// An error and its causes, the outermost first.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), |error| <dyn Error>::source(*error))
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::source::SourceError;

    #[test]
    fn a_line_has_all_causes_the_outermost_first() {
        let error = SourceError::transient("read /x", io::Error::other("broken"));
        assert_eq!(chain(&error), "cannot read /x: broken");
        assert_eq!(causes(&error).count(), 2);
    }
}
