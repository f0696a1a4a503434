// A table with sortable columns: [{name, value(row), show(row), text, title}], of which the first names the row.
// Rows for which last(row) holds come last in every order.
function sortable(caption, columns, rows, sorted = null, rowAttributes = () => null, last = () => false) {
  let order = sorted; // [column, ascending]
  const body = h("tbody");
  const heads = columns.map((column, number) => {
    const button = h("button", { type: "button", click: () => sort(number) }, column.name);
    return h("th", { scope: "col", class: column.text ? "text" : null, title: column.title }, button);
  });

  function sort(number) {
    const ascending = order && order[0] === number ? !order[1] : Boolean(columns[number].text);
    order = [number, ascending];
    draw();
    say("sorted by " + columns[number].name + (ascending ? ", ascending" : ", descending"));
  }

  function draw() {
    let shown = rows;
    if (order) {
      const [number, ascending] = order;
      const value = columns[number].value;
      const sign = ascending ? 1 : -1;
      const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
      // Unknown values come last in both orders.
      shown = [...rows].sort((a, b) => last(a) - last(b) || known(value(b)) - known(value(a)) || (known(value(a)) ? sign * compare(value(a), value(b)) : 0));
    }
    heads.forEach((head, number) => {
      if (order && order[0] === number) head.setAttribute("aria-sort", order[1] ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    body.replaceChildren(...shown.map((row) => h("tr", rowAttributes(row), ...columns.map((column, number) => {
      const tag = number === 0 ? "th" : "td";
      const content = column.show ? column.show(row) : column.value(row);
      return h(tag, { scope: number === 0 ? "row" : null, class: column.text ? "text" : null }, known(content) ? content : "");
    }))));
  }

  draw();
  const table = h("table", null, h("caption", null, caption), h("thead", null, h("tr", null, ...heads)), body);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table);
}
