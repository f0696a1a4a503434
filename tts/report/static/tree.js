// A search tree, drawn from left to right. `graph` is node-link JSON as tts/core/tree.py describes it.
const BOX = 172, GAP = 46, ROW = 40, TALL = 30;

function grown(graph) {
  const nodes = new Map(graph.nodes.map((node) => [node.id, { ...node, children: [], parent: null, depth: 0 }]));
  for (const edge of graph.edges) {
    nodes.get(edge.source).children.push(nodes.get(edge.target));
    nodes.get(edge.target).parent = nodes.get(edge.source);
  }
  const root = nodes.get(0);
  const order = [];
  const waiting = [root];
  while (waiting.length) {
    const node = waiting.pop();
    node.depth = node.parent ? node.parent.depth + 1 : 0;
    order.push(node);
    waiting.push(...[...node.children].reverse());
  }
  let row = 0;
  for (const node of order) if (!node.children.length) node.row = row++;
  for (const node of [...order].reverse()) if (node.children.length) node.row = (node.children[0].row + node.children.at(-1).row) / 2;
  for (let node = nodes.get(graph.graph.chosen); node; node = node.parent) node.way = true;
  return { nodes, order, rows: row, depth: Math.max(...order.map((node) => node.depth)) };
}

// Each vote's score of the node's last step.
const lastVotes = (node) => (node.votes || []).filter((vote) => vote.scores.length).map((vote) => vote.scores.at(-1));

function named(node, chosen) {
  if (!node.parent) return "the problem";
  const parts = [known(node.candidate) ? "candidate " + (node.candidate + 1) : "node " + node.id];
  if (node.revision) parts.push("revision");
  if (node.critique) parts.push("the policy's critique");
  if ("scores" in node) parts.push("score " + score(node.score));
  const votes = lastVotes(node);
  if (votes.length) parts.push(`${votes.filter((vote) => known(vote) && vote >= 0.5).length} of ${votes.length} votes for its last step`);
  if (known(node.candidate)) parts.push(known(node.answer) ? "answer " + short(node.answer, 60) : "no answer");
  parts.push(node.status);
  if (chosen) parts.push("chosen");
  return parts.join(", ");
}

// `start` is the node that is selected first: the choice, if it is null.
function drawTree(graph, correct, selected, start = null) {
  const tree = grown(graph);
  const x = (node) => 8 + node.depth * (BOX + GAP);
  const y = (node) => 8 + node.row * ROW;
  const width = 16 + tree.depth * (BOX + GAP) + BOX, height = 16 + tree.rows * ROW;
  const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "tree", "aria-label": "Search tree: arrow keys move through it, Enter shows a node" });
  for (const node of tree.order) {
    if (!node.parent) continue;
    const [x1, y1, x2, y2] = [x(node.parent) + BOX, y(node.parent) + TALL / 2, x(node), y(node) + TALL / 2];
    svg.append(s("path", { class: node.way ? "edge way" : "edge", d: `M${x1},${y1} C${x1 + GAP / 2},${y1} ${x2 - GAP / 2},${y2} ${x2},${y2}` }));
  }
  const drawn = new Map();
  for (const node of tree.order) {
    const inside = known(node.score) && node.score >= 0 && node.score <= 1;
    const label = !node.parent ? "problem" : known(node.candidate) ? `${known(node.answer) ? short(node.answer.replace(/\s+/g, " "), 11) : "no answer"}` : short(node.text.trim().replace(/\s+/g, " "), 13);
    const mark = known(node.candidate) && correct ? (correct[node.candidate] ? "✓ " : "✗ ") : "";
    const dots = lastVotes(node).slice(0, 8).map((vote, i) => s("circle", { cx: BOX - 9 - (i % 4) * 9, cy: TALL / 2 + (lastVotes(node).length > 4 ? (i < 4 ? -5 : 5) : 0), r: 3.4, class: !known(vote) ? "none" : vote >= 0.5 ? "yes" : "no" }));
    const group = s("g", { class: node.way ? "node way" : "node", transform: `translate(${x(node)},${y(node)})`, role: "treeitem", tabindex: -1, "aria-level": node.depth + 1,
      "aria-label": named(node, node.id === graph.graph.chosen) + (mark ? (mark[0] === "✓" ? ", right" : ", wrong") : ""), "aria-selected": "false" },
      s("rect", { class: "box", width: BOX, height: TALL, rx: 6 }),
      inside ? s("rect", { class: "score", x: 1, y: 1, width: (BOX - 2) * node.score, height: TALL - 2, rx: 5 }) : null,
      s("text", { x: 8, y: 20 }, mark + ("scores" in node ? score(node.score) + "  " : "") + label), ...dots);
    group.addEventListener("click", () => select(node, true));
    drawn.set(node, group);
    svg.append(group);
  }
  const rows = [...tree.order].sort((a, b) => a.row - b.row || a.depth - b.depth);
  let current = null;

  function select(node, focus) {
    if (current) fill(drawn.get(current), { tabindex: -1, "aria-selected": "false" }, []);
    current = node;
    fill(drawn.get(node), { tabindex: 0, "aria-selected": "true" }, []);
    if (focus) drawn.get(node).focus();
    selected(node);
  }

  function beside(step) {
    const same = rows.filter((node) => node.depth === current.depth);
    return same[same.indexOf(current) + step];
  }
  svg.addEventListener("keydown", (event) => {
    const next = { ArrowLeft: () => current.parent, ArrowRight: () => current.children.find((child) => child.way) || current.children[0],
      ArrowUp: () => beside(-1), ArrowDown: () => beside(1), Home: () => tree.order[0], Enter: () => current }[event.key];
    if (!next) return;
    event.preventDefault();
    if (next()) select(next(), true);
  });
  const first = tree.nodes.get(start) || tree.nodes.get(graph.graph.chosen) || tree.order[0];
  const box = h("div", { class: "treebox" }, svg);
  select(first, false);
  requestAnimationFrame(() => box.scrollTo(x(first) + BOX + 8 - box.clientWidth, y(first) - box.clientHeight / 2));
  return { element: box, select: (number) => {
    const node = tree.order.find((each) => each.candidate === number);
    if (node) select(node, true);
  } };
}

// A node's whole solution, and the offset of its own part.
function solutionOf(node) {
  let text = "", own = 0;
  const path = [];
  for (let each = node; each.parent; each = each.parent) {
    path.unshift(each);
    if (each.revision || each.critique) break;
  }
  for (const each of path) {
    own = text.length;
    text += each.text;
  }
  return { text, own };
}
