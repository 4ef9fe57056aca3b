// Draws the charts that the page holds as JSON. All that is said of them in words stands in the page without this.
"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const NAMELESS = "\u00a0";  // uPlot gives a word of its own to a curve that has none
  const drawn = new Map();  // plots by their places

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ofCurve = (curve) => colour(`--c${curve.colour}`);

  // 2M, 1.5M, 250k, 40, 0.003
  function short(value) {
    if (value == null) return "-";
    const size = Math.abs(value);
    for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
      if (size >= unit) return `${+(value / unit).toPrecision(3)}${letter}`;
    return `${+value.toPrecision(size >= 100 ? 4 : 3)}`;
  }

  const isPower = (value) => Math.abs(Math.log10(value) % 1) < 1e-6;

  // One column of steps for all curves of a chart; a curve has null where it has no point.
  function columns(chart) {
    const tables = [];
    for (const curve of chart.curves) {
      tables.push([curve.steps, curve.values]);
      if (curve.low) tables.push([curve.steps, curve.low], [curve.steps, curve.high]);
    }
    return uPlot.join(tables);
  }

  // Areas upon each other: each is drawn from the ground to the sum of itself and all before it, the greatest first.
  function stack([steps, ...values]) {
    const sums = [];
    let below = steps.map(() => 0);
    for (const column of values) sums.push((below = below.map((sum, index) => sum + (column[index] ?? 0))));
    return [steps, ...sums.reverse()];
  }

  // What the legend says of a curve: its value under the cursor, and its last one where there is none.
  function telling(curve, column) {
    const last = curve.values.at(-1);
    return (_plot, _value, _series, row) => short(row == null ? last : column[row]);
  }

  function seriesOf(curve, column) {
    const faint = curve.style === "faint", dots = curve.style === "dots" || curve.steps.length === 1;
    return {
      label: curve.name || NAMELESS,
      stroke: () => ofCurve(curve) + (faint ? "55" : ""),
      fill: curve.style === "area" ? () => ofCurve(curve) : undefined,
      width: faint ? 1 : curve.style === "area" ? 0 : 2,
      spanGaps: true,
      points: { show: dots, size: 7, fill: () => ofCurve(curve) },
      value: telling(curve, column),
    };
  }

  // The series of a chart in the order in which they are drawn, and bands between some of them.
  function allSeries(chart, table) {
    const last = table[0].at(-1), bands = [];
    const all = [{ label: chart.across.match(/steps|seconds/)[0], value: (_, at) => Math.round(at ?? last).toLocaleString("en") }];
    if (chart.stacked) {
      for (let index = chart.curves.length; index > 0; index--) all.push(seriesOf(chart.curves[index - 1], table[index]));
      return { all, bands };
    }
    const edge = { label: NAMELESS, stroke: () => "transparent", width: 0, spanGaps: true, points: { show: false } };
    for (const curve of chart.curves) {
      all.push(seriesOf(curve, table[all.length]));
      if (!curve.low) continue;
      all.push({ ...edge }, { ...edge });
      bands.push({ series: [all.length - 1, all.length - 2], fill: () => ofCurve(curve) + "33" });
    }
    return { all, bands };
  }

  function reach(chart) {
    const marks = chart.yardsticks.map((one) => one.value);
    return (_, low, high) => {
      if (low == null) return [0, 1];
      if (chart.log) return uPlot.rangeLog(low, high, 10, false);
      low = Math.min(low, ...marks);
      high = Math.max(high, ...marks);
      const room = (high - low || Math.abs(high) || 1) * 0.1;  // for the words above a line
      return [chart.least ?? low - room, chart.most ?? high + room];
    };
  }

  // Dashed lines for what is known, each named above its right end; names never lie upon each other.
  function drawYardsticks(chart) {
    return (plot) => {
      const { ctx } = plot, { left, top, width, height } = plot.bbox, ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${12 * ratio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      ctx.textBaseline = "bottom";
      ctx.strokeStyle = ctx.fillStyle = colour("--soft");
      ctx.setLineDash([5 * ratio, 4 * ratio]);
      ctx.lineWidth = ratio;
      let ceiling = Infinity;  // of the name that was written last, from the lowest up
      for (const { name, value } of [...chart.yardsticks].sort((a, b) => a.value - b.value)) {
        const y = plot.valToPos(value, "y", true);
        if (y < top || y > top + height) continue;
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
        const foot = Math.min(y - 2 * ratio, ceiling);
        ctx.fillText(name, left + width - 4 * ratio, foot);
        ceiling = foot - 13 * ratio;
      }
      ctx.restore();
    };
  }

  function options(chart, place, table) {
    const { all: series, bands } = allSeries(chart, table);
    const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      width: place.clientWidth || 320,
      height: chart.small ? 110 : 240,
      series, bands,
      padding: [8, 14, 0, 0],
      scales: { x: { time: false, range: (_, low, high) => [Math.min(0, low ?? 0), high || 1] }, y: { distr: chart.log ? 3 : 1, range: reach(chart) } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map(short), space: 60, size: 26 },
        { ...axis, grid: { ...axis.grid, filter: (_, ticks) => ticks.map((tick) => (chart.log && !isPower(tick) ? null : tick)) }, values: (_, ticks) => ticks.map((tick) => (tick == null ? null : short(tick))), size: 52, space: chart.small ? 40 : 45 },
      ],
      legend: { markers: { width: 0, fill: (_, index) => (index ? series[index].stroke() : "transparent") } },
      cursor: { sync: { key: chart.across }, drag: { x: true, y: false }, points: { size: 6 } },
      hooks: { draw: [drawYardsticks(chart)] },
    };
  }

  // Left and right move the cursor from point to point, as the mouse does.
  function moveBy(plot, event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const last = plot.data[0].length - 1, stride = Math.max(1, Math.round(last / 40));
    const from = plot.cursor.idx ?? (by > 0 ? -stride : last + stride);
    const at = Math.min(last, Math.max(0, from + by * stride));
    plot.setCursor({ left: plot.valToPos(plot.data[0][at], "x"), top: 10 });
  }

  function draw(place) {
    const chart = charts[+place.dataset.chart], table = columns(chart);
    const plot = new uPlot(options(chart, place, table), chart.stacked ? stack(table) : table, place);
    // Rows of the legend that have no name: the noise behind a trend, the edges of a band.
    plot.root.querySelectorAll(".u-series").forEach((row, index) => (row.hidden = plot.series[index].label === NAMELESS));
    drawn.set(place, plot);
  }

  function begin(place) {
    draw(place);
    const { title, unit } = charts[+place.dataset.chart];
    place.tabIndex = 0;
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", `${title}, ${unit}. Left and right move through it; the numbers follow below.`);
    place.addEventListener("keydown", (event) => moveBy(drawn.get(place), event));
    new ResizeObserver(() => {
      const plot = drawn.get(place);
      if (plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height: plot.height });
    }).observe(place);
  }

  document.querySelectorAll("[data-chart]").forEach(begin);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const [place, plot] of [...drawn]) {
      plot.destroy();
      draw(place);
    }
  });
})();
