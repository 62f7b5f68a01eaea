//! Setting `VIDP_EMBED_FRAME_ANCESTORS`: the sites that may show the embed page in a frame.

use anyhow::{Result, bail, ensure};
use std::str::FromStr;

/// The source that stands for no site, and stands alone.
const NONE: &str = "'none'";

/// Sources of the directive `frame-ancestors` (Content Security Policy Level 3, section 6.4.2).
#[derive(Clone, Debug)]
pub struct FrameAncestors(String);

impl FromStr for FrameAncestors {
    type Err = anyhow::Error;

    /// Parses sources that are separated by spaces; fails without one, and for text that would change the rest of the policy.
    fn from_str(text: &str) -> Result<Self> {
        let sources: Vec<&str> = text.split(' ').filter(|source| !source.is_empty()).collect();
        ensure!(
            !sources.is_empty(),
            "VIDP_EMBED_FRAME_ANCESTORS is empty; list the sites that may embed players, or set it to {NONE}"
        );
        if sources != [NONE]
            && let Some(wrong) = sources.iter().find(|source| !is_source(source))
        {
            bail!(
                "VIDP_EMBED_FRAME_ANCESTORS contains {wrong:?}; list sites such as https://shop.example.com or *.example.com, \
                 separated by spaces, or set it to * or {NONE}"
            );
        }
        Ok(FrameAncestors(sources.join(" ")))
    }
}

impl FrameAncestors {
    /// The value of the directive.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for `'self'`, and for text with the characters of schemes, hosts, ports and wildcards.
fn is_source(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"*:/.-_+".contains(&byte);
    text == "'self'" || text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_separated_by_spaces() {
        let check = |text: &str, expected: &str| {
            let ancestors: FrameAncestors = text.parse().unwrap();
            assert_eq!(ancestors.as_str(), expected);
        };
        check("*", "*");
        check("'none'", "'none'");
        check(
            " 'self'  https://shop.example.com:8443 *.example.com ",
            "'self' https://shop.example.com:8443 *.example.com",
        );
        check("capacitor: http://localhost:*", "capacitor: http://localhost:*");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            " ",
            "*; script-src *",
            "https://a.example,https://b.example",
            "https://a.example\nx-frame-options: DENY",
            "a.example\tb.example",
            "\"a.example\"",
            "'unsafe-inline'",
            "'none' a.example",
            "https://é.example",
        ] {
            let error = text.parse::<FrameAncestors>().unwrap_err().to_string();
            assert!(error.contains("VIDP_EMBED_FRAME_ANCESTORS"), "{text}: {error}");
        }
    }
}
