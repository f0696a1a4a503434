// The page of a problem: what each run made of it, one run's search tree, and every step with its verdicts.
async function problem(set, number, place, runNumber) {
  const list = await problemsOf(number);
  if (!list.places[place]) return [h("h1", { tabindex: -1 }, "There is no such problem")];
  const detail = await line("details", list.places[place]);
  const shown = known(runNumber) ? runNumber : Math.max(0, detail.rows.findIndex((_, i) => detail.trees[i]));
  const link = (other, text) => (list.places[other] ? h("a", { href: address({ view: "problem", set: number, problem: other, run: shown }) }, text) : null);
  return [
    h("nav", { "aria-label": "Problems" }, h("a", { href: address({ view: "problems", set: number }) }, "All problems"), link(place - 1, "Previous"), link(place + 1, "Next")),
    h("h1", { tabindex: -1 }, detail.id),
    h("div", { class: "question" }, detail.question),
    h("p", null, "Reference answer: ", h("strong", null, known(detail.answer) ? detail.answer : "none"), known(list.shares[place]) ? `; ${rate(list.shares[place])} of all candidates are right` : ""),
    runsOf(set, number, place, detail, shown),
    h("h2", null, partName(set, shown)),
    ...(await searchOf(set, detail, shown)),
  ];
}

// A run of a single seed, after the number of the merged run that contains it.
const partName = (set, i) => `${set.parts[i].run + 1}. ${set.parts[i].label}`;

function runsOf(set, number, place, detail, shown) {
  const rows = detail.rows.map((row, i) => ({ row, i }));
  const outcome = ({ row }) => (row === null ? "not there" : row.error !== null ? "failed" : row.correct === null ? "not graded" : row.correct ? "right" : "wrong");
  const columns = [
    { name: "run", text: true, value: ({ i }) => i, show: ({ i }) => h("a", { href: address({ view: "problem", set: number, problem: place, run: i }), "aria-current": i === shown ? "true" : null }, partName(set, i)) },
    { name: "outcome", text: true, value: outcome, show: (each) => h("span", { class: outcome(each) }, outcome(each)) },
    { name: "answer", text: true, value: ({ row }) => row?.prediction, show: ({ row }) => (known(row?.prediction) ? short(row.prediction, 80) : "–") },
    { name: "candidates", value: ({ row }) => row?.candidates.length },
    ...set.units.filter((unit) => detail.rows.some((row) => row && unit.key in row.costs)).map((unit) => ({ name: unit.name, value: ({ row }) => row && (row.costs[unit.key] || 0), show: ({ row }) => (row ? amount(row.costs[unit.key] || 0) : "–") })),
    { name: "limits", text: true, value: ({ row }) => row?.limits.join(", ") },
  ];
  const table = sortable("Results of each run", columns, rows, null, ({ i }) => (i === shown ? { class: "chosen" } : null));
  return h("details", { open: rows.length <= 12 }, h("summary", null, `${rows.length} run${rows.length === 1 ? "" : "s"} on this problem`), table);
}

async function searchOf(set, detail, shown) {
  const row = detail.rows[shown];
  if (row === null) return [h("p", null, "This run does not have the problem.")];
  if (row.error !== null) return [h("p", null, "The search failed: ", h("span", { class: "wrong" }, row.error))];
  let graph = null, missing = `Its search tree is not in this file. python -m tts.report --trees MB holds more; python -m tts.trace "${set.parts[shown].folder}" "${detail.id}" shows it.`;
  if (detail.trees[shown]) {
    try {
      graph = await line("trees", detail.trees[shown]);
      grown(graph);
    } catch (error) {
      graph = null;
      missing = "Its search tree cannot be read: " + error.message;
    }
  }
  const candidates = candidateTable(row, graph, (number) => tree && tree.select(number));
  let tree = null;
  if (!graph) return [why(row, null), h("p", { class: "dim" }, missing), candidates];
  const panel = h("section", { class: "panel", "aria-label": "The selected node", tabindex: 0 });
  const correct = row.correct === null ? null : row.candidates.map((candidate) => candidate[2]);
  tree = drawTree(graph, correct, (node) => panel.replaceChildren(...nodePanel(node, row, graph)));
  return [
    why(row, graph), candidates,
    h("h3", null, "Search tree"),
    h("p", { class: "dim" }, "A bar is a node's score, dots are the votes on its last step; the path to the choice is drawn thick. Arrow keys move through the tree."),
    h("div", { class: "split" }, tree.element, panel),
  ];
}

