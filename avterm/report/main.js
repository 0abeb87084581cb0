// Which part is shown follows the address: #overview, #clusters, #cluster-12, #map, #pairs, #pair-3, #figures.

const PARTS = [["overview", "Overview"], ["clusters", "Clusters"], ["map", "Map"], ["pairs", "Pairs"], ["figures", "Figures"]];
const CHOICES = { auto: "Theme: auto", light: "Theme: light", dark: "Theme: dark" };

function route(moved = true) {
  sound.stop();
  const [name, id] = location.hash.slice(1).split("-");
  const main = document.getElementById("main");
  const value = Number(id);
  const rows = document.querySelector(".rows");
  const scrolled = rows ? rows.scrollTop : 0;
  let part = name;
  let view;
  if (name === "main") return;
  if (name === "cluster" || name === "clusters") {
    part = "clusters";
    view = clustersView(name === "cluster" && byId.has(value) ? value : null);
  } else if (name === "pair" && data.pairs[value]) {
    part = "pairs";
    view = pairView(value);
  } else if (name === "pairs") view = pairsView();
  else if (name === "map") view = mapView();
  else if (name === "figures") view = figuresView();
  else {
    part = "overview";
    view = overviewView();
  }
  main.replaceChildren(view);
  document.getElementById("nav").replaceChildren(...PARTS.map(([key, text]) =>
    h("a", { href: "#" + key, "aria-current": key === part ? "page" : null }, text)));
  const again = document.querySelector(".rows");
  if (again) {
    again.scrollTop = scrolled;
    const row = again.querySelector("[aria-selected]");
    if (row && moved) {
      row.scrollIntoView({ block: "nearest" });
      row.querySelector("a").focus({ preventScroll: true });
    }
  }
  if (moved) scrollTo(0, 0);
}

function chosenTheme() {
  try {
    return localStorage.getItem("avterm-theme") || "auto";
  } catch {
    return "auto";
  }
}

function setTheme(choice) {
  if (choice === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  document.getElementById("theme").textContent = CHOICES[choice];
  document.getElementById("theme").dataset.choice = choice;
  try {
    localStorage.setItem("avterm-theme", choice);
  } catch {
    // a page from disk may not keep anything; the choice then lasts as long as the page
  }
}

document.getElementById("theme").addEventListener("click", (event) => {
  const order = ["auto", "light", "dark"];
  setTheme(order[(order.indexOf(event.target.dataset.choice) + 1) % 3]);
  route(false);
});
document.getElementById("stop").addEventListener("click", () => sound.stop());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") sound.stop();
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    if (!document.getElementById("search")) {
      location.hash = "clusters";
      route();
    }
    document.getElementById("search").focus();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => route(false));
addEventListener("hashchange", () => route());

document.title = plain(data.title) + ": avterm report";
document.getElementById("title").textContent = `${plain(data.title)}, k = ${data.k}`;
setTheme(chosenTheme());
route(false);
document.documentElement.dataset.sound = "idle";
document.documentElement.dataset.ready = "yes";
