use std::fmt;

/// The four-character code of a box.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BoxKind(pub [u8; 4]);

impl fmt::Display for BoxKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`", self.0.escape_ascii())
    }
}

impl fmt::Debug for BoxKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl PartialEq<[u8; 4]> for BoxKind {
    fn eq(&self, code: &[u8; 4]) -> bool {
        self.0 == *code
    }
}
