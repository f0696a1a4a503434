// Figures are read at once; problems and trees are decoded when viewed.
const figures = JSON.parse(document.getElementById("figures").textContent);

const parsed = new Promise((resolve) => {
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", resolve, { once: true });
  else resolve();
});

const KEPT = 24; // decoded blocks
const blocks = new Map();

async function decode(id) {
  await parsed;
  const element = document.getElementById(id);
  if (!element) throw new Error("this file was cut off: it has no block " + id);
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to show problems (no DecompressionStream)");
  const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return (await new Response(stream).text()).split("\n");
}

async function line(name, place) {
  const id = name + "-" + place[0];
  const block = blocks.get(id) || decode(id);
  blocks.delete(id);
  blocks.set(id, block); // most recently used last
  if (blocks.size > KEPT) blocks.delete(blocks.keys().next().value);
  return JSON.parse((await block)[place[1]]);
}

const problemsOf = (set) => line("index", figures.index[set]);
