use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One of the three things done to a video. Each is a deployment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Spoken language.
    Detect,
    /// Compression and a ladder of smaller renditions.
    Scale,
    /// Transcript and captions.
    Subtitle,
}

impl Stage {
    /// Every stage, in the order in which people think of them.
    pub const ALL: [Stage; 3] = [Stage::Detect, Stage::Scale, Stage::Subtitle];

    /// The name used in subjects, keys, documents and URLs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Detect => "detect",
            Stage::Scale => "scale",
            Stage::Subtitle => "subtitle",
        }
    }
}

/// Which queue a job waits in: somebody is watching, or it is one of thousands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Served first.
    #[default]
    Interactive,
    /// Served when nobody waits, and always granted a share.
    Batch,
}

impl Lane {
    /// Both lanes, the preferred one first.
    pub const ALL: [Lane; 2] = [Lane::Interactive, Lane::Batch];

    /// The name used in subjects and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Lane::Interactive => "interactive",
            Lane::Batch => "batch",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Stage::ALL
            .into_iter()
            .find(|stage| stage.as_str() == s)
            .ok_or_else(|| format!("unknown stage {s:?}: expected detect, scale or subtitle"))
    }
}
