//! Models that whisper.cpp publishes at <https://huggingface.co/ggerganov/whisper.cpp>, under the MIT licence.

/// Address of the folder of models.
pub(super) const SERVER: &str = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main";

/// A published model.
pub(super) struct Published {
    /// Name, as in the file name `ggml-<name>.bin`.
    pub(super) name: &'static str,
    /// Size in MiB.
    pub(super) mib: u32,
    /// SHA-1 of the file in hexadecimal, from the table on that page.
    pub(super) sha1: &'static str,
}

const fn published(name: &'static str, mib: u32, sha1: &'static str) -> Published {
    Published { name, mib, sha1 }
}

/// The models that VidP can use: the multilingual ones, smallest first.
pub(super) const ALL: [Published; 18] = [
    published("tiny-q5_1", 31, "2827a03e495b1ed3048ef28a6a4620537db4ee51"),
    published("tiny-q8_0", 42, "19e8118f6652a650569f5a949d962154e01571d9"),
    published("tiny", 75, "bd577a113a864445d4c299885e0cb97d4ba92b5f"),
    published("base-q5_1", 57, "a3733eda680ef76256db5fc5dd9de8629e62c5e7"),
    published("base-q8_0", 78, "7bb89bb49ed6955013b166f1b6a6c04584a20fbe"),
    published("base", 142, "465707469ff3a37a2b9b8d8f89f2f99de7299dac"),
    published("small-q5_1", 181, "6fe57ddcfdd1c6b07cdcc73aaf620810ce5fc771"),
    published("small-q8_0", 252, "bcad8a2083f4e53d648d586b7dbc0cd673d8afad"),
    published("small", 466, "55356645c2b361a969dfd0ef2c5a50d530afd8d5"),
    published("medium-q5_0", 514, "7718d4c1ec62ca96998f058114db98236937490e"),
    published("medium-q8_0", 785, "e66645948aff4bebbec71b3485c576f3d63af5d6"),
    published("medium", 1463, "fd9727b6e1217c2f614f9b698455c4ffd82463b4"),
    published(
        "large-v3-turbo-q5_0",
        547,
        "e050f7970618a659205450ad97eb95a18d69c9ee",
    ),
    published(
        "large-v3-turbo-q8_0",
        834,
        "01bf15bedffe9f39d65c1b6ff9b687ea91f59e0e",
    ),
    published("large-v3-turbo", 1549, "4af2b29d7ec73d781377bfd1758ca957a807e941"),
    published("large-v3-q5_0", 1031, "e6e2ed78495d403bef4b7cff42ef4aaadcfea8de"),
    published("large-v2", 2951, "0f4c8e34f21cf1a914c59d8b3ce882345ad349d6"),
    published("large-v3", 2951, "ad82bf6a9043ceed055076d0fd39f5f186ff8062"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_hashes_are_unique() {
        let names: BTreeSet<_> = ALL.iter().map(|model| model.name).collect();
        let hashes: BTreeSet<_> = ALL.iter().map(|model| model.sha1).collect();
        assert_eq!((names.len(), hashes.len()), (ALL.len(), ALL.len()));
        let is_hash = |hash: &str| hash.len() == 40 && hash.bytes().all(|c| b"0123456789abcdef".contains(&c));
        assert!(hashes.iter().all(|hash| is_hash(hash)));
    }
}
