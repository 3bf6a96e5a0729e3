// Keeps the page up to date: fetches it conditionally, puts the new <main> in place,
// and lets the ages grow in between. Without this script the page reloads itself.
"use strict";

const POLL = 5000;
const PATIENCE = 10000;

const lost = document.getElementById("lost");
const signedOut = document.getElementById("signed-out");
const spoken = document.getElementById("spoken");

let etag = null;
let ahead = null; // this clock minus the server's, in milliseconds; null: not known yet
let heard = Date.now(); // when the server last answered, by this clock
let failures = 0;
let busy = false;

const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;

// The same words as the server's (age.rs).
function span(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  if (seconds < 60) return "less than a minute";
  if (seconds < 3600) return count(minutes, "minute");
  if (seconds >= 86400) return count(Math.floor(seconds / 86400), "day");
  return minutes ? `${count(hours, "hour")} ${count(minutes, "minute")}` : count(hours, "hour");
}

function words(seconds, form) {
  if (form === "rough" && seconds >= 3600 && seconds < 86400) seconds -= seconds % 3600;
  if (form !== "ago") return span(seconds);
  return seconds < 60 ? "just now" : `${span(seconds)} ago`;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  if (failures > 1) {
    lost.hidden = false;
    write(lost.querySelector("span"), `${span((Date.now() - heard) / 1000)} ago.`);
  } else {
    lost.hidden = true;
  }
  if (ahead === null) return;
  const now = Date.now() - ahead;
  for (const time of document.querySelectorAll("time[data-age]")) {
    write(time, words((now - Date.parse(time.dateTime)) / 1000, time.dataset.age));
  }
  // Should the server be out of reach, readings turn stale all the same.
  for (const card of document.querySelectorAll('.card[data-state="fresh"][data-stale-at]')) {
    if (now < card.dataset.staleAt * 1000) continue;
    card.dataset.state = "stale";
    card.querySelector(".badge use").setAttribute("href", "#i-stale");
    write(card.querySelector(".badge span"), "Stale");
  }
}

// Replaces only what differs, so that a tank whose level has not moved stays calm.
function renew(old, next) {
  const calm = old.childElementCount === next.childElementCount;
  if (!calm || old.matches(".card, :not(main, .cards)")) return old.replaceWith(next);
  [...next.children].forEach((child, index) => {
    if (!old.children[index].isEqualNode(child)) renew(old.children[index], child);
  });
}

function show(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const next = fresh.querySelector("main");
  const main = document.querySelector("main");
  if (!next || !main) return;
  // What a visitor has opened stays open.
  for (const details of next.querySelectorAll("details[id]")) {
    details.open = document.getElementById(details.id)?.open ?? false;
  }
  const before = document.getElementById("summary")?.textContent ?? "";
  renew(main, next);
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
    const response = await fetch(location.pathname + location.search, { headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    signedOut.hidden = response.status !== 401;
    if (response.status === 401) {
      // The server is there, so this is no lost connection.
      failures = 0;
      signedOut.querySelector("a").href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
      return;
    }
    if (response.status !== 304 && !response.ok) throw new Error(`status ${response.status}`);
    const html = response.status === 304 ? null : await response.text();
    const date = Date.parse(response.headers.get("Date") ?? "");
    // The header is cut to whole seconds, so on average it is half a second behind.
    if (date) ahead = Date.now() - (date + 500);
    heard = Date.now();
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

// The read-out of a chart: the point nearest to the pointer, in words. The points are those of
// its lines, put back from places to numbers.
const SVG = "http://www.w3.org/2000/svg";
const readout = document.createElement("p");
readout.className = "readout";
readout.hidden = true;
readout.append(document.createElement("strong"), document.createElement("span"));
document.body.append(readout);

function places(chart) {
  const points = [];
  for (const line of chart.querySelectorAll(".line")) {
    let x = 0;
    let y = 0;
    for (const [, letter, right, down] of line.getAttribute("d").matchAll(/([Ml])(-?[\d.]+) (-?[\d.]+)/g)) {
      x = letter === "M" ? +right : x + +right;
      y = letter === "M" ? +down : y + +down;
      points.push({ x, y });
    }
  }
  return points;
}

function drawn(chart, name, attributes) {
  const shape = chart.querySelector(`.${attributes.class}`) ?? chart.appendChild(document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
}

function read(event) {
  const chart = event.target.closest?.("main svg.chart");
  const points = chart ? places(chart) : [];
  readout.hidden = points.length === 0;
  for (const shape of document.querySelectorAll(".cursor, .spot")) {
    if (readout.hidden || !chart.contains(shape)) shape.remove();
  }
  if (readout.hidden) return;
  const box = chart.getBoundingClientRect();
  const scale = box.width / chart.viewBox.baseVal.width;
  const pointer = (event.clientX - box.left) / scale;
  const near = points.reduce((best, point) => (Math.abs(point.x - pointer) < Math.abs(best.x - pointer) ? point : best));
  const { from, to, low, high, left, right, top, bottom, unit, decimals } = chart.dataset;
  const at = +from + ((near.x - left) / (right - left)) * (to - from);
  const value = +low + ((bottom - near.y) / (bottom - top)) * (high - low);
  const digits = { minimumFractionDigits: 0, maximumFractionDigits: +decimals };
  const options = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: document.documentElement.dataset.zone };
  write(readout.firstChild, `${value.toLocaleString("en", digits)} ${unit}`);
  write(readout.lastChild, new Date(at * 1000).toLocaleString("en", options));
  drawn(chart, "line", { class: "cursor", x1: near.x, x2: near.x, y1: top, y2: bottom });
  drawn(chart, "circle", { class: "spot", cx: near.x, cy: near.y, r: 4.5 });
  const width = readout.offsetWidth;
  const x = Math.min(Math.max(box.left + near.x * scale - width / 2, 4), document.documentElement.clientWidth - width - 4);
  readout.style.left = `${x + scrollX}px`;
  readout.style.top = `${box.top + near.y * scale - readout.offsetHeight - 12 + scrollY}px`;
}

document.addEventListener("pointermove", read);
document.addEventListener("pointerdown", read);
document.addEventListener("visibilitychange", poll);
setInterval(poll, POLL);
setInterval(tick, 1000);
poll();
