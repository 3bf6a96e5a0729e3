// Keeps the page up to date: fetches it conditionally, changes what differs in <main>, and updates the
// ages between two fetches. While there is no answer of this server, it says so in a notice, in the
// summary and in the title. Without scripts the browser reloads the page.
"use strict";

const POLL_INTERVAL = 5000; // milliseconds
const FETCH_TIMEOUT = 10000; // milliseconds

// Failed polls in a row after which the connection counts as lost.
const MAX_FAILURES = 2;

// Distinguishes a page of this program from one that a network or a proxy sends in its place.
const MARK = 'meta[name="generator"][content^="pumphouse-web"]';

const lost = document.getElementById("lost");
const signedOut = document.getElementById("signed-out");
const spoken = document.getElementById("spoken");

// The address of the sign-in page, which is at the root of the site: a proxy may publish it below a path.
const signIn = signedOut.querySelector("a").href;

let etag = null;
let clockOffset = null; // this clock minus the server's, in milliseconds; null before the first answer
let answeredAt = null; // time of the latest answer, by this clock
let title = document.title; // as the server sent it
let failures = 0;
let trouble = null; // null, or the reason why the page is not up to date: a key of TITLES
let detail = ""; // words about the trouble
let busy = false;

// Words before the title of a page that is not up to date.
const TITLES = { lost: "No connection", foreign: "Not updated", refused: "Not updated", "signed-out": "Signed out" };

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

// Seconds by which a time may be later than the server's clock as it is known here: an answer is under way for
// some of them.
const CLOCK_TOLERANCE = 10;

// The texts of the server's `page::time`. `format` is the `AgeFormat` of the element.
function age(seconds, format) {
  const isAhead = seconds < -CLOCK_TOLERANCE;
  if (format === "rough" && seconds >= 3600 && seconds < 86400) seconds -= seconds % 3600;
  if (format !== "ago") return isAhead ? "an unknown time" : duration(seconds);
  if (isAhead) return `${duration(-seconds)} ahead of the server's clock`;
  return seconds < 60 ? "just now" : `${duration(seconds)} ago`;
}

// Writes a text in place, so that a selection in it stays.
function write(element, text) {
  if (element.childNodes.length !== 1 || element.firstChild.nodeType !== Node.TEXT_NODE) {
    element.textContent = text;
  } else {
    morphText(element.firstChild, { data: text });
  }
}

// Returns the server's time by this clock, or null if neither is known well enough.
function serverTime() {
  if (clockOffset !== null) return Date.now() - clockOffset;
  // A page from the browser's cache whose server does not answer: this clock is right unless the page has
  // times that are later.
  const times = [...document.querySelectorAll("time[data-age]")].map((time) => Date.parse(time.dateTime));
  return failures > 0 && times.every((time) => time <= Date.now()) ? Date.now() : null;
}

// Marks the readings that have turned stale since the server rendered them; returns their number.
function markStale(now) {
  for (const card of document.querySelectorAll('[data-state="fresh"][data-stale-at]')) {
    if (now < card.dataset.staleAt * 1000) continue;
    card.dataset.state = "stale";
    card.dataset.turned = "";
    if (card.dataset.failing) continue;
    card.querySelector(".badge use").setAttribute("href", "#i-stale");
    write(card.querySelector(".badge span"), "Stale");
  }
  return document.querySelectorAll("[data-stale-at][data-turned]").length;
}

// Marks the values that have turned stale by their own times; returns true if a level is among them.
function markOld(now) {
  for (const element of document.querySelectorAll("[data-old-at]:not(.old)")) {
    if (now < element.dataset.oldAt * 1000) continue;
    element.classList.add("old");
    element.dataset.turned = "";
    if (element.matches(".note")) write(element.querySelector("span"), "Stale, observed");
  }
  return document.querySelector(".level[data-turned]") !== null;
}

// Replaces the summary, which says what the server knew at the latest answer.
function summarize(turned) {
  const summary = document.getElementById("summary");
  if (!summary || !(trouble || turned)) return;
  // An overview has some of the sources only, so the server's number of stale ones counts.
  const stale = +summary.dataset.stale + turned;
  const loaded = answeredAt === null ? "" : `, loaded ${duration((Date.now() - answeredAt) / 1000)} ago`;
  const words = [trouble ? `Not up to date${loaded}` : "", stale ? `${stale} of ${summary.dataset.total} stale` : ""];
  const state = trouble ? "failing" : "stale";
  if (!summary.matches("[data-lost]")) {
    const part = document.createElement("span");
    part.className = "part";
    const icon = document.querySelector(".badge svg").cloneNode(true);
    part.append(icon, document.createElement("span"));
    summary.replaceChildren(part);
    summary.dataset.lost = "";
  }
  summary.dataset.state = summary.firstChild.dataset.state = state;
  summary.querySelector("use").setAttribute("href", `#i-${state}`);
  write(summary.querySelector(".part span"), words.filter(Boolean).join("; "));
}

