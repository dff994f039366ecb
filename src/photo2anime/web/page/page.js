// What Gradio's own blocks do not do: groups of radio buttons, our words for its own, copying, sharing, scrolling.

document.documentElement.lang = TAG;
Object.defineProperty(navigator, "language", { get: () => TAG });
Object.defineProperty(navigator, "languages", { get: () => [TAG] });
if (!navigator.canShare) document.documentElement.classList.add("no-share");
if (!window.ClipboardItem) document.documentElement.classList.add("no-copy");

// Gradio's radio buttons are a group each; the arrow keys walk through one group.
document.addEventListener("focusin", ({ target }) => {
  if (target.type !== "radio") return;
  const all = target.closest("fieldset").querySelectorAll("input[type=radio]");
  all.forEach((one) => { one.name = all[0].name; });
});

const sentences = SENTENCES.map(([start, sentence]) => [new RegExp(start), sentence]);
const translate = (node) => {
  const found = sentences.find(([start]) => start.test(node.data));
  if (found && node.data !== found[1]) node.data = node.data.replace(found[0], found[1]);
};
new MutationObserver(() => {
  document.querySelectorAll("div.empty[aria-label]:not([role])").forEach((one) => one.setAttribute("role", "img"));
  document.querySelectorAll(".toast-body").forEach((toast) => {
    const texts = document.createTreeWalker(toast, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) translate(texts.currentNode);
  });
}).observe(document, { childList: true, subtree: true, characterData: true });

const said = (sentence) => {
  const line = document.querySelector("#said");
  if (line) line.textContent = sentence;
};

const drawn = async () => {
  const shown = [...document.querySelectorAll("#result img")].pop(); // the photo, then its painting
  return shown && (await fetch(shown.src)).blob();
};

window.photo2anime = {
  // As a PNG, the only kind that every browser copies.
  async copy() {
    const png = drawn().then(createImageBitmap).then((bitmap) => {
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      return canvas.convertToBlob({ type: "image/png" });
    });
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
    said(COPIED);
  },
  async share() {
    const blob = await drawn();
    const file = new File([blob], "anime.jpg", { type: blob.type });
    if (navigator.canShare({ files: [file] })) await navigator.share({ files: [file] });
  },
  // A result that lies below the screen comes into view.
  show(id, tries = 20) {
    const result = document.getElementById(id);
    if (!result || !result.querySelector("img")) { // Gradio has not shown it yet
      if (tries) setTimeout(() => photo2anime.show(id, tries - 1), 100);
      return;
    }
    const { top, bottom } = result.getBoundingClientRect();
    if (top >= 0 && bottom <= innerHeight) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    result.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  },
  post() {
    document.querySelector("#posted")?.click();
  },
};
