// The readout of a chart: time and value of the point that is nearest to the pointer. The points are
// parsed from the paths of the lines (svg.rs) and converted back from coordinates to numbers.
"use strict";

// A block, because the scripts of a page share one global scope.
{
  const SVG = "http://www.w3.org/2000/svg";
  const readout = document.createElement("p");
  readout.className = "readout";
  readout.hidden = true;
  readout.append(document.createElement("strong"), document.createElement("span"));
  document.body.append(readout);

  function coordinates(chart) {
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

  // Adds a shape to a chart, or moves it.
  function draw(chart, name, attributes) {
    const shape = chart.querySelector(`.${attributes.class}`) ?? chart.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) shape.setAttribute(key, value);
  }

  function updateReadout(event) {
    const chart = event.target.closest?.("main svg.chart");
    const points = chart ? coordinates(chart) : [];
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
    readout.firstChild.textContent = `${value.toLocaleString("en", digits)} ${unit}`;
    readout.lastChild.textContent = new Date(at * 1000).toLocaleString("en", options);
    draw(chart, "line", { class: "cursor", x1: near.x, x2: near.x, y1: top, y2: bottom });
    draw(chart, "circle", { class: "spot", cx: near.x, cy: near.y, r: 4.5 });
    const width = readout.offsetWidth;
    const x = Math.min(Math.max(box.left + near.x * scale - width / 2, 4), document.documentElement.clientWidth - width - 4);
    readout.style.left = `${x + scrollX}px`;
    readout.style.top = `${box.top + near.y * scale - readout.offsetHeight - 12 + scrollY}px`;
  }

  document.addEventListener("pointermove", updateReadout);
  document.addEventListener("pointerdown", updateReadout);
}
