// The list of clusters, and what there is to hear and see of one.

const COLUMNS = [
  { key: "title", name: "cluster", text: true },
  { key: "size", name: "size", digits: 0 },
  { key: "variance", name: "variance", digits: 3 },
  { key: "purity", name: "purity", digits: 2, meter: true },
  { key: "coverage", name: "coverage", digits: 2, optional: true },
  { key: "speakers", name: "speakers", digits: 0, optional: true },
].filter((c) => c.text || data.clusters.some((cluster) => cluster[c.key] !== undefined));

const list = { sort: "variance", down: false, query: "", state: "", shown: [] };
const searchable = new Map(data.clusters.map((c) => [c.id, [
  "#" + c.id, c.name, c.label, c.note, ...(c.labels || []).map((l) => l[0]), ...(c.members || []).map((m) => m[0]),
].filter(Boolean).join("\n").toLowerCase()]));

function sortValue(cluster, key) {
  if (key === "variance" && cluster.size < 2) return undefined; // of one member it is 0 and says nothing
  return key === "title" ? titleOf(cluster.id).toLowerCase() : cluster[key];
}

function arrange() {
  const query = list.query.trim().toLowerCase();
  list.shown = data.clusters.filter((c) =>
    (!query || searchable.get(c.id).includes(query)) && (!list.state || (c.state || "new") === list.state));
  const sign = list.down ? -1 : 1;
  list.shown.sort((a, b) => {
    const [x, y] = [sortValue(a, list.sort), sortValue(b, list.sort)];
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined) || a.id - b.id;
    const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
    return sign * order || a.id - b.id;
  });
}

function clusterList(chosen) {
  const body = h("tbody");
  const count = h("span", { class: "faint small", id: "count" });
  const heads = h("tr");
  const refresh = () => {
    arrange();
    body.replaceChildren(...list.shown.map((c) => clusterRow(c, c.id === chosen)));
    heads.replaceChildren(...COLUMNS.map((column) => columnHead(column, refresh)));
    count.textContent = `${list.shown.length} of ${data.clusters.length}`;
  };
  const search = h("input", {
    type: "search", id: "search", placeholder: "Search label, number, pair id  ( / )", "aria-label": "Search the clusters",
    autocomplete: "off", value: list.query,
    oninput: (event) => { list.query = event.target.value; refresh(); },
  });
  const states = new Set(data.clusters.map((c) => c.state || "new"));
  const filter = states.size > 1 && h("select", {
    "aria-label": "Show clusters of this state", onchange: (event) => { list.state = event.target.value; refresh(); },
  }, ["", ...states].map((state) => h("option", { value: state, selected: state === list.state }, state || "all states")));
  refresh();
  body.addEventListener("keydown", walk);
  return h("section", { class: "list", "aria-label": "Clusters" },
    h("div", { class: "tools" }, search, filter, count),
    h("div", { class: "rows" }, h("table", {}, h("thead", {}, heads), body)));
}

function columnHead(column, refresh) {
  const sorted = list.sort === column.key;
  return h("th", {
    class: [column.text ? "" : "number", column.optional ? "optional" : ""].join(" ").trim() || null, scope: "col",
    "aria-sort": sorted ? (list.down ? "descending" : "ascending") : null,
  }, h("button", {
    type: "button", "data-key": column.key,
    onclick: () => {
      list.down = sorted ? !list.down : !column.text && column.key !== "variance";
      list.sort = column.key;
      refresh();
      document.querySelector(`button[data-key="${column.key}"]`).focus();
    },
  }, column.name, sorted ? (list.down ? " ↓" : " ↑") : ""));
}

