// Asks a question and draws the search while it runs. The key is kept by this page alone, until it is closed.
const field = (name, element) => h("label", null, name, element);
const question = h("textarea", { rows: 4, cols: 80, required: true, "aria-label": "Question" });
const key = h("input", { type: "password", autocomplete: "off", size: 12 });
const samples = h("input", { type: "number", min: 1, size: 4, placeholder: "its own" });
const models = h("select", { change: () => describe() });
const about = h("p", { class: "dim" });
const ask = h("button", { type: "submit" }, "Ask");
const stop = h("button", { type: "button", disabled: true, click: () => asking && asking.abort() }, "Stop");
const found = h("section", { id: "found", "aria-label": "The search" });
const served = new Map();
let asking = null;

const headers = () => ({ "Content-Type": "application/json", ...(key.value ? { Authorization: "Bearer " + key.value } : {}) });

async function failure(answer) {
  try {
    return (await answer.json()).error.message;
  } catch {
    return "the server answered with status " + answer.status;
  }
}

async function list() {
  const answer = await fetch("v1/models", { headers: headers() });
  if (!answer.ok) {
    about.replaceChildren(await failure(answer));
    return;
  }
  served.clear();
  for (const model of (await answer.json()).data) served.set(model.id, model);
  models.replaceChildren(...[...served.keys()].map((name) => h("option", { value: name, selected: name.includes("best") }, name)));
  describe();
}

function describe() {
  const model = served.get(models.value);
  if (!model) return;
  const bound = model.at_most.policy_tokens;
  about.replaceChildren(`${model.description} ${model.strategy}, N = ${model.samples}, K = ${model.votes}` + (known(bound) ? `; at most ${amount(bound)} tokens of the policy.` : "."));
}

// The tree so far, as node-link data like that of a finished search (tts/core/tree.py).
function growing(text) {
  const graph = { nodes: [{ id: 0, text, status: "" }], edges: [], graph: { chosen: null } };
  const texts = new Map([[0, ""]]);
  const node = (number) => graph.nodes.find((each) => each.id === number);
  return { graph, add: (event) => {
    if (event.kind === "sampled") {
      const before = texts.get(event.parent) || "", own = event.text.startsWith(before) ? event.text.slice(before.length) : event.text;
      texts.set(event.node, event.text);
      graph.nodes.push({ id: event.node, text: own, steps: event.steps.length, tokens: event.tokens, status: event.finished ? "finished" : "unfinished" });
      graph.edges.push({ source: event.parent, target: event.node });
    } else if (event.kind === "judged") Object.assign(node(event.node), { score: event.score, scores: event.scores, votes: event.votes });
    else if (event.kind === "chosen") {
      graph.graph.chosen = event.node;
      for (const number of event.dropped) node(number).status = "dropped";
    }
  } };
}

// Yields the objects of a stream of server-sent events.
async function* told(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) if (part.startsWith("data: {")) yield JSON.parse(part.slice(6));
  }
}

async function search() {
  const text = question.value.trim();
  if (!text) return;
  const status = h("p", { class: "dim", id: "status" }, "Searching ...");
  const said = h("div", { class: "question", id: "answer" }), cost = h("p", { class: "dim" });
  const place = h("div"), panel = h("section", { class: "panel", "aria-label": "The selected node", tabindex: 0 });
  found.replaceChildren(status, said, cost, h("h2", null, "Search tree"),
    h("p", { class: "dim" }, "A bar is a node's score, dots are the votes on its last step; the path to the choice is drawn thick. Arrow keys move through the tree."),
    h("div", { class: "split" }, place, panel));
  const tree = growing(text);
  let waiting = false, took = 0, selected = null;
  const row = { candidates: [], correct: null };
  const show = (node) => {
    selected = node.id;
    panel.replaceChildren(...nodePanel(node, row, tree.graph));
  };
  const redraw = () => {
    waiting = false;
    place.replaceChildren(drawTree(tree.graph, null, show, known(tree.graph.graph.chosen) ? null : selected).element);
  };
  redraw();
  asking = new AbortController();
  ask.disabled = true;
  stop.disabled = false;
  try {
    const tts = { reasoning: "full", ...(samples.value ? { n: Number(samples.value) } : {}) };
    const body = { model: models.value, messages: [{ role: "user", content: text }], stream: true, stream_options: { include_usage: true }, tts };
    const answer = await fetch("v1/chat/completions", { method: "POST", headers: headers(), body: JSON.stringify(body), signal: asking.signal });
    if (!answer.ok) throw new Error(await failure(answer));
    for await (const chunk of told(answer)) {
      if (chunk.error) throw new Error(chunk.error.message);
      if (chunk.tts && chunk.tts.event) {
        tree.add(chunk.tts.event);
        status.textContent = `${tree.graph.nodes.length - 1} nodes, ${tree.graph.nodes.filter((node) => "scores" in node).length} judged`;
        if (!waiting) {
          waiting = true;
          requestAnimationFrame(redraw);
        }
        continue;
      }
      if (chunk.choices.length) said.append(chunk.choices[0].delta.content || "");
      if (chunk.tts) {
        const { candidates, answer: short_, score: value, seconds } = chunk.tts;
        status.replaceChildren("Answer: ", h("strong", null, known(short_) ? short_ : "none"), `, score ${score(value)}, of ${candidates.length} candidates`);
        took = seconds;
      }
      if (chunk.usage) {
        const details = chunk.usage.completion_tokens_details;
        cost.textContent = `${amount(details.policy_tokens)} tokens of the policy, ${amount(details.verifier_tokens)} of the verifier, ${took} s`;
        say("The search is done.");
      }
    }
    redraw();
  } catch (error) {
    status.replaceChildren(error.name === "AbortError" ? "Stopped." : h("span", { class: "wrong" }, error.message));
    say(status.textContent);
  }
  ask.disabled = false;
  stop.disabled = true;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => { document.documentElement.dataset.theme = dark.matches ? "dark" : "light"; };
dark.addEventListener("change", dress);
dress();
key.addEventListener("change", list);
document.getElementById("view").replaceChildren(
  h("h1", null, "Ask"),
  h("form", { submit: (event) => { event.preventDefault(); search(); } }, question,
    h("div", { class: "controls" }, field("Model", models), field("Samples", samples), field("Key", key), ask, stop)),
  about, found);
list();
