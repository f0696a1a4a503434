// The N x K surface as a table: accuracy, or the gain from one more candidate and one more vote.
const SHOWN = {
  accuracy: ["accuracy", (cell) => cell.estimate[0], rate],
  candidate: ["gain of one more candidate, in points", (cell) => cell.gains[0] && 100 * cell.gains[0], (value) => signed(value, 2)],
  vote: ["gain of one more vote on each candidate, in points", (cell) => cell.gains[1] && 100 * cell.gains[1], (value) => signed(value, 2)],
  buy: ["the better buy: gain for 1,000 completion tokens of a candidate less that of a vote, in points",
    (cell) => (known(cell.per_token[0]) && known(cell.per_token[1]) ? 100 * (cell.per_token[0] - cell.per_token[1]) : null),
    (value) => (value > 0 ? "candidate " : value < 0 ? "vote " : "") + signed(value, 2)],
};

function scalingTable(scaling) {
  const columns = [
    { name: "completion tokens", value: (row) => row.budget, show: (row) => amount(row.budget) },
    { name: "N", value: (row) => row.n }, { name: "K", value: (row) => row.k },
    { name: "accuracy", value: (row) => row.accuracy, show: (row) => rate(row.accuracy) },
  ];
  return h("div", null, h("p", { class: "dim" }, `A vote costs ${scaling.price.toFixed(2)} of a candidate. ${scaling.laws}.`), sortable("The best N x K for a budget", columns, scaling.optima));
}

function heatmap(family) {
  let kind = "accuracy";
  const surface = family.surface;
  return part((again) => {
    const [name, value, show] = SHOWN[kind];
    const all = surface.cells.flat().filter(Boolean).map(value).filter(known);
    const [low, high] = kind === "accuracy" ? [Math.min(...all), Math.max(...all)] : [0, Math.max(...all.map(Math.abs))];
    const cellOf = (cell, row, column) => {
      const here = cell ? value(cell) : null;
      if (!known(here)) return h("td", { vars: { "--amount": "0%" } }, "–");
      const size = high > low ? (Math.abs(here) - low) / (high - low) : 0.5;
      const about = `N = ${surface.at[column]}, K = ${surface.votes[row]}: accuracy ${rate(cell.estimate[0])} ${interval(cell.estimate)}` +
        (cell.error >= 0.0005 ? `, standard error of drawing ${rate(cell.error)}` : "") +
        `; one more candidate ${known(cell.gains[0]) ? signed(100 * cell.gains[0], 2) : "–"}, one more vote ${known(cell.gains[1]) ? signed(100 * cell.gains[1], 2) : "–"} points`;
      return h("td", { title: about, class: here < 0 ? "less" : null, vars: { "--amount": Math.round(8 + 55 * size) + "%" } }, show(here),
        kind === "accuracy" ? h("small", null, interval(cell.estimate)) : null);
    };
    const head = h("tr", null, h("th", { scope: "col" }, "votes"), ...surface.at.map((n) => h("th", { scope: "col" }, "N = " + n)));
    const rows = surface.votes.map((k, row) => h("tr", null, h("th", { scope: "row" }, "K = " + k), ...surface.cells[row].map((cell, column) => cellOf(cell, row, column))));
    const caption = `${family.label}: ${name}; ${surface.estimated ? `${family.selection}, estimated from the largest run's candidates and votes` : "measured by the runs"}`;
    return [
      h("div", { class: "controls" }, choice("Show", Object.entries(SHOWN).map(([key, [text]]) => [key, text]), kind, (next) => { kind = next; again(); })),
      h("div", { class: "scroll heat", tabindex: 0, role: "region", "aria-label": caption }, h("table", null, h("caption", null, caption), h("thead", null, head), h("tbody", null, ...rows))),
      ...(surface.scaling ? [scalingTable(surface.scaling)] : []),
    ];
  });
}