function clusterRow(cluster, chosen) {
  const cells = COLUMNS.map((column) => {
    if (column.text) {
      return h("td", {}, h("a", { href: "#cluster-" + cluster.id }, titleOf(cluster.id)), stateTag(cluster));
    }
    const value = cluster[column.key];
    const bar = column.meter && value !== undefined && h("span", { class: "meter optional", "aria-hidden": "true" }, h("i"));
    if (bar) bar.firstChild.style.width = 100 * value + "%";
    return h("td", { class: column.optional ? "number optional" : "number" }, number(value, column.digits), bar);
  });
  return h("tr", {
    "aria-selected": chosen ? "true" : null, "data-id": cluster.id,
    onclick: () => { location.hash = "cluster-" + cluster.id; },
  }, cells);
}

function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
  const row = event.target.closest("tr");
  const next = step && row && (step > 0 ? row.nextElementSibling : row.previousElementSibling);
  if (!next) return;
  event.preventDefault();
  next.querySelector("a").focus();
}

function stateTag(cluster) {
  return cluster.state && h("span", { class: "tag " + cluster.state }, cluster.state);
}

function clusterDetail(cluster) {
  const facts = [
    ["members", number(cluster.size, 0)], ["variance", number(cluster.variance, 3)],
    ["purity", cluster.purity === undefined ? null : number(cluster.purity, 3)],
    ["coverage", cluster.coverage === undefined ? null : number(cluster.coverage, 3)],
    ["speakers", cluster.speakers === undefined ? null : number(cluster.speakers, 0)],
    ["affinity to its image cluster", number(cluster.affinity, 1)],
  ].filter((fact) => fact[1] !== null);
  return h("article", { class: "detail", "aria-label": "Cluster " + titleOf(cluster.id) },
    h("a", { class: "back", href: "#clusters" }, "← all clusters"),
    h("h2", {}, titleOf(cluster.id), " ", h("span", { class: "faint small" }, "#" + cluster.id), stateTag(cluster)),
    cluster.name && cluster.label && h("p", { class: "faint" }, "label by majority: ", plain(cluster.label)),
    cluster.note && h("p", {}, plain(cluster.note)),
    cluster.merged && h("p", { class: "faint" }, "with what was merged into it: ", cluster.merged.map((c) => "#" + c).join(", ")),
    factList(facts), segmentsOf(cluster), cropsOf(cluster), labelsOf(cluster), linksOf(cluster), neighboursOf(cluster),
    membersOf(cluster));
}

function factList(facts) {
  return h("ul", { class: "facts" }, facts.map(([name, value]) => h("li", {}, h("b", {}, value), h("span", {}, name))));
}

function segmentsOf(cluster) {
  const found = data.segments[cluster.id] || [];
  if (!found.length) return [h("h3", {}, "Most central segments"), h("p", { class: "faint" }, "No sound or spectrogram of them is in this page.")];
  const cards = found.map(([p, g, clip]) => segmentCard(data.pairs[p], g, clip));
  const all = h("button", { type: "button", id: "play-all" }, "Play all");
  all.addEventListener("click", async () => {
    for (const card of cards) {
      const button = card.querySelector(".play");
      if (button.disabled || !button.isConnected) continue;
      if (!(await button.start())) return;
    }
  });
  return [h("h3", { class: "row" }, "Most central segments ", all), h("div", { class: "cards" }, cards)];
}

function segmentCard(pair, grounding, clip) {
  const [, [start, stop], , , , label] = pair.groundings[grounding];
  const held = clip >= 0 ? data.clips[clip] : pair;
  const offset = clip >= 0 ? 0 : start;
  const head = h("span", { class: "head" });
  const name = label === null || label === undefined ? "" : plain(label);
  const button = h("button", {
    type: "button", class: "play", disabled: !held.sound,
    "aria-label": `Play ${name || "segment"}, ${seconds(start)} to ${seconds(stop)} of ${plain(pair.id)}`,
  }, held.spectrogram && spectrogram(held.spectrogram, offset, offset + stop - start), head);
  button.start = () => sound.play({
    base64: held.sound, from: offset / 100, to: (offset + stop - start) / 100, element: button,
    place: (share) => { head.style.left = 100 * share + "%"; },
  });
  button.addEventListener("click", () => { button.start(); });
  return h("div", { class: "card segment" }, button, name && h("b", {}, name),
    h("span", { class: "where" }, pairLink(pair.id), pair.speaker && " · " + plain(pair.speaker)));
}

