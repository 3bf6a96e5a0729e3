// Changes a part of the page into another one in place: elements that stay keep their focus, selection,
// scroll position, hover and animations, because they are not replaced.
"use strict";

// Identity of an element among its siblings.
const keyOf = (node) => node.id || node.dataset?.key || node.getAttribute?.("aria-labelledby") || "";

// Parts of a page without a key are alike if they have the same class.
const isAlike = (old, next) =>
  old.nodeName === next.nodeName && keyOf(old) === keyOf(next) && (keyOf(next) || old.getAttribute?.("class") === next.getAttribute?.("class"));

// Replaces only the characters that differ: a selection ends at characters, and those before and behind
// it stay.
function morphText(old, next) {
  const [before, after] = [old.data, next.data];
  if (before === after) return;
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  old.replaceData(head, before.length - head - tail, after.slice(head, after.length - tail));
}

function morphAttributes(old, next) {
  for (const { name } of [...old.attributes]) {
    // Whether a table is unfolded is the visitor's choice.
    if (!next.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// Returns the child from `at` on that becomes `wanted`: one with the same content, or else the first that
// is alike, unless that one comes later.
function findChild(at, wanted, later) {
  if (wanted.nodeType === Node.TEXT_NODE) return at?.nodeType === Node.TEXT_NODE ? at : null;
  let alike = null;
  for (let node = at; node; node = node.nextSibling) {
    if (node.isEqualNode(wanted)) return node;
    if (!alike && isAlike(node, wanted)) alike = node;
  }
  return alike && (keyOf(wanted) || !later.some((other) => alike.isEqualNode(other))) ? alike : null;
}

// True if the visitor's focus or selection is in this element, which a move would end.
const isHeld = (element) => element.contains(document.activeElement) || element.contains(getSelection().anchorNode);

// Returns true if `found` is moved before `at`; false if the siblings from `at` to `found` go, and are created
// again where they are wanted. The row of a source that is now the worst moves, and those it passes stay.
function isMoved(found, at, later) {
  const key = keyOf(at);
  const place = key ? later.findIndex((other) => other.nodeName === at.nodeName && keyOf(other) === key) : -1;
  if (place < 0 || isHeld(found)) return false;
  let passed = 0;
  for (let node = at; node !== found; node = node.nextSibling) {
    if (isHeld(node)) return true;
    passed += 1;
  }
  return place < passed;
}

function morphChildren(old, next) {
  const wanted = [...next.childNodes];
  let at = old.firstChild;
  wanted.forEach((child, index) => {
    const later = wanted.slice(index + 1);
    const found = findChild(at, child, later);
    if (!found) {
      old.insertBefore(document.importNode(child, true), at);
      return;
    }
    if (found !== at && isMoved(found, at, later)) {
      old.insertBefore(found, at);
    } else {
      while (at !== found) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
      }
      at = found.nextSibling;
    }
    morph(found, child);
  });
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

// Changes `old` into `next`, a node of the same name.
function morph(old, next) {
  if (old.isEqualNode(next)) return;
  if (old.nodeType === Node.TEXT_NODE) return morphText(old, next);
  if (old.nodeType !== Node.ELEMENT_NODE) return old.replaceWith(document.importNode(next, true));
  morphAttributes(old, next);
  morphChildren(old, next);
}
