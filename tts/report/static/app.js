// The view is stored in the address after `#`, so that back, forward and bookmarks work.
const VIEWS = {
  overview: ["Overview", (set, number) => overview(set, number)],
  problems: ["Problems", (set, number) => problems(set, number)],
  problem: [null, (set, number, query) => problem(set, number, Number(query.get("problem")), query.has("run") ? Number(query.get("run")) : null)],
};
const view = document.getElementById("view");
let turn = 0;

async function route(focus) {
  const mine = ++turn;
  const query = new URLSearchParams(location.hash.slice(1));
  const name = query.get("view") in VIEWS ? query.get("view") : "overview";
  const number = figures.sets[query.get("set")] ? Number(query.get("set")) : 0;
  const set = figures.sets[number];
  drawNav(name, number);
  let parts;
  try {
    parts = await VIEWS[name][1](set, number, query);
  } catch (error) {
    parts = [h("h1", { tabindex: -1 }, "This cannot be shown"), h("p", null, error.message)];
  }
  if (mine !== turn) return; // the user has navigated on in the meantime
  view.replaceChildren(...parts.filter(Boolean));
  const heading = view.querySelector("h1");
  document.title = heading.textContent + " – test-time scaling report";
  if (focus) {
    window.scrollTo(0, 0);
    heading.focus();
  }
}

function drawNav(name, number) {
  const links = Object.entries(VIEWS).filter(([, [title]]) => title).map(([key, [title]]) =>
    h("a", { href: address({ view: key, set: number }), "aria-current": key === name ? "page" : null }, title));
  const sets = figures.sets.length > 1
    ? [choice("Problems of", figures.sets.map((set, i) => [i, `${set.problems} problems, ${set.runs.length} runs`]), number, (next) => { location.hash = address({ view: name === "problem" ? "problems" : name, set: next }); })]
    : [];
  document.getElementById("nav").replaceChildren(...links, ...sets);
}

const theme = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
let chosenTheme = null;
try { chosenTheme = localStorage.getItem("tts-report-theme"); } catch { /* files may have no storage */ }

function drawTheme() {
  const now = chosenTheme || (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = now;
  theme.textContent = now === "dark" ? "Light" : "Dark";
}
theme.addEventListener("click", () => {
  chosenTheme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("tts-report-theme", chosenTheme); } catch { /* it then holds for this visit */ }
  drawTheme();
});
dark.addEventListener("change", drawTheme);
drawTheme();
document.getElementById("skip").addEventListener("click", () => view.focus());
addEventListener("hashchange", () => route(true));
route(false);