function cropsOf(cluster) {
  const found = data.crops[cluster.image] || [];
  const title = `Most central crops of its image cluster #${cluster.image} (${number(cluster.imageSize, 0)} crops)`;
  if (!found.length) return [h("h3", {}, title), h("p", { class: "faint" }, "No picture of them is in this page.")];
  return [h("h3", {}, title), h("div", { class: "cards" }, found.map(([p, g]) => {
    const pair = data.pairs[p];
    const named = titleOf(pair.groundings[g][3]);
    return h("a", { class: "card crop", href: "#pair-" + p, "aria-label": "Pair " + plain(pair.id) }, crop(pair, g),
      h("span", { class: "where" }, "said: ", named));
  }))];
}

function labelsOf(cluster) {
  if (!cluster.labels) return null;
  const most = cluster.labels[0][1];
  const matches = (label) => (" " + label + " ").includes(" " + cluster.label + " ");
  const rest = cluster.counted - cluster.labels.reduce((sum, l) => sum + l[1], 0);
  const rows = cluster.labels.map(([label, count]) => bar(plain(label), count, most, matches(label)));
  if (rest > 0) rows.push(bar("all others", rest, Math.max(most, rest), false));
  return [h("h3", {}, "What its members say"), h("dl", { class: "bars" }, rows)];
}

function bar(name, count, most, match) {
  const fill = h("i");
  fill.style.width = (100 * count) / most + "%";
  return [h("dt", {}, name), h("dd", { class: match ? "track match" : "track" }, fill), h("dd", { class: "faint" }, number(count, 0))];
}

function linksOf(cluster) {
  if (!cluster.links) return null;
  return [h("h3", {}, "Image clusters that it goes with"), h("ul", { class: "chips" }, cluster.links.map(([image, share]) => {
    const best = plain(data.imageTitles[image]);
    return h("li", {}, h("span", { class: "tag" }, `#${image} (${best}), ${(100 * share).toFixed(0)}% of its affinity`));
  }))];
}

function neighboursOf(cluster) {
  if (!cluster.neighbours) return null;
  return [h("h3", {}, "Nearest speech clusters"), h("ul", { class: "chips" }, cluster.neighbours.map(([id, gap]) =>
    h("li", {}, h("a", { href: "#cluster-" + id, title: "distance of the centroids " + number(gap, 3) }, titleOf(id),
      h("span", { class: "faint" }, " " + number(gap, 2))))))];
}

function membersOf(cluster) {
  const members = cluster.members || [];
  const more = cluster.size - members.length;
  return h("details", {}, h("summary", {}, `Members, the most central first (${number(members.length, 0)} of ${number(cluster.size, 0)})`),
    h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["pair", "from", "to", "says"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, members.map(([id, start, stop, label]) => h("tr", {}, h("td", {}, pairLink(id)),
        h("td", { class: "number" }, seconds(start)), h("td", { class: "number" }, seconds(stop)),
        h("td", {}, label === null ? "–" : plain(label))))))),
    more > 0 && h("p", { class: "faint" }, `${number(more, 0)} more: avterm export writes them all.`));
}

function clustersView(id) {
  arrange();
  const wide = matchMedia("(min-width: 62rem)").matches;
  const chosen = byId.get(id) || (wide && list.shown[0]);
  const detail = chosen ? clusterDetail(chosen)
    : h("p", { class: "empty" }, data.clusters.length ? "Choose a cluster to hear and see it." : "This run has no cluster with members.");
  return h("div", { class: chosen ? "split chosen" : "split" }, clusterList(chosen ? chosen.id : null), detail);
}
