// A chart of accuracy: lines with bands and points with intervals.
// series: [{name, line, points: [{x, y, low, high, note, mark}]}]; a mark stands beside its point.
const HEIGHT = 380, LEFT = 68, RIGHT = 16, TOP = 14, BOTTOM = 44;
const DASHES = ["", "7 4", "2 3", "9 3 2 3"];

const colour = (number) => "var(--c" + (number % 8) + ")";
const dash = (number) => DASHES[Math.floor(number / 8) % 4];

function ticks(low, high, log) {
  if (!log || high / low < 4) {
    const step = [1, 2, 5, 10].map((digit) => digit * 10 ** Math.floor(Math.log10((high - low) / 5 || 1))).find((size) => (high - low) / size <= 7);
    const first = Math.ceil(low / step);
    return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(6)));
  }
  const all = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) for (const d of [1, 2, 5]) all.push(d * 10 ** e);
  const inside = all.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
  return inside.length > 9 ? inside.filter((tick) => /^1/.test(tick.toExponential())) : inside;
}

function chart(title, xName, series) {
  const hidden = new Set();
  let log = true, range = null, focused = -1, width = 860;
  const points = series.flatMap((line, number) => line.points.map((point) => ({ ...point, series: number })));
  points.sort((a, b) => a.x - b.x || a.series - b.series);
  const whole = points.every((point) => Number.isInteger(point.x)); // no ticks at half a candidate
  const tip = h("div", { class: "tip", hidden: true });
  const holder = h("div");

  function draw() {
    const shown = points.filter((point) => !hidden.has(point.series) && (!log || point.x > 0));
    const xs = shown.map((point) => point.x);
    const visible = shown.filter((point) => !range || (point.x >= range[0] && point.x <= range[1]));
    const ys = (visible.length ? visible : shown).flatMap((point) => [point.low ?? point.y, point.high ?? point.y]);
    let [low, high] = range || [Math.min(...xs, Infinity), Math.max(...xs, -Infinity)];
    if (!(high > low)) [low, high] = low > 0 && isFinite(low) ? [low / 2, high * 2] : [0.5, 2];
    let bottom = Math.max(0, Math.floor(Math.min(...ys, 1) * 20) / 20), top = Math.min(1, Math.ceil(Math.max(...ys, 0) * 20) / 20);
    if (ys.some((y) => y < 0 || y > 1)) [bottom, top] = [Math.min(...ys), Math.max(...ys)];
    if (!(top > bottom)) [bottom, top] = [bottom - 0.05, bottom + 0.05];
    const f = log ? Math.log : (x) => x;
    const pad = range ? 0 : 0.03;
    const span = f(high) - f(low);
    const px = (x) => LEFT + ((f(x) - f(low)) / span * (1 - 2 * pad) + pad) * (width - LEFT - RIGHT);
    const py = (y) => HEIGHT - BOTTOM - (y - bottom) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
    const back = (p) => {
      const value = f(low) + ((p - LEFT) / (width - LEFT - RIGHT) - pad) / (1 - 2 * pad) * span;
      return log ? Math.exp(value) : value;
    };
    const inside = shown.filter((point) => point.x >= low * 0.9999 && point.x <= high * 1.0001);
    const id = "clip" + Math.random().toString(36).slice(2);
    const plot = s("g", { "clip-path": `url(#${id})` });
    const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "application", tabindex: 0,
      "aria-label": title + ". Left and right go through the points, plus and minus zoom, 0 shows all; the numbers stand in the table below." },
      s("clipPath", { id }, s("rect", { x: LEFT, y: 0, width: width - LEFT - RIGHT, height: HEIGHT - BOTTOM + 6 })));
    for (const tick of ticks(bottom, top, false)) svg.append(s("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: py(tick), y2: py(tick) }),
      s("text", { x: LEFT - 8, y: py(tick) + 4, "text-anchor": "end" }, String(tick)));
    let last = -Infinity; // the end of the tick before, so that none covers another on a narrow page
    for (const tick of ticks(low, high, log).filter((each) => !whole || Number.isInteger(each))) {
      svg.append(s("line", { class: "grid", x1: px(tick), x2: px(tick), y1: TOP, y2: HEIGHT - BOTTOM }));
      const half = 3.5 * amount(tick).length;
      if (px(tick) - half < last + 4) continue;
      last = px(tick) + half;
      svg.append(s("text", { x: px(tick), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, amount(tick)));
    }
    svg.append(s("text", { x: (LEFT + width) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, xName),
      s("text", { x: 14, y: (TOP + HEIGHT - BOTTOM) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(TOP + HEIGHT - BOTTOM) / 2})` }, "accuracy"), plot);
    const taken = [];
    // Where a mark beside a point fits and covers no other; none where it fits nowhere, or stands already. The tip has it too.
    const space = (x, y, text) => {
      if (taken.some((box) => box.x === x && box.y === y && box.text === text)) return null;
      for (const [side, down] of [[1, -6], [1, 15], [-1, -6], [-1, 15]]) {
        const near = x + 7 * side, far = near + (6.5 * text.length + 4) * side;
        const box = { x, y, text, left: Math.min(near, far), right: Math.max(near, far), base: y + down };
        if (box.left < LEFT || box.right > width - RIGHT || box.base < 11 || box.base > HEIGHT - BOTTOM) continue;
        if (taken.some((other) => box.left < other.right && other.left < box.right && Math.abs(box.base - other.base) < 12)) continue;
        taken.push(box);
        return { x: near, y: box.base, "text-anchor": side > 0 ? "start" : "end" };
      }
      return null;
    };
    series.forEach((line, number) => {
      if (hidden.has(number)) return;
      const own = line.points.filter((point) => !log || point.x > 0).sort((a, b) => a.x - b.x);
      if (line.line) {
        const banded = own.filter((point) => known(point.low));
        const edge = [...banded.map((p) => `${px(p.x)},${py(p.high)}`), ...banded.reverse().map((p) => `${px(p.x)},${py(p.low)}`)];
        // Many bands would hide each other; the intervals are still shown at the points and in the table.
        if (series.length <= 8) plot.append(s("polygon", { points: edge.join(" "), fill: colour(number), opacity: 0.13 }));
        plot.append(s("polyline", { points: own.map((p) => `${px(p.x)},${py(p.y)}`).join(" "), fill: "none", stroke: colour(number), "stroke-width": 2, "stroke-dasharray": dash(number) }));
      }
      for (const p of own) {
        if (!line.line && known(p.low)) plot.append(s("line", { x1: px(p.x), x2: px(p.x), y1: py(p.low), y2: py(p.high), stroke: colour(number), opacity: 0.5 }));
        plot.append(s("circle", { cx: px(p.x), cy: py(p.y), r: line.line ? 2.5 : 4.5, fill: colour(number) }));
        const spot = p.mark && space(px(p.x), py(p.y), p.mark);
        if (spot) plot.append(s("text", { class: "mark", ...spot }, p.mark));
      }
    });
    tip.hidden = true;
    focused = -1;
    const ring = s("circle", { class: "focus", r: 8, visibility: "hidden" });
    plot.append(ring);

    function show(point) {
      focused = inside.indexOf(point);
      tip.hidden = !point;
      ring.setAttribute("visibility", point ? "visible" : "hidden");
      if (!point) return;
      ring.setAttribute("cx", px(point.x));
      ring.setAttribute("cy", py(point.y));
      tip.textContent = `${series[point.series].name}${point.note ? "\n" + point.note : ""}\n${xName}: ${amount(point.x)}\naccuracy ${rate(point.y)} ${interval([0, point.low, point.high])}`;
      const scale = svg.clientWidth / width;
      tip.style.left = Math.min(px(point.x) * scale + 12, svg.clientWidth - 210) + "px";
      tip.style.top = Math.max(py(point.y) * scale - 84, 4) + "px";
    }
    const at = (event) => (event.clientX - svg.getBoundingClientRect().left) * width / svg.clientWidth;
    const height = (event) => (event.clientY - svg.getBoundingClientRect().top) * width / svg.clientWidth;
    const zoom = (next) => { range = next; draw(); holder.firstChild.focus(); };
    let from = null;
    const brush = s("rect", { class: "brush", y: TOP, height: HEIGHT - TOP - BOTTOM, visibility: "hidden" });
    svg.append(brush);
    svg.addEventListener("pointerdown", (event) => { from = at(event); svg.setPointerCapture(event.pointerId); });
    svg.addEventListener("pointermove", (event) => {
      if (from !== null && Math.abs(at(event) - from) > 6) {
        fill(brush, { x: Math.min(from, at(event)), width: Math.abs(at(event) - from), visibility: "visible" }, []);
        return;
      }
      let near = null, least = 40 ** 2;
      for (const p of inside) {
        const distance = (px(p.x) - at(event)) ** 2 + (py(p.y) - height(event)) ** 2;
        if (distance < least) [near, least] = [p, distance];
      }
      show(near);
    });
    svg.addEventListener("pointerup", (event) => {
      const ends = [from, at(event)].sort((a, b) => a - b).map(back);
      if (from !== null && Math.abs(at(event) - from) > 6) zoom(ends);
      from = null;
      fill(brush, { visibility: "hidden" }, []);
    });
    svg.addEventListener("pointerleave", () => show(null));
    svg.addEventListener("dblclick", () => zoom(null));
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const factor = { "+": 0.5, "-": 2 }[event.key];
      if (step && inside.length) {
        show(inside[(Math.max(focused, step < 0 ? 0 : -1) + step + inside.length) % inside.length]);
        say(tip.textContent);
      } else if (factor) {
        const middle = f(focused >= 0 ? inside[focused].x : log ? Math.sqrt(low * high) : (low + high) / 2);
        const half = span / 2 * factor;
        zoom([middle - half, middle + half].map((value) => (log ? Math.exp(value) : value)));
      } else if (event.key === "0" || event.key === "Escape") zoom(null);
      else return;
      event.preventDefault();
    });
    holder.replaceChildren(svg);
  }

  // Drawn at the actual pixel size, so that its text keeps its size.
  new ResizeObserver(() => {
    const now = Math.max(300, Math.round(holder.clientWidth));
    if (now === width) return;
    width = now;
    draw();
  }).observe(holder);
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Lines of the chart" }, ...series.map((line, number) => {
    const key = s("svg", { viewBox: "0 0 26 10", "aria-hidden": "true" }, line.line
      ? s("line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour(number), "stroke-width": 3, "stroke-dasharray": dash(number) })
      : s("circle", { cx: 13, cy: 5, r: 4.5, fill: colour(number) }));
    const button = h("button", { type: "button", "aria-pressed": "true", click: () => {
      if (!hidden.delete(number)) hidden.add(number);
      button.setAttribute("aria-pressed", String(!hidden.has(number)));
      draw();
    } }, key, line.name);
    return button;
  }));
  const zeros = points.filter((point) => point.x <= 0).length;
  const scale = h("button", { type: "button", click: () => { log = !log; range = null; scale.textContent = log ? "Linear scale" : "Logarithmic scale"; draw(); } }, "Linear scale");
  const reset = h("button", { type: "button", click: () => { range = null; draw(); } }, "Show all");
  draw();
  const columns = [
    { name: "line", value: (p) => series[p.series].name, text: true },
    { name: xName, value: (p) => p.x, show: (p) => amount(p.x) },
    { name: "accuracy", value: (p) => p.y, show: (p) => rate(p.y) },
    { name: "95 %", value: (p) => p.low, show: (p) => interval([0, p.low, p.high]) },
    { name: "note", value: (p) => p.note || "", text: true },
  ];
  const numbers = h("details", { toggle: (event) => {
    if (event.target.open && numbers.children.length === 1) numbers.append(sortable(title, columns, points));
  } }, h("summary", null, "The numbers as a table"));
  return h("div", null, h("div", { class: "controls" }, scale, reset, h("span", { class: "dim" }, "drag to zoom" + (zeros ? `; ${zeros} at 0 on the linear scale only` : ""))), h("div", { class: "chart" }, holder, tip), legend, numbers);
}