const RULES = { argmax: "the highest", weighted_vote: "the answer with the largest sum of its candidates' values, and of these the highest", majority: "the most frequent answer, and of its candidates the first", cluster_mean: "the answer with the best mean of its candidates' values, and of these the highest", pessimistic: "the answer with the best mean, lowered for rare answers, of its candidates' values, and of these the highest", borda: "the answer with most votes, weighted by the ranks of its candidates' values, and of these the highest", top: "the answer with the largest sum among the best candidates' values, and of these the highest" };

// The values that the choice was based on if not the score, by candidate.
const notedIn = (graph) => new Map(graph.nodes.filter((node) => known(node.candidate)).map((node) => [node.candidate, node[graph.graph.by]]));

function why(row, graph) {
  if (row.chosen === null) return h("p", null, "Nothing was chosen: no candidate was eligible.");
  const [answer, , right, value] = row.candidates[row.chosen];
  const parts = ["Chosen: candidate " + (row.chosen + 1) + ", answer ", h("strong", null, known(answer) ? short(answer, 200) : "none")];
  if (row.correct !== null) parts.push(" (", h("span", { class: right ? "right" : "wrong" }, right ? "right" : "wrong"), ")");
  if (graph) {
    const by = graph.graph.by || (graph.graph.aggregator ? `score (${graph.graph.aggregator} over the steps)` : "score");
    const rule = graph.graph.selection;
    parts.push(", by " + (RULES[rule.split(":")[0]] || rule) + (rule === "majority" ? "." : " " + (graph.graph.by || by) + "."));
    const values = row.candidates.map(([said, , , own], i) => (known(said) === known(answer) ? (graph.graph.by ? notedIn(graph).get(i) : own) : undefined));
    const equal = values.filter((each) => known(each) && each === values[row.chosen]).length;
    if (rule === "argmax" && equal > 1) parts.push(` ${equal} are equally high; ties go to the most frequent answer, then to the first.`);
    if (rule !== "majority" && known(answer) && row.candidates.some((candidate) => !known(candidate[0]))) parts.push(" Candidates without an answer rank below all that have one.");
  } else if (known(value)) parts.push(`, score ${score(value)}.`);
  return h("p", null, ...parts);
}

function candidateTable(row, graph, select) {
  const by = graph && graph.graph.by;
  const noted = by ? notedIn(graph) : new Map();
  const groups = new Map();
  row.candidates.forEach(([, group, , value], i) => {
    const weight = by ? noted.get(i) : value;
    if (known(group)) groups.set(group, { count: (groups.get(group)?.count || 0) + 1, sum: (groups.get(group)?.sum || 0) + (weight || 0) });
  });
  const rows = row.candidates.map(([answer, group, right, value, tokens], i) => ({ i, answer, group, right, value, tokens, by: noted.get(i), ...(groups.get(group) || { count: 0, sum: 0 }) }));
  const columns = [
    { name: "candidate", value: (each) => each.i + 1, show: (each) => (graph ? h("button", { type: "button", click: () => select(each.i) }, String(each.i + 1)) : String(each.i + 1)) },
    { name: "answer", text: true, value: (each) => each.answer, show: (each) => (known(each.answer) ? short(each.answer, 120) : "none") },
    { name: "", value: (each) => Number(each.right), show: (each) => (row.correct === null ? "" : h("span", { class: each.right ? "right" : "wrong" }, each.right ? "right" : "wrong")) },
    { name: "score", value: (each) => each.value, show: (each) => score(each.value) },
    by ? { name: by, value: (each) => each.by, show: (each) => score(each.by) } : null,
    { name: "same answer", value: (each) => each.count }, { name: "sum over them", value: (each) => each.sum, show: (each) => score(each.sum) },
    { name: "tokens", value: (each) => each.tokens },
  ].filter(Boolean);
  columns[2].name = "outcome";
  return h("details", { open: rows.length <= 8 || !graph }, h("summary", null, `${rows.length} candidate${rows.length === 1 ? "" : "s"}`),
    sortable("Candidates; the chosen one is marked", columns, rows, null, (each) => (each.i === row.chosen ? { class: "chosen" } : null)));
}

