// The stage: one picture, or two laid over each other, with a slider between, and a magnifier.
import { h, icon, unique } from "./dom.js";
import { T } from "./texts.js";

const MOST = 16; // times as large as its own pixels
const STEP = 1.5;
const PAN = 60; // pixels for an arrow key

export class Stage {
  constructor() {
    this.before = h("img", { class: "before", alt: "" });
    this.after = h("img", { class: "after", alt: "" });
    this.canvas = h("div", { class: "canvas" }, this.before, this.after);
    this.film = h("video", { class: "film", controls: true, loop: true, muted: true, playsInline: true, hidden: true });
    this.divider = h("div", { class: "divider" });
    this.tags = [h("span", { class: "tag left" }, T.stage.before), h("span", { class: "tag right" }, T.stage.after)];
    const keys = unique();
    this.view = h("div", { class: "view", tabIndex: 0, role: "group", "aria-label": T.stage.label, "aria-describedby": keys }, this.canvas, this.film, this.divider, ...this.tags);
    const slider = unique();
    this.slider = h("input", { type: "range", id: slider, min: 0, max: 100, value: 0, title: T.stage.slider, oninput: () => this.place() });
    this.hold = h("button", { type: "button", class: "quiet hold", "aria-pressed": "false" }, matchMedia("(pointer: coarse)").matches ? T.stage.hold : T.stage.holdKey);
    this.scaled = h("output", { class: "scaled", "aria-live": "off" });
    const button = (name, label, action) => h("button", { type: "button", class: "quiet square", "aria-label": label, title: label, onclick: action }, name);
    this.tools = h("div", { class: "tools" },
      h("div", { class: "compare" }, h("label", { for: slider }, T.stage.compare), this.slider, this.hold),
      h("div", { class: "zoom" },
        button(icon("minus"), T.stage.farther, () => this.zoom(1 / STEP)), this.scaled,
        button(icon("plus"), T.stage.closer, () => this.zoom(STEP)),
        h("button", { type: "button", class: "quiet", onclick: () => this.pixels() }, T.stage.pixels),
        h("button", { type: "button", class: "quiet", onclick: () => this.fit() }, T.stage.fit)),
    );
    this.element = h("div", { class: "stage" }, this.view, this.tools, h("p", { class: "keys", id: keys }, T.stage.keys));
    this.size = [4, 3];
    this.scale = null; // null: as large as there is room
    this.at = [0, 0];
    this.held = false;
    this.listen();
    new ResizeObserver(() => this.place()).observe(this.view);
  }

  /** Show a picture of a size: `before`, or `after` over it, by their addresses. */
  show({ before, after = null, size, name, keep = false }) {
    this.size = size;
    this.film.hidden = true;
    this.film.removeAttribute("src");
    this.element.classList.remove("playing");
    this.set(this.before, before, T.stage.altBefore(name));
    this.set(this.after, after, after ? T.stage.alt(name) : "");
    this.element.classList.toggle("two", Boolean(after));
    this.view.style.setProperty("--shape", `${size[0]} / ${size[1]}`);
    if (!keep) {
      this.slider.value = 0;
      this.scale = null;
    }
    this.place();
  }

