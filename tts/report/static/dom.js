// Elements are built from text nodes and attributes only: nothing is parsed as markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (name === "vars") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// A labelled choice; `options` are [value, text].
function choice(label, options, value, changed) {
  const select = h("select", { change: () => changed(select.value) });
  for (const [key, text] of options) select.append(h("option", { value: key, selected: String(key) === String(value) }, text));
  return h("label", null, label, select);
}

// A part of the page that is redrawn when a control changes.
function part(draw) {
  const place = h("div");
  const again = () => place.replaceChildren(...[draw(again)].flat());
  again();
  return place;
}

function say(text) {
  document.getElementById("live").textContent = text;
}
