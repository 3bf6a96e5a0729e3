//! Layout of the page in each state and each width: nothing is cut, no number loses its unit to the next
//! line, cards and tiles fill their rows, and units follow numbers in one way.

use serde_json::json;

use crate::scenes::ALL;
use crate::screens::{ABSOLUTE_LINKS, WIDTHS};
use crate::webdriver::{Browser, Engine};

/// States that differ in their layout.
const STATES: [&str; 16] = [
    "fresh",
    "source-tank-24h",
    "source-weather",
    "source-pump",
    "tank-other",
    "five",
    "three-others",
    "failing-from-the-start",
    "nulls",
    "texts",
    "notes",
    "millimetres",
    "huge",
    "tiny",
    "overview",
    "overview-group",
];

/// States of the pages of alerts.
const ALERTS: [&str; 4] = ["alerts-firing", "alerts", "alert", "alert-answered"];

/// Width of a screen that is almost large.
const LAPTOP: u32 = 1280;

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
    const grid = document.querySelector('.cards');
    const rows = Map.groupBy([...document.querySelectorAll('.card')].map(box), (card) => Math.round(card.top));
    for (const [top, cards] of rows) {
        const width = cards.reduce((sum, card) => sum + card.width, 0);
        const gaps = 24 * (cards.length - 1);
        const hole = box(grid).width - width;
        if (hole > gaps + 1) faults.push(`a hole of ${hole} in the row at ${top}`);
        const heights = new Set(cards.map((card) => Math.round(card.height)));
        if (heights.size > 1) faults.push(`heights ${[...heights]} in the row at ${top}`);
    }
    // Rows of the overview and what selects them are whole.
    for (const part of document.querySelectorAll('.fleet tbody :is(th, td), .groups li, .filters a, .search > *')) {
        const { left, right } = box(part);
        if (getComputedStyle(part).position === 'absolute') continue;
        if (left < -1 || right > innerWidth + 1 || part.scrollWidth > part.clientWidth + 1) faults.push(`cut: ${part.textContent}`);
    }
    // Alerts, their buttons and their tables are whole. Tables scroll within themselves.
    for (const part of document.querySelectorAll('.alerts :is(li, p, button), form.answers, form.answers button, .records, .notice, .rule > *')) {
        if (part.closest('.records') && !part.matches('.records')) continue;
        const { left, right } = box(part);
        if (getComputedStyle(part).position === 'absolute') continue;
        if (left < -1 || right > innerWidth + 1 || part.scrollWidth > part.clientWidth + 1 && !part.matches('.records')) faults.push(`cut: ${part.textContent}`);
    }
    // Neighbours in a row are about as high.
    for (const card of document.querySelectorAll('.card')) {
        const bottom = Math.max(...[...card.querySelectorAll('.body, .past')].map((part) => box(part).bottom));
        const hole = box(card.querySelector('footer')).top - bottom;
        if (hole > 150) faults.push(`a hole of ${hole} in ${card.querySelector('h2').textContent}`);
    }
    // Tiles have the width of the values, and their last row is at least half full.
    for (const tiles of document.querySelectorAll('.tiles')) {
        const { paddingLeft, paddingRight } = getComputedStyle(tiles.parentElement);
        const room = tiles.parentElement.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
        const right = Math.max(...[...tiles.children].map((tile) => box(tile).right));
        if (room - box(tiles).width > 1 || box(tiles).right - right > 1) faults.push(`tiles of ${box(tiles).width} in ${room}`);
        const rows = [...Map.groupBy(tiles.children, (tile) => Math.round(box(tile).top)).values()];
        const sizes = rows.map((row) => row.length);
        if (tiles.dataset.count && 2 * sizes.at(-1) < sizes[0]) faults.push(`rows of ${sizes} tiles`);
    }
    // A sign follows its number directly, also where the page has it as a text or shows it for a pointer.
    const texts = [document.title, page.innerText, ...[...document.querySelectorAll('title, desc')].map((it) => it.textContent)];
    for (const plot of document.querySelectorAll('.plot[data-points]')) {
        plot.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));
        const shown = document.querySelector('.readout strong').textContent;
        if (!/\\d/.test(shown)) faults.push(`no read-out of ${plot.id}`);
        texts.push(shown);
        plot.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
    }
    for (const text of texts) {
        const apart = text.match(/\\d[ \\u00a0]+[%°][^\\n]*/);
        if (apart) faults.push(`a sign apart: ${apart[0]}`);
    }
    return faults";

#[test]
fn no_state_of_the_page_has_a_fault_of_layout() {
    assert_no_faults(&STATES);
}

#[test]
fn no_page_of_alerts_has_a_fault_of_layout() {
    assert_no_faults(&ALERTS);
}

/// Requires that these states have no fault at any width, in both engines.
fn assert_no_faults(states: &[&str]) {
    for engine in Engine::ALL {
        for name in states {
            let (_, visit) = ALL.iter().find(|(state, _)| state == name).expect("a state");
            let browser = Browser::open(engine, 1024, 760);
            let _scene = visit(&browser);
            assert_eq!(browser.run(ABSOLUTE_LINKS), json!([]), "{engine:?}, {name}");
            for width in WIDTHS.into_iter().chain([LAPTOP]) {
                browser.resize(width, 760);
                // A read-out moves with its chart in the next frame.
                browser.run_async("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))");
                let faults = browser.run(FAULTS);
                assert_eq!(faults, json!([]), "{engine:?}, {name} at {width}");
            }
        }
    }
}
