// The comparison of all runs over one set of problems.
const OTHERS = [["majority", "majority", "accuracy of the most frequent answer"], ["pass_at_1", "pass@1", "share of right candidates"], ["oracle", "any", "any candidate is right"]];

function overview(set, number) {
  const runs = set.runs.map((run, place) => ({ ...run, place }));
  const parts = [h("h1", { tabindex: -1 }, `${runs.length} run${runs.length === 1 ? "" : "s"} over ${set.problems.toLocaleString("en")} problems`)];
  parts.push(h("ul", { class: "notes", "aria-label": "What the runs are of" }, ...set.about.map((text) => h("li", null, text))));
  if (figures.warnings.length) parts.push(h("div", { class: "warning", role: "note" }, h("strong", null, "Left out or odd"), h("ul", null, ...figures.warnings.map((text) => h("li", null, text)))));
  if (figures.sets.length > 1) parts.push(h("p", { class: "dim" }, `${figures.sets.length} different sets of problems were found. Runs are compared only within a set; choose it above.`));
  parts.push(h("h2", null, "Runs"), runTable(set, runs));
  if (set.notes.length) parts.push(h("ul", { class: "notes", "aria-label": "Notes on the runs" }, ...set.notes.map((text) => h("li", null, text))));
  if (set.units.length) parts.push(h("h2", null, "Accuracy against cost"), costChart(set, runs));
  if (set.families.some((family) => family.lines.length)) parts.push(h("h2", null, "Accuracy against candidates"), curveChart(set, runs));
  const surfaces = set.families.filter((family) => family.surface);
  if (surfaces.length) parts.push(h("h2", null, "Candidates or votes"), surfacePart(surfaces));
  if (set.pairs.length) parts.push(h("h2", null, "Paired differences"), pairPart(set, runs));
  if (set.equal_costs.length) parts.push(h("h2", null, "At equal cost"), equalCostTable(set, runs));
  if (set.rules.runs.length) parts.push(h("h2", null, "Selection rules"), ruleTable(set, runs));
  if (Object.keys(set.choices).length) parts.push(h("h2", null, "The best run for a budget"), choicePart(set, runs));
  if (set.bins.length > 1) parts.push(h("h2", null, "By difficulty"), binTable(set, runs));
  return parts;
}

function runTable(set, runs) {
  const columns = [
    { name: "run", text: true, value: (run) => run.label, show: (run) => h("span", { title: [...run.folders, ...run.overrides].join("\n") }, `${run.place + 1}. ${run.label}${run.there < set.problems ? ` [${run.there} of ${set.problems} problems]` : ""}`) },
    { name: "N", value: (run) => run.n }, { name: "K", value: (run) => run.k },
    { name: "accuracy", value: (run) => run.accuracy[0], show: (run) => rate(run.accuracy[0]) },
    { name: "95 %", value: (run) => run.accuracy[1], show: (run) => interval(run.accuracy), title: "Wilson's interval; over several seeds a bootstrap over problems" },
    ...OTHERS.map(([key, name, title]) => ({ name, title, value: (run) => run.others[key][0], show: (run) => rate(run.others[key][0]) })),
    ...set.units.map((unit) => ({
      name: unit.name, value: (run) => run.costs[unit.key], title: "per problem; ◆: on the Pareto front of accuracy against this cost",
      show: (run) => h("span", { class: set.fronts[unit.key].includes(run.place) ? "front" : null }, amount(run.costs[unit.key]),
        set.fronts[unit.key].includes(run.place) ? h("span", { class: "unseen" }, " on the Pareto front") : null),
    })),
    { name: "× cheapest", value: (run) => run.saving, show: (run) => (known(run.saving) ? run.saving.toFixed(1) : "–"), title: `its ${set.axis} relative to the cheapest run that is as accurate` },
  ];
  if (runs.some((run) => run.there < set.problems)) columns.push({ name: "problems", value: (run) => run.there });
  if (runs.some((run) => run.errors)) columns.push({ name: "failed", value: (run) => run.errors }, { name: "failed as wrong", value: (run) => run.errors_wrong, show: (run) => rate(run.errors_wrong) });
  return sortable("Runs; costs are of one problem, ◆ marks the Pareto front; runs that lack problems come last", columns, runs, [3, false], () => null, (run) => run.there < set.problems);
}

// The N and K of a run, as they stand beside its point.
const size = (run) => [known(run.n) ? "N" + run.n : null, known(run.k) && run.k > 1 ? "K" + run.k : null].filter(Boolean).join(" ");

