//! Rules of captions for each language.

/// Rules of one language.
///
/// Widths are in columns: a Chinese character has two columns, a Latin letter one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rules {
    /// Lines of a caption at most.
    pub(super) lines: usize,
    /// Columns of a line at most.
    pub(super) width: usize,
    /// Columns that a viewer reads per second.
    pub(super) speed: f64,
    /// Seconds that a caption is shown at least.
    pub(super) shortest: f64,
    /// Seconds that a caption is shown at most.
    pub(super) longest: f64,
    /// Seconds between two captions at least: two frames at 24 frames per second, rounded up to a millisecond.
    pub(super) gap: f64,
}

impl Rules {
    /// The rules for text in the language with this code.
    ///
    /// Most alphabets have 42 characters per line and 17 per second, English 20 per second. Netflix specifies 16
    /// characters per line and 9 per second (11 for the hearing impaired) for Simplified and Traditional Chinese, 16
    /// and 7 for Japanese, 16 and 12 (14) for Korean, and 35 and 17 for Thai.
    pub(crate) fn of(language: &str) -> Rules {
        let (width, speed) = match language {
            "zh" | "yue" => (32, 22.0),
            "ja" => (32, 14.0),
            "ko" => (32, 28.0),
            "th" | "lo" | "my" | "km" => (35, 17.0),
            "en" => (42, 20.0),
            _ => (42, 17.0),
        };
        Rules {
            lines: 2,
            width,
            speed,
            shortest: 1.0,
            longest: 7.0,
            gap: 0.084,
        }
    }
}