function tick() {
  signedOut.hidden = trouble !== "signed-out";
  lost.hidden = !trouble || trouble === "signed-out";
  if (!lost.hidden) {
    const [what, when] = lost.querySelectorAll("span");
    write(what, detail);
    const loaded = answeredAt === null ? "" : `were loaded ${duration((Date.now() - answeredAt) / 1000)} ago and `;
    write(when, `The numbers below ${loaded}are not kept up to date.`);
    lost.querySelector("a").hidden = trouble !== "foreign";
    lost.querySelector("a").href = location.href;
  }
  const now = serverTime();
  let turned = 0;
  let levelTurned = false;
  if (now !== null) {
    for (const time of document.querySelectorAll("time[data-age]")) {
      write(time, age((now - Date.parse(time.dateTime)) / 1000, time.dataset.age));
    }
    // Readings turn stale on time also while the server cannot be reached.
    turned = markStale(now);
    levelTurned = markOld(now);
  }
  summarize(turned);
  // The next answer has to restore what differs from the server's page.
  if (trouble || document.querySelector("[data-turned]")) etag = null;
  const words = [trouble ? TITLES[trouble] : "", turned || levelTurned ? "Stale" : ""].filter(Boolean).join(", ");
  const shown = words ? `${words} · ${title}` : title;
  if (document.title !== shown) document.title = shown;
}

// Follows the alerts of a page over a change, if there are any: alerts.js sets it. Called before the change, it returns
// a function to call after it, which returns what to announce.
let followAlerts = () => () => "";

// Changes the page into a newer one.
function show(fresh) {
  const next = fresh.querySelector("main");
  const main = document.querySelector("main");
  if (!next || !main) return;
  // Another version of the server, or the first alert of the site, has files that this page lacks.
  const files = (page) => [...page.querySelectorAll("script, [rel=stylesheet]")].map((file) => file.src || file.href);
  const loaded = files(document);
  if (files(fresh).some((file) => !loaded.includes(file))) return location.reload();
  const before = document.getElementById("summary")?.textContent ?? "";
  const followed = followAlerts(main);
  morph(main, next);
  title = fresh.title;
  const fired = followed(fresh);
  const after = document.getElementById("summary")?.textContent ?? "";
  if (fired) write(spoken, fired);
  else if (after !== before) write(spoken, after);
}

// The address of the sign-in page that leads back here: `next` is a path within the site.
function signInHere() {
  const next = (location.pathname + location.search).slice(new URL(".", signIn).pathname.length - 1);
  return `${signIn}?next=${encodeURIComponent(next)}`;
}

// Reads a response; returns the reason why it is not the current page of this server, or null.
async function read(response) {
  // A redirect leads to a sign-in of a proxy or of a network: this server redirects no page.
  if (response.type === "opaqueredirect") return "foreign";
  const fresh = response.status === 304 ? null : new DOMParser().parseFromString(await response.text(), "text/html");
  const isOurs = fresh?.querySelector(MARK);
  if (response.status === 401) {
    // A proxy that asks for credentials does so for the page itself.
    signedOut.querySelector("a").href = isOurs ? signInHere() : location.pathname + location.search;
    return "signed-out";
  }
  if (response.status !== 304 && !response.ok) {
    detail = `The server answers with an error (${response.status}).`;
    return "refused";
  }
  if (fresh && !isOurs) return "foreign";
  const date = Date.parse(response.headers.get("Date") ?? "");
  // Date has whole seconds, so on average it is half a second behind.
  if (date) clockOffset = Date.now() - (date + 500);
  answeredAt = Date.now();
  if (fresh) {
    // The first answer is the page already on screen, or a newer one.
    show(fresh);
    etag = response.headers.get("ETag");
  }
  return null;
}

async function poll() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    const headers = { Accept: "text/html" };
    if (etag) headers["If-None-Match"] = etag;
    const response = await fetch(location.pathname + location.search, {
      headers,
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(FETCH_TIMEOUT),
    });
    const found = await read(response);
    // An error of the server may pass by the next poll.
    failures = found === "refused" ? failures + 1 : 0;
    if (found !== "refused" || failures >= MAX_FAILURES) trouble = found;
    if (found === "foreign") detail = "Another page answers at this address, such as the sign-in of a network.";
  } catch {
    failures += 1;
    if (failures >= MAX_FAILURES) {
      trouble = "lost";
      detail = "Connection lost.";
    }
  } finally {
    busy = false;
    tick();
  }
}

document.addEventListener("visibilitychange", poll);
addEventListener("online", poll);
addEventListener("pageshow", poll);
setInterval(poll, POLL_INTERVAL);
setInterval(tick, 1000);
poll();
