// A picture and its caption: boxes and segments of one grounding share a colour and a number, light up together, and play.

function pairView(index) {
  const pair = data.pairs[index];
  const view = h("article", { class: "pair column", "aria-label": "Pair " + plain(pair.id) });
  const parts = pair.groundings.map(() => []);
  const light = (i) => {
    view.classList.toggle("dim", i !== null);
    parts.forEach((elements, j) => elements.forEach((element) => {
      element.classList.toggle("lit", j === i);
      element.classList.toggle("unlit", i !== null && j !== i);
    }));
  };
  const join = (element, i, sounds = true) => {
    parts[i].push(element);
    element.addEventListener("mouseenter", () => light(i));
    element.addEventListener("mouseleave", () => light(null));
    element.addEventListener("focusin", () => light(i));
    element.addEventListener("focusout", () => light(null));
    if (sounds) element.addEventListener("click", () => playGrounding(pair, i, spans[i], head));
    return element;
  };
  const head = h("span", { class: "head" });
  const spans = pair.groundings.map((grounding, i) => join(spanOf(pair, grounding, i), i));
  const lane = h("div", { class: "lane" }, pair.spectrogram && spectrogram(pair.spectrogram), spans, head);
  const whole = pair.sound && h("button", { type: "button", id: "play-caption" }, "▶ Play the caption");
  if (whole) whole.addEventListener("click", () => playCaption(pair, lane, head));
  put(view, [
    h("h2", {}, plain(pair.id)),
    h("p", { class: "faint" }, [pair.speaker && "speaker " + plain(pair.speaker), seconds(pair.frames)].filter(Boolean).join(" · ")),
    pair.text && h("p", {}, "“", plain(pair.text), "”"),
    h("div", { class: "pairing" }, pairPicture(pair, join), h("div", {}, whole && h("p", {}, whole),
      h("div", { class: "scroll" }, track(pair, lane, wordLine(pair, join))),
      !pair.sound && h("p", { class: "faint small" }, "The whole caption is not in this page; segments that some cluster shows can be played."),
      groundingTable(pair, join))),
  ]);
  return view;
}

// On narrow screens the caption keeps a readable length and scrolls.
function track(pair, ...children) {
  const element = h("div", { class: "track" }, children);
  element.style.setProperty("--seconds", pair.frames / 100);
  return element;
}

function clipOf(pair, i) {
  const index = pairById.get(pair.id);
  for (const found of data.segments[pair.groundings[i][3]] || []) {
    if (found[0] === index && found[1] === i && found[2] >= 0) return data.clips[found[2]];
  }
  return null;
}

function playGrounding(pair, i, element, head) {
  const [start, stop] = pair.groundings[i][1];
  const follow = (share) => { head.style.left = (100 * (start + share * (stop - start))) / pair.frames + "%"; head.style.display = "block"; };
  const done = () => { head.style.display = ""; };
  if (pair.sound) {
    return sound.play({ base64: pair.sound, from: start / 100, to: stop / 100, element, place: follow }).then(done);
  }
  const clip = clipOf(pair, i);
  if (clip && clip.sound) return sound.play({ base64: clip.sound, element, place: follow }).then(done);
  say("The sound of this segment is not in this page.");
  return Promise.resolve();
}

function playCaption(pair, lane, head) {
  sound.play({ base64: pair.sound, element: lane, place: (share) => { head.style.left = 100 * share + "%"; } });
}

function spanOf(pair, grounding, i) {
  const [, [start, stop], , cluster] = grounding;
  const badge = h("b", {}, i + 1);
  badge.style.background = hue(i);
  badge.style.color = inkOn(hue(i));
  const span = h("button", { type: "button", class: "span", "aria-label": `Grounding ${i + 1}, ${titleOf(cluster)}: play ${seconds(start)} to ${seconds(stop)}` }, badge);
  span.style.left = (100 * start) / pair.frames + "%";
  span.style.width = (100 * (stop - start)) / pair.frames + "%";
  span.style.borderColor = hue(i);
  span.style.backgroundColor = hue(i) + "38";
  return span;
}

