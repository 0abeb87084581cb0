// What the run found, in figures, tables and pictures.

function overviewView() {
  return h("div", { class: "column" },
    h("h2", {}, "What was discovered"),
    factList(data.summary),
    data.notes.length ? h("div", { class: "notes" }, data.notes.map((note) => h("p", {}, note))) : null,
    data.clusters.length ? [h("h3", {}, "The clearest words"), h("ul", { class: "chips" }, data.clusters.slice(0, 24).map((c) =>
      h("li", {}, h("a", { href: "#cluster-" + c.id }, titleOf(c.id), " ", h("span", { class: "faint" }, number(c.size, 0))))))] : null,
    data.tables.map(tableOf));
}

function tableOf(table, index) {
  const kind = (column) => (column[1] === null || column[1] === "id" ? null : "number");
  const cell = (value, column) => {
    if (column[1] === "id") return h("td", {}, byId.has(value) ? h("a", { href: "#cluster-" + value }, "#" + value) : "#" + value);
    if (typeof value === "string") return h("td", { class: kind(column) }, plain(value));
    const digits = column[1] === "auto" ? (Number.isInteger(value) ? 0 : 4) : column[1] || 0;
    return h("td", { class: kind(column) }, number(value, digits));
  };
  return h("details", { open: index === 0 || table.rows.length < 12 }, h("summary", {}, table.title),
    h("p", { class: "faint small" }, plain(table.caption)),
    h("div", { class: "scroll tall" }, h("table", {},
      h("thead", {}, h("tr", {}, table.columns.map((column) => h("th", { scope: "col", class: kind(column) }, column[0])))),
      h("tbody", {}, table.rows.map((row) => h("tr", {}, row.map((value, i) => cell(value, table.columns[i]))))))));
}

function figuresView() {
  if (!data.figures.length) return h("p", { class: "empty column" }, "This run has nothing to draw yet.");
  const theme = isDark() ? "dark" : "light";
  return h("div", { class: "column" }, h("h2", {}, "Figures"), data.figures.map((figure) =>
    h("figure", { class: "plate" }, h("img", { src: figure[theme], alt: figure.title + ": " + plain(figure.caption), loading: "lazy" }),
      h("figcaption", {}, h("b", {}, figure.title + ". "), plain(figure.caption)))));
}
