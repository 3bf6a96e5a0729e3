//! Estimates the width of labels, so that none leaves its chart and no two overlap.
//!
//! The server does not know the font of the viewer. The widths are those of DejaVu Sans, rounded up:
//! it is the widest of the common interface fonts.

/// Returns the width of a label as a multiple of the size of its font.
pub(super) fn width(text: &str) -> f64 {
    text.chars().map(char_width).sum()
}

const fn char_width(character: char) -> f64 {
    match character {
        '0'..='9' => 0.64,
        '.' | ',' | ':' | ' ' | 'i' | 'j' | 'l' | 'I' | '\'' => 0.32,
        '-' | 'f' | 't' | 'r' | '(' | ')' => 0.42,
        '⁰' | '¹' | '²' | '³' | '⁴'..='⁹' | '⁻' | '°' => 0.5,
        'm' | 'M' | 'w' | 'W' | '%' => 1.0,
        'A'..='Z' | '−' | '+' | '×' => 0.84,
        ' '..='~' => 0.64,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_is_not_below_that_of_a_wide_font() {
        // Advance widths of DejaVu Sans, in thousandths of its size.
        for (text, thousandths) in [
            ("1,013.5", 5 * 636 + 2 * 318),
            ("−40", 838 + 2 * 636),
            ("Sat 31", 635 + 613 + 392 + 318 + 2 * 636),
            ("Jan 2026", 295 + 613 + 634 + 318 + 4 * 636),
            ("01:00 PDT", 4 * 636 + 337 + 318 + 603 + 770 + 611),
            ("20 May", 2 * 636 + 318 + 863 + 613 + 592),
        ] {
            let (found, least) = (width(text), f64::from(thousandths) / 1000.0);
            assert!(found >= least && found < 1.25 * least, "{text}: {found}, {least}");
        }
    }
}