// The solution's steps as [text, whether the node added it].
function stepsOf(node, row) {
  const { text, own } = solutionOf(node);
  const letters = [...text]; // offsets count code points
  const begins = known(node.candidate) ? row.candidates[node.candidate][5] : [];
  if (begins.length) {
    const ownBegin = [...text.slice(0, own)].length;
    return begins.map((begin, i) => [letters.slice(begin, begins[i + 1]).join("").trim(), (begins[i + 1] ?? letters.length) > ownBegin]);
  }
  const parts = text.split(/\n\s*\n/).filter((part) => part.trim());
  if (parts.length !== node.steps) return [[text.trim(), true]];
  let end = 0;
  return parts.map((part) => {
    end = text.indexOf(part, end) + part.length;
    return [part.trim(), end > own];
  });
}

function nodePanel(node, row, graph) {
  const head = [h("h3", null, named(node, node.id === graph.graph.chosen))];
  if (!node.parent) return [...head, h("div", { class: "question" }, node.text)];
  const facts = [["tokens", node.tokens], ["sampled after", known(node.landed_s) ? node.landed_s + " s" : null], ["judged after", known(node.judged_s) ? node.judged_s + " s" : null], ["visits", node.visits], ["value", node.value], ["weight", node.weight]];
  head.push(h("p", { class: "dim" }, facts.filter(([, value]) => known(value)).map(([name, value]) => `${name} ${value}`).join(", ")));
  const steps = stepsOf(node, row);
  const scores = node.scores || [];
  const aligned = scores.length <= steps.length && scores.length > 1 || steps.length === 1 && scores.length === 1;
  const parts = steps.map(([text, own], i) => h("section", { class: own ? "step own" : "step", "aria-label": "Step " + (i + 1) },
    h("div", { class: "head" }, h("span", null, "Step " + (i + 1)), aligned && i < scores.length ? h("strong", { class: known(scores[i]) ? (scores[i] >= 0.5 ? "right" : "wrong") : null }, "score " + score(scores[i])) : null),
    h("div", { class: "said" }, text), ...(aligned ? votesOn(node, i) : [])));
  if (!aligned && scores.length) parts.push(h("section", { class: "step" }, h("div", { class: "head" }, h("span", null, "Scores: " + scores.map(score).join(", "))), ...scores.flatMap((_, i) => votesOn(node, i))));
  if (!("scores" in node)) parts.push(h("p", { class: "dim" }, "Not verified."));
  return [...head, ...parts];
}

function votesOn(node, step) {
  return (node.votes || []).map((vote, i) => {
    if (step >= vote.scores.length) return null;
    const value = vote.scores[step];
    const verdict = known(value) ? (value >= 0.5 ? "yes" : "no") : "no verdict";
    const label = ["Vote " + (i + 1) + ": ", h("span", { class: known(value) ? (value >= 0.5 ? "right" : "wrong") : null }, `${verdict}, ${score(value)}`)];
    const said = vote.critiques && vote.critiques[step];
    if (!said) return h("div", null, ...label);
    const box = h("details", { toggle: () => { if (box.open && box.children.length === 1) box.append(critique(said)); } }, h("summary", null, ...label));
    return box;
  }).filter(Boolean);
}
