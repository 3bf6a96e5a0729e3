// The read-out of charts: time and value of the point that is nearest to the pointer, or that the arrow
// keys select. The points are in attributes of the element around the chart (readout.rs). Its marks lie
// over the page, so that an update of the page meets the chart as the server sent it.
"use strict";

// A block, because the scripts of a page share one global scope.
{
  const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const DAY = 86400; // seconds

  const element = (name, className) => {
    const made = document.createElement(name);
    made.className = className;
    made.hidden = true;
    document.body.append(made);
    return made;
  };
  const cursor = element("div", "cursor");
  const spot = element("div", "spot");
  const readout = element("p", "readout");
  readout.append(document.createElement("strong"), document.createElement("span"));

  // The selected point, by its time: an update of the page adds and removes others.
  let shown = null; // { id, at }

  const number = (text) => Number(text.replaceAll(",", "").replace("−", "-"));
  // Returns a number as the page shows it: with a power of ten for an exponent.
  const displayed = (text) => {
    const raised = (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]);
    const [mantissa, exponent] = text.replace(/^-/, "−").split("e");
    return exponent ? `${mantissa} × 10${[...exponent].map(raised).join("")}` : mantissa;
  };
  const visibleChart = (plot) => [...plot.querySelectorAll("svg")].find((chart) => chart.getBoundingClientRect().width > 0);

  function pointsOf(plot) {
    let at = +plot.dataset.window.split(" ")[0];
    return plot.dataset.points.split(";").map((point) => {
      const parts = point.split(" ");
      at += +(parts[0].startsWith("+") ? parts.shift().slice(1) : (plot.dataset.length ?? 0));
      const [value, least = "-", most = "-", length = plot.dataset.length ?? 0] = parts;
      return { at, value, least, most, length: +length, place: at + +length / 2 };
    });
  }

  // Returns the date and the time of day by the clocks of the site.
  function local(plot, at) {
    const entries = plot.dataset.clock.split(";").map((entry) => entry.split(" "));
    const [, offset, ...distinction] = entries.findLast(([start]) => +start <= at) ?? entries[0];
    const date = new Date((at + +offset) * 1000);
    const pad = (part) => String(part).padStart(2, "0");
    return {
      day: `${WEEKDAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`,
      time: [`${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`, ...distinction].join(" "),
    };
  }

  // Returns the words for the time of a point and for the numbers around its value.
  function words(plot, { at, least, most, length }) {
    const { day, time } = local(plot, at);
    if (!length) return `${day}, ${time}`;
    const last = local(plot, at + length - 1).day;
    const days = last === day ? day : `${day} to ${last}`;
    const span = length < DAY - 3600 ? `${day}, ${time} to ${local(plot, at + length).time}` : days;
    const isOpen = at + length > +plot.dataset.window.split(" ")[1];
    return `${plot.dataset.aggregate} ${span}`.trim() + (isOpen ? " so far" : "") + (least === "-" ? "" : `, ${displayed(least)} to ${displayed(most)}`);
  }

  function hide() {
    shown = null;
    for (const part of [cursor, spot, readout]) part.hidden = true;
  }

  function show(plot, point) {
    const chart = visibleChart(plot);
    if (!chart) return hide();
    shown = { id: plot.id, at: point.at };
    for (const part of [cursor, spot, readout]) part.hidden = false;
    const { low, high, left, right, top, bottom } = chart.dataset;
    const [from, to] = plot.dataset.window.split(" ");
    const box = chart.getBoundingClientRect();
    const scale = box.width / chart.viewBox.baseVal.width;
    const share = Math.min(Math.max((point.place - from) / (to - from), 0), 1);
    const height = (number(point.value) - low) / (high - low);
    const x = box.left + scrollX + scale * (+left + share * (right - left));
    const y = box.top + scrollY + scale * (bottom - height * (bottom - top));
    const texts = [displayed(point.value) + plot.dataset.suffix, words(plot, point)];
    [readout.firstChild, readout.lastChild].forEach((part, index) => {
      if (part.textContent !== texts[index]) part.textContent = texts[index];
    });
    const place = (part, left, top) => {
      part.style.left = `${left}px`;
      part.style.top = `${top}px`;
    };
    place(cursor, x, box.top + scrollY + scale * top);
    cursor.style.height = `${scale * (bottom - top)}px`;
    place(spot, x, y);
    const room = document.documentElement.clientWidth - readout.offsetWidth - 4;
    place(readout, Math.max(Math.min(x - readout.offsetWidth / 2, room), 4), Math.max(y - readout.offsetHeight - 12, scrollY + 4));
  }

  function pointed(event) {
    const plot = event.target.closest?.("main .plot[data-points]");
    if (!plot) {
      // A chart with the keyboard's focus keeps its point.
      if (!document.activeElement?.matches(".plot[data-points]")) hide();
      return;
    }
    const chart = visibleChart(plot);
    if (!chart) return;
    // A pointer at a point would have it announced at each step.
    readout.setAttribute("aria-live", "off");
    const { left, right } = chart.dataset;
    const [from, to] = plot.dataset.window.split(" ");
    const box = chart.getBoundingClientRect();
    const scale = box.width / chart.viewBox.baseVal.width;
    const at = +from + (((event.clientX - box.left) / scale - left) / (right - left)) * (to - from);
    const nearer = (best, point) => (Math.abs(point.place - at) < Math.abs(best.place - at) ? point : best);
    show(plot, pointsOf(plot).reduce(nearer));
  }

  function selected(event) {
    const plot = event.target;
    if (!plot.matches?.(".plot[data-points]") || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") return hide();
    const points = pointsOf(plot);
    const last = points.length - 1;
    const found = shown?.id === plot.id ? points.findIndex((point) => point.at >= shown.at) : -1;
    const index = found < 0 ? last : found;
    const page = Math.ceil(points.length / 10);
    const steps = { ArrowLeft: index - 1, ArrowRight: index + 1, PageUp: index - page, PageDown: index + page, Home: 0, End: last };
    if (!(event.key in steps)) return;
    event.preventDefault();
    readout.setAttribute("aria-live", "polite");
    show(plot, points[Math.min(Math.max(steps[event.key], 0), last)]);
  }

  function focused(event) {
    const plot = event.target;
    if (!plot.matches?.(".plot[data-points]:focus-visible") || shown?.id === plot.id) return;
    readout.setAttribute("aria-live", "polite");
    show(plot, pointsOf(plot).at(-1));
  }

  // The chart may be another one after an update of the page, and elsewhere.
  function renew() {
    if (!shown) return;
    const plot = document.getElementById(shown.id);
    if (!plot?.matches("[data-points]")) return hide();
    const nearer = (best, point) => (Math.abs(point.at - shown.at) < Math.abs(best.at - shown.at) ? point : best);
    show(plot, pointsOf(plot).reduce(nearer));
  }

  document.addEventListener("pointermove", pointed);
  document.addEventListener("pointerdown", pointed);
  // The browser scrolls with this touch.
  document.addEventListener("pointercancel", hide);
  document.documentElement.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && pointed({ target: document.body }));
  // A click would take the focus from where the visitor is.
  document.addEventListener("mousedown", (event) => event.target.closest?.(".plot[data-points]") && event.preventDefault());
  document.addEventListener("keydown", selected);
  document.addEventListener("focusin", focused);
  document.addEventListener("focusout", ({ target }) => {
    if (!target.matches?.(".plot[data-points]")) return;
    // A chart that an update replaces loses the focus, too, and keeps its point.
    setTimeout(() => target.isConnected && document.activeElement !== target && shown?.id === target.id && hide());
  });
  addEventListener("resize", renew);
  const main = document.querySelector("main");
  if (main) new MutationObserver(renew).observe(main, { childList: true, subtree: true, attributeFilter: ["data-points", "data-window"] });
}