function costChart(set, runs) {
  let unit = set.units[0].key;
  return part((again) => {
    const name = set.units.find((each) => each.key === unit).name + " a problem";
    const point = (run) => ({ x: run.costs[unit], y: run.accuracy[0], low: run.accuracy[1], high: run.accuracy[2], note: run.label, mark: size(run) });
    const usable = runs.filter((run) => known(run.costs[unit]) && known(run.accuracy[0]));
    const kind = (run) => run.strategy + (run.marks.length ? ` [${run.marks.join(", ")}]` : "");
    const strategies = [...new Set(runs.map(kind))]; // of all runs, so that each keeps its colour with every cost
    const front = set.fronts[unit].map((place) => runs[place]);
    const series = strategies.map((strategy) => ({ name: strategy, points: usable.filter((run) => kind(run) === strategy).map(point) }));
    if (front.length > 1) series.push({ name: "Pareto front", line: true, points: front.map((run) => ({ ...point(run), low: null, high: null })) });
    return [
      h("div", { class: "controls" }, choice("Cost", set.units.map((each) => [each.key, each.name]), unit, (next) => { unit = next; again(); })),
      chart("Accuracy against " + name, name, series),
    ];
  });
}

function curveChart(set, runs) {
  const families = set.families.filter((family) => family.lines.length);
  let shown = families.length > 1 ? "all" : "0";
  const lineOf = (line, name) => ({
    name, line: true,
    points: line.at.map((n, i) => ({ x: n, y: line.estimates[i][0], low: line.estimates[i][1], high: line.estimates[i][2], note: line.error[i] >= 0.0005 ? `drawn, standard error ${rate(line.error[i])}` : "exact" })),
  });
  return part((again) => {
    const series = shown === "all"
      ? families.slice(0, 24).map((family) => lineOf(family.lines.find((line) => line.rule === family.selection) || family.lines[0], family.label))
      : families[shown].lines.map((line) => lineOf(line, line.rule));
    const measured = (shown === "all" ? families : [families[shown]]).flatMap((family) => family.measured).map(([n, k, place]) => ({ x: n, y: runs[place].accuracy[0], low: runs[place].accuracy[1], high: runs[place].accuracy[2], note: runs[place].label, mark: size(runs[place]) })).filter((p) => known(p.y));
    if (measured.length) series.push({ name: "as runs measured it", points: measured });
    return [
      h("p", { class: "dim" }, "Expected accuracy of n of the recorded candidates, over all draws of n without replacement. Bands are 95 % bootstrap intervals over problems; dots are whole runs."),
      h("div", { class: "controls" }, choice("Candidates of", [["all", "all, each by its own rule"], ...families.map((family, i) => [i, family.label])], shown, (next) => { shown = next; again(); })),
      chart("Accuracy against the number of candidates", "candidates (n)", series),
    ];
  });
}

function surfacePart(surfaces) {
  let shown = 0;
  return part((again) => [
    surfaces.length > 1 ? h("div", { class: "controls" }, choice("Runs", surfaces.map((family, i) => [i, family.label]), shown, (next) => { shown = Number(next); again(); })) : null,
    heatmap(surfaces[shown]),
  ].filter(Boolean));
}

function pairPart(set, runs) {
  let base = set.best ?? 0;
  return part((again) => {
    const rows = set.pairs.filter(([i, j]) => i === base || j === base).map(([i, j, mean, low, high, won, lost, p, count]) =>
      (j === base ? { run: runs[i], mean, low, high, won, lost, p, count } : { run: runs[j], mean: -mean, low: known(high) ? -high : null, high: known(low) ? -low : null, won: lost, lost: won, p, count }));
    const columns = [
      { name: "run", text: true, value: (row) => row.run.label, show: (row) => `${row.run.place + 1}. ${row.run.label}` },
      { name: "difference", value: (row) => row.mean, show: (row) => signed(row.mean) },
      { name: "95 %", value: (row) => row.low, show: (row) => (known(row.low) ? `[${signed(row.low)}, ${signed(row.high)}]` : "–"), title: "paired bootstrap over problems; none if all problems differ by the same" },
      { name: "only this right", value: (row) => row.won }, { name: "only that right", value: (row) => row.lost },
      { name: "p", value: (row) => row.p, show: (row) => (known(row.p) ? pValue(row.p) : "–"), title: "McNemar's exact test, not corrected for the number of pairs; none between different numbers of seeds" },
      { name: "problems", value: (row) => row.count },
    ];
    return [
      h("p", { class: "dim" }, "Accuracy of each run minus that of the one chosen here, on the same problems. p is from McNemar's exact test, not corrected for the number of pairs."),
      h("div", { class: "controls" }, choice("Against", runs.map((run) => [run.place, `${run.place + 1}. ${run.label}`]), base, (next) => { base = Number(next); again(); })),
      sortable("Differences to " + runs[base].label, columns, rows, [1, false]),
    ];
  });
}

