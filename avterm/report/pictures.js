// Pictures with boxes, and spectrograms in the colours of the theme.

const HUES = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#8A8A8A", "#7F3C8D", "#9A6324"];

function hue(index) {
  return HUES[index % HUES.length];
}

function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 125 ? "#000" : "#fff";
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// Paper: white to ink. Dark screen: from the page's own ground through violet and orange to pale yellow.
const STOPS = {
  light: [[246, 247, 249], [190, 203, 214], [103, 124, 145], [40, 55, 72], [14, 20, 28]],
  dark: [[24, 28, 36], [66, 32, 98], [160, 52, 105], [240, 125, 80], [252, 235, 180]],
};

function shades(stops) {
  const table = new Uint8ClampedArray(256 * 3);
  for (let value = 0; value < 256; value++) {
    const at = (value / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) table[value * 3 + c] = stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (at - low);
  }
  return table;
}

const SHADES = { light: shades(STOPS.light), dark: shades(STOPS.dark) };

// A canvas of the frames `from` to `to` of a spectrogram.
function spectrogram(base64, from = 0, to = null) {
  const canvas = h("canvas", { "aria-hidden": "true", height: 40, width: 1 });
  const image = new Image();
  image.src = "data:image/webp;base64," + base64;
  image.decode().then(() => {
    canvas.width = Math.max(1, Math.min(image.width, to ?? image.width) - from);
    canvas.height = image.height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, -from, 0);
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
    const table = SHADES[isDark() ? "dark" : "light"];
    for (let i = 0; i < pixels.data.length; i += 4) {
      const value = pixels.data[i] * 3;
      pixels.data[i] = table[value];
      pixels.data[i + 1] = table[value + 1];
      pixels.data[i + 2] = table[value + 2];
    }
    context.putImageData(pixels, 0, 0);
  }, () => {});
  return canvas;
}

function pictureOf(pair, alt) {
  return h("img", {
    src: "data:image/webp;base64," + data.pictures[pair.picture],
    alt, width: pair.size[0], height: pair.size[1], loading: "lazy", decoding: "async",
  });
}

// The crop of one grounding, drawn on its picture: what lies outside the box is veiled.
function crop(pair, grounding) {
  const [x0, y0, x1, y1] = pair.groundings[grounding][0].map((v) => v * 1000);
  const path = `M0 0H1000V1000H0ZM${x0} ${y0}V${y1}H${x1}V${y0}Z`;
  const rect = { x: x0, y: y0, width: x1 - x0, height: y1 - y0 };
  return h("span", { class: "shot" }, h("span", {},
    pictureOf(pair, "picture of the pair " + plain(pair.id)),
    s("svg", { viewBox: "0 0 1000 1000", preserveAspectRatio: "none", "aria-hidden": "true" },
      s("path", { d: path, class: "veil", "fill-rule": "evenodd" }),
      s("rect", { ...rect, class: "casing" }),
      s("rect", { ...rect, class: "box", stroke: hue(0) }))));
}
