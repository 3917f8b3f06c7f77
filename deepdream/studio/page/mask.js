// Painting a mask: where the picture may change.
import { addMask } from "./api.js";
import { h, icon } from "./dom.js";
import { T } from "./texts.js";

const MOST = 1400; // pixels of the mask's longer side: edges are soft anyway
const UNDOS = 30;
const TINT = [232, 100, 40, 150];

/** Let somebody paint, and return what is known of the mask, or null. */
export async function paintMask(picture, before) {
  const image = new Image();
  image.src = `/api/pictures/${picture.id}/screen`;
  await image.decode();
  const painter = new Painter(image);
  if (before) await painter.load(`/api/pictures/${before}/screen`);
  const blob = await painter.open();
  return blob && addMask(blob);
}

class Painter {
  constructor(image) {
    const scale = Math.min(1, MOST / Math.max(image.naturalWidth, image.naturalHeight));
    this.width = Math.max(1, Math.round(image.naturalWidth * scale));
    this.height = Math.max(1, Math.round(image.naturalHeight * scale));
    this.image = image;
    const size = { width: this.width, height: this.height };
    this.mask = h("canvas", size).getContext("2d", { willReadFrequently: true });
    this.mask.lineCap = this.mask.lineJoin = "round";
    this.canvas = h("canvas", { ...size, tabIndex: 0, role: "img", "aria-label": `${T.mask.canvas}. ${T.mask.keys}` });
    this.canvas.style.setProperty("--ratio", this.width / this.height);
    this.show = this.canvas.getContext("2d");
    this.tool = "brush";
    this.undos = [];
    this.cursor = [this.width / 2, this.height / 2];
    this.hover = false;
    this.listen();
  }

  async load(source) {
    const image = new Image();
    image.src = source;
    await image.decode();
    this.mask.drawImage(image, 0, 0, this.width, this.height);
    const pixels = this.mask.getImageData(0, 0, this.width, this.height);
    for (let at = 0; at < pixels.data.length; at += 4) {
      pixels.data[at + 3] = pixels.data[at];
      pixels.data[at] = pixels.data[at + 1] = pixels.data[at + 2] = 255;
    }
    this.mask.putImageData(pixels, 0, 0);
  }

  get radius() {
    return ((this.width + this.height) / 2) * (this.range.value / 100) * 0.5;
  }

  // The mask's opacity is where the picture may change.
  stroke(from, to) {
    const { mask } = this;
    mask.globalCompositeOperation = this.tool === "brush" ? "source-over" : "destination-out";
    mask.strokeStyle = "#fff";
    mask.lineWidth = 2 * this.radius;
    mask.beginPath();
    mask.moveTo(...from);
    mask.lineTo(to[0] + 0.01, to[1]);
    mask.stroke();
    this.draw();
  }

  keep() {
    this.undos.push(this.mask.getImageData(0, 0, this.width, this.height));
    if (this.undos.length > UNDOS) this.undos.shift();
    this.undoButton.disabled = false;
  }

  undo() {
    const before = this.undos.pop();
    if (before) this.mask.putImageData(before, 0, 0);
    this.undoButton.disabled = !this.undos.length;
    this.draw();
  }

  change(how) {
    this.keep();
    const { mask, width, height } = this;
    if (how === "clear") mask.clearRect(0, 0, width, height);
    else {
      mask.globalCompositeOperation = how === "invert" ? "xor" : "source-over";
      mask.fillStyle = "#fff";
      mask.fillRect(0, 0, width, height);
    }
    this.draw();
  }

  draw() {
    const { show, width, height } = this;
    show.globalCompositeOperation = "copy";
    show.filter = this.soft();
    show.drawImage(this.mask.canvas, 0, 0);
    show.filter = "none";
    show.globalCompositeOperation = "source-in";
    show.fillStyle = `rgba(${TINT.slice(0, 3).join(" ")} / ${TINT[3] / 255})`;
    show.fillRect(0, 0, width, height);
    show.globalCompositeOperation = "destination-over";
    show.drawImage(this.image, 0, 0, width, height);
    show.globalCompositeOperation = "source-over";
    if (this.hover) {
      for (const [color, wide] of [["#000", 3], ["#fff", 1]]) {
        show.strokeStyle = color;
        show.lineWidth = (wide * this.width) / (this.canvas.clientWidth || this.width);
        show.beginPath();
        show.arc(...this.cursor, this.radius, 0, 2 * Math.PI);
        show.stroke();
      }
    }
  }

