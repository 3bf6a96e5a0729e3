// Keeps the page up to date: fetches it conditionally, replaces what differs in <main>, and updates
// the ages between two fetches. Without scripts the browser reloads the page. The read-out of charts is
// in readout.js.
"use strict";

const POLL_INTERVAL = 5000; // milliseconds
const FETCH_TIMEOUT = 10000; // milliseconds

const lost = document.getElementById("lost");
const signedOut = document.getElementById("signed-out");
const spoken = document.getElementById("spoken");

let etag = null;
let clockOffset = null; // this clock minus the server's, in milliseconds; null before the first answer
let answeredAt = Date.now(); // time of the latest answer, by this clock
let failures = 0;
let busy = false;

const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;

// The texts of the server's `format::duration`.
function duration(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (seconds < 60) return "less than a minute";
  if (seconds < 3600) return count(minutes, "minute");
  if (seconds >= 86400) return count(Math.floor(seconds / 86400), "day");
  return minutes ? `${count(hours, "hour")} ${count(minutes, "minute")}` : count(hours, "hour");
}

// `format` is the `AgeFormat` of the element.
function age(seconds, format) {
  if (format === "rough" && seconds >= 3600 && seconds < 86400) seconds -= seconds % 3600;
  if (format !== "ago") return duration(seconds);
  return seconds < 60 ? "just now" : `${duration(seconds)} ago`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  if (failures > 1) {
    lost.hidden = false;
    write(lost.querySelector("span"), `${duration((Date.now() - answeredAt) / 1000)} ago.`);
  } else {
    lost.hidden = true;
  }
  if (clockOffset === null) return;
  const now = Date.now() - clockOffset;
  for (const time of document.querySelectorAll("time[data-age]")) {
    write(time, age((now - Date.parse(time.dateTime)) / 1000, time.dataset.age));
  }
  // Readings turn stale on time also while the server cannot be reached.
  for (const card of document.querySelectorAll('.card[data-state="fresh"][data-stale-at]')) {
    if (now < card.dataset.staleAt * 1000) continue;
    card.dataset.state = "stale";
    card.querySelector(".badge use").setAttribute("href", "#i-stale");
    write(card.querySelector(".badge span"), "Stale");
  }
}

// Replaces only elements that differ, so that the waves of an unchanged tank go on moving.
function replaceChanged(old, next) {
  const sameChildren = old.childElementCount === next.childElementCount;
  if (!sameChildren || old.matches(".card, :not(main, .cards)")) return old.replaceWith(next);
  [...next.children].forEach((child, index) => {
    if (!old.children[index].isEqualNode(child)) replaceChanged(old.children[index], child);
  });
}

// Replaces the content of the page.
function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const next = fresh.querySelector("main");
  const main = document.querySelector("main");
  if (!next || !main) return;
  // A table that the visitor has unfolded stays unfolded.
  for (const details of next.querySelectorAll("details[id]")) {
    details.open = document.getElementById(details.id)?.open ?? false;
  }
  const before = document.getElementById("summary")?.textContent ?? "";
  replaceChanged(main, next);
  document.title = fresh.title;
  const after = document.getElementById("summary")?.textContent ?? "";
  if (after !== before) write(spoken, after);
}

async function poll() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    const headers = { Accept: "text/html" };
    if (etag) headers["If-None-Match"] = etag;
    const response = await fetch(location.pathname + location.search, { headers, cache: "no-store", signal: AbortSignal.timeout(FETCH_TIMEOUT) });
    signedOut.hidden = response.status !== 401;
    if (response.status === 401) {
      // The server has answered: the connection is not lost.
      failures = 0;
      signedOut.querySelector("a").href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
      return;
    }
    if (response.status !== 304 && !response.ok) throw new Error(`status ${response.status}`);
    const html = response.status === 304 ? null : await response.text();
    const date = Date.parse(response.headers.get("Date") ?? "");
    // Date has whole seconds, so on average it is half a second behind.
    if (date) clockOffset = Date.now() - (date + 500);
    answeredAt = Date.now();
    failures = 0;
    if (html !== null) {
      // The first answer is the page already on screen, or a newer one.
      show(html);
      etag = response.headers.get("ETag");
    }
  } catch {
    failures += 1;
  } finally {
    busy = false;
    tick();
  }
}

document.addEventListener("visibilitychange", poll);
setInterval(poll, POLL_INTERVAL);
setInterval(tick, 1000);
poll();
