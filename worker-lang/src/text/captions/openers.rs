//! Words that begin a phrase. A line should break before one of these words, not after it.

/// English.
const ENGLISH: &[&str] = &[
    "and", "or", "but", "nor", "that", "which", "who", "whose", "where", "when", "while", "because", "if",
    "than", "to", "of", "in", "on", "at", "by", "for", "from", "with", "without", "into", "as", "about",
];

/// French.
const FRENCH: &[&str] = &[
    "et", "ou", "mais", "que", "qui", "dont", "où", "quand", "si", "pour", "dans", "avec", "sans", "sur",
    "par", "de",
];

/// Spanish, Portuguese, Italian.
const ROMANCE: &[&str] = &[
    "y", "o", "pero", "porque", "cuando", "donde", "con", "sin", "para", "en", "e", "mas", "quando", "onde",
    "com", "sem", "em", "ma", "che", "perché", "dove", "senza", "per", "su",
];

/// German, Dutch.
const GERMANIC: &[&str] = &[
    "und", "oder", "aber", "dass", "weil", "wenn", "wo", "mit", "ohne", "für", "auf", "von", "zu", "en",
    "maar", "dat", "omdat", "met", "voor", "van",
];

/// Russian, Ukrainian, Polish.
const SLAVIC: &[&str] = &[
    "и",
    "или",
    "но",
    "а",
    "что",
    "который",
    "которая",
    "где",
    "когда",
    "если",
    "в",
    "на",
    "с",
    "для",
    "і",
    "та",
    "але",
    "що",
    "i",
    "lub",
    "ale",
    "że",
    "który",
    "gdzie",
    "kiedy",
    "w",
    "z",
    "na",
    "dla",
];

/// True when a word in lower case begins a phrase in one of the languages.
pub(super) fn is_opener(word: &str) -> bool {
    [ENGLISH, FRENCH, ROMANCE, GERMANIC, SLAVIC]
        .iter()
        .any(|openers| openers.contains(&word))
}