  soft() {
    const pixels = ((this.width + this.height) / 2) * (this.feather.value / 100) * 0.25;
    return pixels ? `blur(${pixels}px)` : "none";
  }

  /** The mask as a grey picture. */
  async result() {
    const context = h("canvas", { width: this.width, height: this.height }).getContext("2d", { willReadFrequently: true });
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.width, this.height);
    context.filter = this.soft();
    context.drawImage(this.mask.canvas, 0, 0);
    const { data } = context.getImageData(0, 0, this.width, this.height);
    let any = false;
    for (let at = 0; at < data.length && !any; at += 4) any = data[at] > 8;
    return any ? new Promise((resolve) => context.canvas.toBlob(resolve, "image/png")) : null;
  }

  listen() {
    const { canvas } = this;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * this.width) / box.width, ((event.clientY - box.top) * this.height) / box.height];
    };
    let drawing = false;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      drawing = true;
      this.keep();
      this.cursor = place(event);
      this.stroke(this.cursor, this.cursor);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = this.cursor;
      this.cursor = place(event);
      this.hover = event.pointerType !== "touch";
      if (drawing) this.stroke(before, this.cursor);
      else this.draw();
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { drawing = false; });
    canvas.addEventListener("pointerleave", () => { if (!drawing) { this.hover = false; this.draw(); } });
    let held = false;
    canvas.addEventListener("focus", () => { this.hover = canvas.matches(":focus-visible"); this.draw(); });
    canvas.addEventListener("blur", () => { this.hover = held = false; this.draw(); });
    canvas.addEventListener("keydown", (event) => {
      const far = Math.max(2, this.radius / (event.shiftKey ? 1 : 3));
      const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
      if (event.key in moves) {
        event.preventDefault();
        const before = this.cursor;
        const [dx, dy] = moves[event.key];
        this.cursor = [Math.min(this.width, Math.max(0, before[0] + dx)), Math.min(this.height, Math.max(0, before[1] + dy))];
        this.hover = true;
        if (held) this.stroke(before, this.cursor);
        else this.draw();
      } else if (event.key === " ") {
        event.preventDefault();
        if (!held) { held = true; this.keep(); this.stroke(this.cursor, this.cursor); }
      }
    });
    canvas.addEventListener("keyup", (event) => { if (event.key === " ") held = false; });
  }

  open() {
    const tool = (name, text) => h("label", { class: "switch" }, h("input", { type: "radio", name: "tool", checked: this.tool === name, onchange: () => { this.tool = name; } }), text);
    this.range = h("input", { type: "range", min: 2, max: 60, value: 16, "aria-label": T.mask.size, oninput: () => this.draw() });
    this.feather = h("input", { type: "range", min: 0, max: 40, value: 8, "aria-label": T.mask.feather, oninput: () => this.draw() });
    this.undoButton = h("button", { type: "button", class: "plain", disabled: true, onclick: () => this.undo() }, icon("back"), T.mask.undo);
    const button = (text, how) => h("button", { type: "button", class: "plain", onclick: () => this.change(how) }, text);
    const said = h("p", { class: "problem", role: "alert" });
    return new Promise((resolve) => {
      let made = null;
      const use = async () => {
        made = await this.result();
        if (made) dialog.close();
        else said.textContent = T.mask.empty;
      };
      const dialog = h("dialog", { class: "dialog painting", "aria-labelledby": "mask-title" },
        h("div", { class: "row between" }, h("h2", { id: "mask-title" }, T.mask.title), h("p", { class: "help" }, T.mask.lead)),
        h("div", { class: "easel" }, this.canvas),
        h("div", { class: "brushes" },
          h("fieldset", { class: "switches" }, tool("brush", T.mask.brush), tool("eraser", T.mask.eraser)),
          h("label", { class: "width" }, T.mask.size, this.range), h("label", { class: "width" }, T.mask.feather, this.feather),
          this.undoButton, button(T.mask.all, "all"), button(T.mask.invert, "invert"), button(T.mask.clear, "clear")),
        said,
        h("div", { class: "row end" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, T.cancel), h("button", { type: "button", class: "main", onclick: use }, T.mask.done)));
      dialog.addEventListener("keydown", (event) => { if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); this.undo(); } });
      dialog.addEventListener("close", () => { dialog.remove(); resolve(made); });
      document.body.append(dialog);
      dialog.showModal();
      this.draw();
    });
  }
}