function pairPicture(pair, join) {
  if (!(pair.picture >= 0)) return h("p", { class: "faint" }, "Its picture is not in this page.");
  const [width, height] = pair.size;
  const unit = Math.max(width, height) / 100;
  const groups = pair.groundings.map(([box], i) => {
    const [x0, y0, x1, y1] = box.map((v, side) => v * (side % 2 ? height : width));
    const rect = { x: x0 + unit / 2, y: y0 + unit / 2, width: Math.max(unit, x1 - x0 - unit), height: Math.max(unit, y1 - y0 - unit) };
    const shift = pair.groundings.slice(0, i).filter(([b]) => Math.abs(b[0] - box[0]) < 0.05 && Math.abs(b[1] - box[1]) < 0.05).length;
    const left = rect.x + shift * 6.5 * unit;
    return join(s("g", {},
      s("rect", { ...rect, class: "casing" }), s("rect", { ...rect, class: "box", stroke: hue(i) }),
      s("rect", { x: left, y: rect.y, width: 6 * unit, height: 6.5 * unit, fill: hue(i) }),
      s("text", { x: left + 3 * unit, y: rect.y + 4.9 * unit, "text-anchor": "middle", "font-size": 4.8 * unit, "font-weight": 700, fill: inkOn(hue(i)), "pointer-events": "none" }, i + 1)), i);
  });
  return h("div", { class: "shot" }, pictureOf(pair, "picture of the pair " + plain(pair.id)),
    s("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, groups.reverse()));
}

// Words of which a segment holds at least 30% stand in its colour (section 5).
function wordLine(pair, join) {
  if (!pair.words) return null;
  const line = h("div", { class: "words" });
  const free = [0, 0, 0, 0];
  for (const [word, start, end] of pair.words) {
    const middle = (50 * (start + end) * 100) / pair.frames;
    const held = pair.groundings.map(([, [a, b]]) => (Math.min(b / 100, end) - Math.max(a / 100, start)) / (end - start));
    const owner = held.reduce((best, share, i) => (share >= 0.3 && (best < 0 || share > held[best]) ? i : best), -1);
    const half = word.length * 0.68 + 0.8;
    const found = free.findIndex((last) => last <= middle - half);
    const row = found >= 0 ? found : free.indexOf(Math.min(...free));
    free[row] = middle + half;
    const span = h("span", { class: owner >= 0 ? "owned" : null }, plain(word));
    span.style.left = Math.min(Math.max(middle, half * 0.7), 100 - half * 0.7) + "%";
    span.style.top = 0.15 + 1.3 * row + "rem";
    if (owner >= 0) {
      span.style.borderColor = hue(owner);
      join(span, owner, false);
    }
    line.append(span);
  }
  return line;
}

function groundingTable(pair, join) {
  const labelled = pair.groundings.some((g) => g[5] !== null && g[5] !== undefined);
  const names = ["", "speech cluster", labelled && "says", "image cluster", "from", "to", "score"].filter((n) => n !== false);
  const rows = pair.groundings.map(([, [start, stop], score, cluster, image, label], i) => {
    const swatch = h("span", { class: "swatch" }, i + 1);
    swatch.style.background = hue(i);
    swatch.style.color = inkOn(hue(i));
    return join(h("tr", {}, h("td", {}, swatch), h("td", {}, clusterLink(cluster)),
      labelled && h("td", {}, label === null ? "–" : plain(label)), h("td", {}, `#${image} (${plain(data.imageTitles[image])})`),
      h("td", { class: "number" }, seconds(start)), h("td", { class: "number" }, seconds(stop)),
      h("td", { class: "number" }, number(score, 2))), i, false);
  });
  return [h("h3", {}, "Groundings, the best score first"), h("div", { class: "scroll" }, h("table", { class: "legend" },
    h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col", class: /from|to|score/.test(name) ? "number" : null }, name)))),
    h("tbody", {}, rows)))];
}

function pairsView() {
  const whole = data.pairs.map((pair, index) => [pair, index]).filter(([pair]) => pair.sound || pair.spectrogram);
  const shown = whole.length ? whole : data.pairs.map((pair, index) => [pair, index]).filter(([pair]) => pair.picture >= 0);
  if (!shown.length) return h("p", { class: "empty column" }, "No pair's picture or caption is in this page.");
  return h("div", { class: "column" },
    h("h2", {}, "Pairs"),
    h("p", { class: "faint" }, whole.length ? `${shown.length} pairs are here with their whole caption; the other pairs of the page open from the clusters that show them.`
      : `${shown.length} pairs are here with their picture.`),
    h("div", { class: "gallery" }, shown.map(([pair, index]) => h("a", { href: "#pair-" + index },
      h("span", { class: "shot" }, pair.picture >= 0 && pictureOf(pair, "")),
      plain(pair.text || pair.id)))));
}
