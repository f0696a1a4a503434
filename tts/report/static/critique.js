// A verifier's critique: its text, its code, and the code's output.
function segments(text) {
  const found = [];
  const fence = /```([\w+-]*)[ \t]*\n([\s\S]*?)(?:\n?```|$)/g;
  let end = 0;
  for (const match of text.matchAll(fence)) {
    const before = text.slice(end, match.index);
    const output = /\[Code Output\]\s*$/.test(before);
    found.push(["said", output ? before.replace(/\[Code Output\]\s*$/, "") : before]);
    found.push([output ? "output" : "code", match[2], match[1]]);
    end = match.index + match[0].length;
  }
  found.push(["said", text.slice(end)]);
  return found.filter(([kind, content]) => kind !== "said" || content.trim());
}

function critique(text) {
  return h("div", { class: "critique" }, ...segments(text).map(([kind, content, language]) => {
    if (kind === "said") return h("div", { class: "said" }, content.trim());
    const name = kind === "output" ? "Code output" : "Code" + (language ? " (" + language + ")" : "");
    return h("figure", null, h("figcaption", null, name), h("pre", { tabindex: 0, "aria-label": name }, h("code", null, content)));
  }));
}