function equalCostTable(set, runs) {
  const columns = [
    { name: "run", text: true, value: (row) => runs[row.run].label, show: (row) => `${row.run + 1}. ${runs[row.run].label}` },
    { name: "control", text: true, value: (row) => row.control },
    { name: "n", value: (row) => row.n, show: (row) => row.n.toFixed(1), title: "samples of the control that cost as much as the run" },
    { name: "its cost", value: (row) => row.bought, show: (row) => row.bought.toFixed(2), title: "the control's cost as a share of the run's: less than 1 if all of its recorded samples cost less" },
    { name: "difference", value: (row) => row.mean, show: (row) => signed(row.mean) },
    { name: "95 %", value: (row) => row.low, show: (row) => (known(row.low) ? `[${signed(row.low)}, ${signed(row.high)}]` : "–"), title: "paired bootstrap over problems; none if all problems differ by the same; not corrected for the number of comparisons" },
    { name: "verdict", text: true, value: (row) => row.verdict },
  ];
  return sortable(`Accuracy minus that of a control with equal ${set.axis}`, columns, set.equal_costs);
}

function ruleTable(set, runs) {
  const columns = [
    { name: "run", text: true, value: (row) => runs[row.run].label, show: (row) => `${row.run + 1}. ${runs[row.run].label}` },
    ...set.rules.names.map((name, i) => ({
      name, value: (row) => row.accuracies[i][0],
      show: (row) => h("span", { title: known(row.gains[i][0]) ? `${signed(row.gains[i][0])} ${known(row.gains[i][1]) ? `[${signed(row.gains[i][1])}, ${signed(row.gains[i][2])}] ` : ""}than the run's own choice` : interval(row.accuracies[i]) }, rate(row.accuracies[i][0])),
    })),
  ];
  return sortable("Accuracy of each selection rule on the run's own candidates", columns, set.rules.runs);
}

function choicePart(set, runs) {
  const units = Object.keys(set.choices);
  let unit = units[0];
  const name = (place) => (known(place) ? `${place + 1}. ${runs[place].label}` : "–");
  return part((again) => {
    const columns = [
      { name: "budget", value: (row) => row.budget, show: (row) => amount(row.budget) },
      { name: "best run", text: true, value: (row) => name(row.run) },
      { name: "accuracy", value: (row) => runs[row.run].accuracy[0], show: (row) => rate(runs[row.run].accuracy[0]) },
      { name: "held out", value: (row) => row.fixed, show: (row) => rate(row.fixed), title: "chosen on half of the problems, evaluated on the other half" },
      ...set.bins.map((bin, i) => ({ name: bin, value: (row) => row.bins[i], text: true, show: (row) => name(row.bins[i]) })),
      { name: "held out, a run for each bin", value: (row) => row.adaptive, show: (row) => rate(row.adaptive) },
    ];
    return [
      h("p", { class: "dim" }, "The most accurate run whose mean cost per problem is within the budget, over all problems and by difficulty. Accuracies on the problems that a choice was made on are biased upwards: the held-out accuracies are of choices made on other problems (two-fold cross-validation)."),
      h("div", { class: "controls" }, choice("Budget in", set.units.filter((each) => units.includes(each.key)).map((each) => [each.key, each.name]), unit, (next) => { unit = next; again(); })),
      sortable("The best run for a budget", columns, set.choices[unit]),
    ];
  });
}

function binTable(set, runs) {
  const columns = [
    { name: "run", text: true, value: (run) => run.label, show: (run) => `${run.place + 1}. ${run.label}` },
    ...set.bins.map((bin, i) => ({ name: bin, value: (run) => run.bins[i][0], show: (run) => h("span", { title: interval(run.bins[i]) }, rate(run.bins[i][0])) })),
  ];
  return sortable("Accuracy by difficulty (the task's levels, or the share of right ones among all runs' candidates)", columns, runs);
}
