// Figure 4 to walk in: the clusters of lowest variance where t-SNE puts them; each opens from here.

function mapView() {
  if (!data.map.length) return h("p", { class: "empty column" }, "No cluster has two members.");
  const sides = [1, 2].map((axis) => data.map.flatMap((m) => [m[axis], m[axis + 2]]));
  const [left, top] = sides.map((values) => Math.min(...values));
  const [width, height] = sides.map((values) => Math.max(...values) - Math.min(...values));
  const frame = `${left - 0.5} ${top - 0.2} ${width + 1} ${height + 0.4}`;
  const sizes = data.map.map(([id]) => byId.get(id)?.size ?? 2);
  return h("div", { class: "column" },
    h("h2", {}, "Map"),
    h("p", { class: "faint" }, `The ${data.map.length} speech clusters of lowest variance: those that sound or mean alike lie together. Choose one to hear and see it.`),
    h("div", { class: "scroll" }, s("svg", { viewBox: frame, class: "map", role: "group", "aria-label": "Map of the clusters" },
      data.map.map((m, i) => mapEntry(m, sizes[i])))));
}

function mapEntry([id, x, y, labelX, labelY], size) {
  const name = titleOf(id);
  const short = name.length > 18 ? name.slice(0, 17) + "\u2026" : name;
  const parts = [
    s("line", { x1: x, y1: y, x2: labelX, y2: labelY }),
    s("circle", { cx: x, cy: y, r: 0.018 + 0.008 * Math.log(size) }),
    s("text", { x: labelX, y: labelY + 0.035 }, short),
    s("title", {}, `${name}: ${number(size, 0)} members`),
  ];
  return byId.has(id) ? s("a", { href: "#cluster-" + id }, parts) : s("g", {}, parts);
}
