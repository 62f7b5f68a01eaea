//! Classes of characters for words, line breaks and widths.

/// A Chinese character, kana or full-width form: written without spaces and twice as wide as a Latin letter.
pub(super) fn wide(c: char) -> bool {
    matches!(c,
        '\u{3000}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{FF01}'..='\u{FF60}' | '\u{20000}'..='\u{3FFFF}')
}

/// A Hangul character: as wide as a Chinese character, but written with spaces.
pub(super) fn hangul(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7A3}')
}

/// A Thai, Lao, Burmese or Khmer character: written without spaces between words.
fn southeast(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}')
}

/// A mark drawn on the letter before it.
pub(super) fn combining(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036F}' | '\u{0591}'..='\u{05BD}' | '\u{064B}'..='\u{065F}' | '\u{093C}' | '\u{094D}'
        | '\u{0E31}' | '\u{0E34}'..='\u{0E3A}' | '\u{0E47}'..='\u{0E4E}'
        | '\u{0EB1}' | '\u{0EB4}'..='\u{0EBC}' | '\u{0EC8}'..='\u{0ECE}'
        | '\u{102B}'..='\u{103E}' | '\u{17B4}'..='\u{17D3}' | '\u{3099}' | '\u{309A}' | '\u{FE00}'..='\u{FE0F}')
}

/// Punctuation that ends or follows a word.
pub(super) fn closing(c: char) -> bool {
    quote(c)
        || matches!(
            c,
            '.' | ','
                | ';'
                | ':'
                | '!'
                | '?'
                | ')'
                | ']'
                | '}'
                | '”'
                | '’'
                | '»'
                | '%'
                | '…'
                | '؟'
                | '،'
                | '。'
                | '、'
                | '，'
                | '．'
                | '！'
                | '？'
                | '：'
                | '；'
                | '」'
                | '』'
                | '）'
                | '》'
                | '】'
                | '・'
        )
}

/// A straight quote, which can open or close.
pub(super) fn quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

/// Punctuation that precedes a word.
pub(super) fn opening(c: char) -> bool {
    matches!(
        c,
        '(' | '[' | '{' | '“' | '‘' | '«' | '¿' | '¡' | '「' | '『' | '（' | '《' | '【' | '-' | '–' | '—'
    )
}

/// Punctuation that ends a sentence.
pub(super) fn ends_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '؟' | '।')
}

/// Punctuation that ends a clause.
pub(super) fn ends_clause(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '、' | '，' | '；' | '：' | '،' | '–' | '—')
}

/// True when a word may end between these two characters without a space.
pub(super) fn breaks(before: char, after: char) -> bool {
    let katakana = |c| matches!(c, '\u{30A0}'..='\u{30FF}');
    (wide(before) || wide(after))
        && !follows(after)
        && !opening(before)
        && !(katakana(before) && katakana(after))
}

/// True when the start of a token may begin a word with the character `after` without a space.
pub(super) fn may_begin(before: char, after: char) -> bool {
    // In Thai and Lao some vowels precede their consonant.
    let leads = matches!(before, '\u{0E40}'..='\u{0E44}' | '\u{0EC0}'..='\u{0EC4}');
    southeast(after) && southeast(before) && !follows(after) && !leads
}

/// A character that never begins a word or a line: closing punctuation, a combining mark or small kana.
fn follows(c: char) -> bool {
    closing(c)
        || combining(c)
        || matches!(
            c,
            '々' | 'ー'
                | 'ぁ'
                | 'ぃ'
                | 'ぅ'
                | 'ぇ'
                | 'ぉ'
                | 'っ'
                | 'ゃ'
                | 'ゅ'
                | 'ょ'
                | 'ゎ'
                | 'ァ'
                | 'ィ'
                | 'ゥ'
                | 'ェ'
                | 'ォ'
                | 'ッ'
                | 'ャ'
                | 'ュ'
                | 'ョ'
                | 'ヮ'
        )
}
