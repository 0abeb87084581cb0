// Elements are built here and only here: text goes in as text nodes, attributes by name, never as markup.

const data = JSON.parse(document.getElementById("data").textContent);

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  return put(element, children);
}

function s(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, String(value));
  }
  return put(element, children);
}

function put(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// Characters that reorder or hide text are shown as what they are.
function plain(text) {
  return String(text).replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/g, (c, at, all) => {
    const code = c.charCodeAt(0);
    const pairedHigh = code >= 0xd800 && code < 0xdc00 && /[\udc00-\udfff]/.test(all[at + 1] || "");
    const pairedLow = code >= 0xdc00 && code <= 0xdfff && /[\ud800-\udbff]/.test(all[at - 1] || "");
    return pairedHigh || pairedLow || code === 0x200c || code === 0x200d ? c : "\\u" + code.toString(16).padStart(4, "0");
  });
}

function number(value, digits) {
  if (value === null || value === undefined) return "–";
  if (digits === 0) return value.toLocaleString("en");
  return value.toFixed(digits).replace("-", "−");
}

function say(text) {
  document.getElementById("live").textContent = text;
}

const byId = new Map(data.clusters.map((cluster) => [cluster.id, cluster]));
const pairById = new Map(data.pairs.map((pair, index) => [pair.id, index]));

function titleOf(cluster) {
  return plain(data.titles[cluster] ?? "#" + cluster);
}

function clusterLink(cluster) {
  const title = titleOf(cluster);
  return byId.has(cluster) ? h("a", { href: "#cluster-" + cluster }, title) : h("span", { class: "faint" }, title);
}

function pairLink(id, text) {
  const index = pairById.get(id);
  if (index === undefined) return h("span", { class: "faint", title: "not in this page" }, plain(text ?? id));
  return h("a", { href: "#pair-" + index }, plain(text ?? id));
}

function seconds(frames) {
  return (frames / 100).toFixed(1) + " s";
}