  /** Show a film, with the picture under it until it can be played, or where it cannot. */
  play(source, poster, { size, name, start = true }) {
    this.show({ before: poster, size, name });
    this.element.classList.add("playing");
    this.film.hidden = false;
    this.film.poster = poster;
    this.film.setAttribute("aria-label", start ? T.stage.alt(name) : T.stage.clip(name));
    this.film.src = source;
    if (start && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.film.play().catch(() => {});
  }

  /** Show nothing, and play nothing. */
  rest() {
    this.show({ before: null, size: this.size, name: "" });
  }

  /** Show a film's frame at a time. */
  seek(seconds) {
    if (this.film.hidden || !Number.isFinite(this.film.duration)) return;
    this.film.pause();
    this.film.currentTime = Math.min(seconds, this.film.duration);
  }

  set(image, source, alt) {
    image.alt = alt;
    image.hidden = !source;
    if (!source) image.removeAttribute("src");
    else if (image.getAttribute("src") !== source) image.src = source;
  }

  /**
   * Show a newer picture over the first, once it can be drawn, so that nothing flickers. `alike`: it
   * is of the same view, and can be compared.
   */
  async grow(source, name, alike = true) {
    const next = new Image();
    next.src = source;
    try {
      await next.decode();
    } catch {
      return; // the next one comes soon
    }
    this.set(this.after, source, T.stage.alt(name));
    this.element.classList.toggle("two", alike);
    this.place();
  }

  get room() {
    return [this.view.clientWidth, this.view.clientHeight];
  }

  get least() {
    return Math.min(this.room[0] / this.size[0], this.room[1] / this.size[1]) || 1;
  }

  fit() {
    this.scale = null;
    this.place();
  }

  pixels() {
    this.zoom(1 / devicePixelRatio / (this.scale ?? this.least));
  }

  /** Come closer by a factor, around a point of the view. */
  zoom(factor, point = this.room.map((side) => side / 2)) {
    const now = this.scale ?? this.least;
    const next = Math.min(MOST, Math.max(this.least, now * factor));
    this.at = this.at.map((start, axis) => point[axis] - ((point[axis] - start) * next) / now);
    this.scale = next <= this.least * 1.001 ? null : next;
    this.place();
  }

  pan(dx, dy) {
    this.at = [this.at[0] + dx, this.at[1] + dy];
    this.place();
  }

  place() {
    const scale = this.scale ?? this.least;
    this.at = this.at.map((start, axis) => {
      const room = this.room[axis] - this.size[axis] * scale;
      return room >= 0 ? room / 2 : Math.min(0, Math.max(room, start));
    });
    const [x, y] = this.at;
    this.canvas.style.width = `${this.size[0]}px`;
    this.canvas.style.height = `${this.size[1]}px`;
    this.canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.canvas.classList.toggle("close", this.scale !== null && scale * devicePixelRatio > 2);
    const left = Math.max(0, x);
    const right = Math.min(this.room[0], x + this.size[0] * scale);
    const share = this.held ? 1 : this.slider.value / 100;
    const line = left + (right - left) * share;
    this.after.style.clipPath = share > 0 ? `inset(0 0 0 ${Math.max(0, (line - x) / scale)}px)` : "";
    this.divider.style.transform = `translateX(${line}px)`;
    this.element.classList.toggle("split", share > 0 && share < 1);
    this.element.classList.toggle("zoomed", this.scale !== null);
    this.view.style.setProperty("--left", `${left}px`);
    this.view.style.setProperty("--right", `${this.room[0] - right}px`);
    this.view.style.setProperty("--top", `${Math.max(0, y)}px`);
    this.view.style.setProperty("--bottom", `${Math.max(0, this.room[1] - y - this.size[1] * scale)}px`);
    this.tags[0].hidden = share === 0;
    this.tags[1].hidden = share === 1 || share === 0;
    this.scaled.textContent = T.stage.zoom(scale * devicePixelRatio);
  }

  peek(held) {
    this.held = held;
    this.hold.setAttribute("aria-pressed", String(held));
    this.place();
  }

  listen() {
    const { view, hold } = this;
    this.film.addEventListener("error", () => {
      if (!this.film.hasAttribute("src")) return;
      this.film.hidden = true; // of a kind that this browser does not play
      this.element.classList.remove("playing");
      this.place();
    });
    view.addEventListener("dragstart", (event) => event.preventDefault());
    const fingers = new Map();
    let sliding = false;
    let moved = null;
    view.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      view.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.offsetX, event.offsetY]);
      const line = new DOMMatrix(getComputedStyle(this.divider).transform).e;
      const x = event.clientX - view.getBoundingClientRect().left;
      sliding = this.element.classList.contains("two") && fingers.size === 1 && (Math.abs(x - line) < 24 || this.scale === null);
      moved = [event.clientX, event.clientY];
    });
    view.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const box = view.getBoundingClientRect();
      const here = [event.clientX - box.left, event.clientY - box.top];
      const before = fingers.get(event.pointerId);
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
        const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
        this.zoom(apart(here, other) / apart(before, other), here.map((at, axis) => (at + other[axis]) / 2));
      } else if (sliding) {
        this.slideTo(here[0]);
      } else {
        this.pan(event.clientX - moved[0], event.clientY - moved[1]);
      }
      moved = [event.clientX, event.clientY];
      fingers.set(event.pointerId, here);
    });
    for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, (event) => fingers.delete(event.pointerId));
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && this.scale === null && event.deltaY > 0) return;
      event.preventDefault();
      const box = view.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), [event.clientX - box.left, event.clientY - box.top]);
    }, { passive: false });
    view.addEventListener("dblclick", (event) => {
      const box = view.getBoundingClientRect();
      if (this.scale === null) this.zoom(Math.max(2, 1 / devicePixelRatio / this.least), [event.clientX - box.left, event.clientY - box.top]);
      else this.fit();
    });
    view.addEventListener("keydown", (event) => {
      const actions = {
        "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP), 0: () => this.fit(), 1: () => this.pixels(),
        ArrowLeft: () => this.pan(PAN, 0), ArrowRight: () => this.pan(-PAN, 0), ArrowUp: () => this.pan(0, PAN), ArrowDown: () => this.pan(0, -PAN),
      };
      if (event.ctrlKey || event.metaKey || !(event.key in actions)) return;
      if (event.key.startsWith("Arrow") && this.scale === null) return;
      event.preventDefault();
      actions[event.key]();
    });
    hold.addEventListener("pointerdown", () => this.peek(true));
    for (const name of ["pointerup", "pointerleave", "pointercancel", "blur"]) hold.addEventListener(name, () => this.peek(false));
    hold.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && this.peek(true));
    hold.addEventListener("keyup", () => this.peek(false));
    const typing = (event) => event.target.closest("input:not([type=range]), textarea, select, dialog");
    addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() === "b" && !event.repeat && !event.ctrlKey && !event.metaKey && !typing(event) && this.element.isConnected && this.element.classList.contains("two")) this.peek(true);
    });
    addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && this.held && this.peek(false));
    addEventListener("blur", () => this.held && this.peek(false));
  }

  slideTo(x) {
    const scale = this.scale ?? this.least;
    const left = Math.max(0, this.at[0]);
    const right = Math.min(this.room[0], this.at[0] + this.size[0] * scale);
    this.slider.value = Math.round((100 * (x - left)) / (right - left));
    this.place();
  }
}
