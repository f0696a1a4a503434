// The list of problems, in pages.
const PAGE = 100;
const ORDERS = { task: "as in the task", hard: "hardest first", easy: "easiest first", differ: "runs differ most first" };

const address = (values) => "#" + new URLSearchParams(values);

async function problems(set, number) {
  const list = await problemsOf(number);
  let text = "", bin = "", outcome = "", order = "task", page = 0;
  const right = list.outcomes.map((marks) => marks.split("1").length - 1);
  const wrong = list.outcomes.map((marks) => marks.split("0").length - 1);
  const OUTCOMES = {
    "": ["any", () => true], differ: ["runs differ", (i) => right[i] && wrong[i]], right: ["all right", (i) => right[i] && !wrong[i]],
    wrong: ["all wrong", (i) => wrong[i] && !right[i]], failed: ["a run failed", (i) => list.outcomes[i].includes("e")], tree: ["has its search tree here", (i) => list.trees[i]],
  };
  const share = (i) => list.shares[i] ?? 2;
  const KEYS = { task: (i) => i, hard: share, easy: (i) => -share(i), differ: (i) => -(right[i] * wrong[i]) };
  const table = h("div");

  function draw() {
    const wanted = text.toLowerCase();
    const found = list.ids.map((_, i) => i).filter((i) => (bin === "" || list.bins[i] === Number(bin)) && OUTCOMES[outcome][1](i) &&
      (!wanted || list.ids[i].toLowerCase().includes(wanted) || list.questions[i].toLowerCase().includes(wanted)));
    found.sort((a, b) => KEYS[order](a) - KEYS[order](b) || a - b);
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    page = Math.min(page, pages - 1);
    const rows = found.slice(page * PAGE, (page + 1) * PAGE).map((i) => h("tr", null,
      h("th", { scope: "row", class: "text" }, h("a", { href: address({ view: "problem", set: number, problem: i }) }, list.ids[i])),
      h("td", { class: "text" }, list.questions[i]),
      h("td", null, set.bins[list.bins[i]] ?? "–"),
      h("td", null, rate(list.shares[i])),
      h("td", null, `${right[i]} of ${set.parts.length}`, list.outcomes[i].includes("e") ? " (failed)" : "")));
    const heads = [["problem", "text"], ["question", "text"], ["difficulty", null], ["pass@1", null], ["runs right", null]];
    const turn = (step, name) => h("button", { type: "button", disabled: page + step < 0 || page + step >= pages, click: () => { page += step; draw(); } }, name);
    say(found.length + " problems");
    table.replaceChildren(
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Problems" }, h("table", null,
        h("caption", null, `${found.length.toLocaleString("en")} problems`),
        h("thead", null, h("tr", null, ...heads.map(([name, kind]) => h("th", { scope: "col", class: kind }, name)))), h("tbody", null, ...rows))),
      h("div", { class: "pages" }, turn(-1, "Back"), h("span", null, `page ${page + 1} of ${pages}`), turn(1, "Next")));
  }

  const changed = (set_) => (value) => { set_(value); page = 0; draw(); };
  const search = h("input", { type: "search", input: (event) => changed((value) => { text = value; })(event.target.value) });
  draw();
  return [
    h("h1", { tabindex: -1 }, "Problems"),
    h("div", { class: "controls" }, h("label", null, "Search", search),
      choice("Difficulty", [["", "any"], ...set.bins.map((name, i) => [i, name])], bin, changed((value) => { bin = value; })),
      choice("Outcome", Object.entries(OUTCOMES).map(([key, [name]]) => [key, name]), outcome, changed((value) => { outcome = value; })),
      choice("Order", Object.entries(ORDERS), order, changed((value) => { order = value; }))),
    table,
  ];
}
