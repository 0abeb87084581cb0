// One sound at a time. Sounds are decoded when first played and kept; a part of one plays sample-exact.

const sound = (() => {
  const decoded = new Map();
  let context = null;
  let now = null;

  function bytes(base64) {
    const text = atob(base64);
    const out = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out;
  }

  async function buffer(base64) {
    if (!decoded.has(base64)) {
      if (decoded.size > 60) decoded.delete(decoded.keys().next().value);
      decoded.set(base64, context.decodeAudioData(bytes(base64).buffer));
    }
    return decoded.get(base64);
  }

  function stop() {
    if (!now) return;
    const ended = now;
    now = null;
    if (ended.node) {
      ended.node.onended = null;
      ended.node.stop();
    }
    cancelAnimationFrame(ended.frame);
    ended.element.classList.remove("on");
    document.getElementById("stop").hidden = true;
    document.documentElement.dataset.sound = "idle";
    ended.done(false);
  }

  // Play `base64` from `from` to `to` seconds; `element` is marked meanwhile, `place` hears the share played.
  // Resolves to true when the end was reached, to false when something else was played or stopped.
  function play({ base64, from = 0, to = Infinity, element, place = null }) {
    const again = now && now.element === element;
    stop();
    if (again) return Promise.resolve(false);
    return new Promise((resolve) => {
      const mine = { element, node: null, frame: 0, done: resolve };
      now = mine;
      begin(mine, base64, from, to, place).catch((error) => {
        if (now === mine) stop();
        say("This sound could not be played: " + error.message);
      });
    });
  }

  async function begin(mine, base64, from, to, place) {
    context = context || new AudioContext();
    await context.resume();
    const whole = await buffer(base64);
    if (now !== mine) return;
    const length = Math.max(0, Math.min(to, whole.duration) - from);
    mine.node = new AudioBufferSourceNode(context, { buffer: whole });
    mine.node.connect(context.destination);
    const start = context.currentTime;
    mine.node.start(0, from, length);
    mine.element.classList.add("on");
    document.getElementById("stop").hidden = false;
    document.documentElement.dataset.sound = "playing";
    document.documentElement.dataset.played = Number(document.documentElement.dataset.played || 0) + 1;
    mine.node.onended = () => {
      if (now !== mine) return;
      mine.done(true);
      mine.done = () => {};
      stop();
    };
    const follow = () => {
      if (now !== mine) return;
      const share = length ? (context.currentTime - start) / length : 1;
      document.documentElement.dataset.position = (context.currentTime - start).toFixed(3);
      if (place) place(Math.min(1, share));
      mine.frame = requestAnimationFrame(follow);
    };
    follow();
  }

  return { play, stop, bytes };
})();
