// Draws every plot of the page's data with uPlot.
"use strict";
(() => {
  const COLORS = ["#2563a8", "#c2571a", "#2f7d4f", "#8b3fa0", "#b3263e", "#4d6b73", "#8a6d00", "#d1619b"];
  const { plots } = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("plots");
  const width = () => Math.min(place.clientWidth, 960);
  const drawn = [];
  const colors = new Map();

  // The same series has the same colour in every plot.
  function colorOf(label) {
    if (!colors.has(label)) colors.set(label, COLORS[colors.size % COLORS.length]);
    return colors.get(label);
  }

  function element(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    place.append(made);
  }

  function series(style, label) {
    const stroke = colorOf(label);
    if (style === "points") {
      return { label, stroke, paths: () => null, points: { show: true, size: 4, fill: stroke } };
    }
    return { label, stroke, width: 2, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } };
  }

  for (const plot of plots) {
    element("h2", plot.title);
    element("p", plot.note);
    if (!plot.series.length) continue;
    const box = document.createElement("div");
    place.append(box);
    const options = {
      width: width(),
      height: 300,
      scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), high * 1.05 || 1] } },
      axes: [{ label: plot.x_label }, { label: plot.y_label, size: 60 }],
      series: [{ label: plot.x_label }, ...plot.series.map((one) => series(plot.style, one.label))],
    };
    drawn.push(new uPlot(options, [plot.x, ...plot.series.map((one) => one.y)], box));
  }
  addEventListener("resize", () => drawn.forEach((one) => one.setSize({ width: width(), height: 300 })));
})();
