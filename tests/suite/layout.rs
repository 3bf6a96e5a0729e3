//! Layout of the page in each state and each width: nothing is cut, no number loses its unit to the next
//! line, and cards fill their rows.

use serde_json::json;

use crate::scenes::ALL;
use crate::screens::WIDTHS;
use crate::webdriver::{Browser, Engine};

/// States that differ in their layout.
const STATES: [&str; 9] = [
    "five",
    "three-others",
    "failing-from-the-start",
    "nulls",
    "texts",
    "notes",
    "millimetres",
    "huge",
    "tiny",
];

/// Script that returns the faults of the layout.
const FAULTS: &str = "
    const faults = [];
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth) faults.push(`the page is ${page.scrollWidth} wide`);
    const box = (element) => element.getBoundingClientRect();
    for (const amount of document.querySelectorAll('.amount')) {
        const parts = [...amount.children].map(box);
        if (parts.length > 1 && parts[1].top >= parts[0].bottom - 1) faults.push(`unit below ${amount.textContent}`);
        const around = box(amount.closest('.figures, .tiles > div, .sky > div, .vane') ?? amount.parentElement);
        if (parts.some((part) => part.right > around.right + 1)) faults.push(`cut: ${amount.textContent}`);
    }
    for (const text of document.querySelectorAll('.text, .note, h2, .conditions')) {
        if (box(text).right > box(text.closest('.card') ?? page).right) faults.push(`cut: ${text.textContent}`);
    }
    // Rows of cards begin and end where the grid does, and have no gap.
    const grid = box(document.querySelector('.cards'));
    const rows = Map.groupBy([...document.querySelectorAll('.card')].map(box), (card) => Math.round(card.top));
    for (const [top, cards] of rows) {
        const width = cards.reduce((sum, card) => sum + card.width, 0);
        const gaps = 24 * (cards.length - 1);
        if (grid.width - width > gaps + 1) faults.push(`a hole of ${grid.width - width} in the row at ${top}`);
        const heights = new Set(cards.map((card) => Math.round(card.height)));
        if (heights.size > 1) faults.push(`heights ${[...heights]} in the row at ${top}`);
    }
    return faults";

#[test]
fn no_state_of_the_page_has_a_fault_of_layout() {
    for engine in Engine::ALL {
        for name in STATES {
            let (_, visit) = ALL.iter().find(|(state, _)| *state == name).expect("a state");
            let browser = Browser::open(engine, 1024, 760);
            let _scene = visit(&browser);
            for width in WIDTHS {
                browser.resize(width, 760);
                let faults = browser.run(FAULTS);
                assert_eq!(faults, json!([]), "{engine:?}, {name} at {width}");
            }
        }
    }
}
