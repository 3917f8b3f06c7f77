// The controls: each says what it does and what it costs, and can be put back.
import { addPicture, call, estimate } from "./api.js";
import { CLIP } from "./choice.js";
import { fill, h, icon, settled, unique } from "./dom.js";
import { T } from "./texts.js";

const SIZES = [512, 768, 1024, 1536, 2048, 3072];
const OF_CLIPS = [320, 480, 640, 960, 1280, 1920];
const OF_FILMS = ["from", "length", "fps", "steady", "sound"];
const RATES = [10, 12, 15, 20, 24, 25, 30, 50, 60];

export class Controls {
  /** `changed` is called after each change; `paint` has a mask painted; `seek` shows a clip's time. */
  constructor(choice, { changed, paint, seek, failed }) {
    this.choice = choice;
    this.changed = changed;
    this.paint = paint;
    this.seek = seek;
    this.failed = failed;
    this.size = [1024, 768];
    this.picture = null;
    this.rows = {};
    this.asked = 0;
    const first = ["longest", "strength", "steps", "octaves", "colors"].map((name) => this[name]());
    const ofClips = ["from", "length", "fps", "steady", "sound"].map((name) => this[name]());
    this.film = h("div", { class: "of-clip", role: "group", "aria-labelledby": "film-title" }, h("h3", { id: "film-title" }, T.controls.film), ...ofClips);
    const more = ["finish", "classes", "guide", "mask", "seed", "other"].map((name) => this[name]());
    this.more = h("details", { class: "more" }, h("summary", {}, T.controls.more), ...more);
    this.reset = h("button", { type: "button", class: "quiet", onclick: () => this.putAllBack() }, icon("back"), T.controls.reset);
    this.element = h("section", { class: "block controls", "aria-labelledby": "controls-title" },
      h("div", { class: "row between" }, h("h2", { id: "controls-title" }, T.controls.title), this.reset), ...first, this.film, this.more);
    this.ask = settled(() => this.estimate(), 120);
    this.shown();
  }

  // -- rows ---------------------------------------------------------------------------------------

  row(name, { label, control, value = null, wide = false }) {
    const text = T.controls[name];
    const help = unique("help");
    const cost = h("span", { class: "cost" });
    const back = h("button", { type: "button", class: "quiet square put-back", "aria-label": T.putBack(text.name), title: T.putBack(text.name), onclick: () => this.putBack(name) }, icon("back"));
    const head = h("div", { class: "head" }, label, value, back);
    control.setAttribute("aria-describedby", help);
    const element = h("div", { class: `control ${wide ? "wide" : ""}`, "data-name": name }, head, control, h("p", { class: "help", id: help }, text.help, " ", cost));
    this.rows[name] = { element, back, cost, control, value };
    return element;
  }

  slider(name, { min, max, step, read, write }) {
    const id = unique("c");
    const value = h("output", { for: id });
    const control = h("input", {
      type: "range", id, min, max, step,
      oninput: () => {
        write(Number(control.value));
        this.touched(name);
      },
    });
    const element = this.row(name, { label: h("label", { for: id }, T.controls[name].name), control, value });
    this.rows[name].read = () => {
      const [number, text] = read();
      if (Number(control.value) !== number) control.value = number;
      value.textContent = text;
      control.setAttribute("aria-valuetext", text);
    };
    return element;
  }

  select(name, options, read, write) {
    const id = unique("c");
    const control = h("select", { id, onchange: () => { write(control.value); this.touched(name); } });
    const element = this.row(name, { label: h("label", { for: id }, T.controls[name].name), control });
    this.rows[name].read = () => {
      const listed = options();
      if (JSON.stringify(listed) !== control.dataset.listed) {
        fill(control, listed.map(([value, text]) => h("option", { value }, text)));
        control.dataset.listed = JSON.stringify(listed);
      }
      control.value = read();
    };
    return element;
  }

  /** The longer sides that are offered. */
  sides() {
    const own = Math.max(...this.size);
    const chosen = this.choice.longestOf(this.size);
    if (!this.choice.clip) return [...new Set([...SIZES, own, chosen])].sort((a, b) => a - b);
    return [...new Set([...OF_CLIPS.filter((side) => side <= Math.max(own, 640)), chosen, ...(own <= CLIP.most ? [own] : [])])].sort((a, b) => a - b);
  }

  longest() {
    const listed = () => {
      const own = Math.max(...this.size);
      return this.sides().map((side) => [String(side), (side === own ? T.controls.longest.own : T.controls.longest.option)(side, this.bySize?.[side], Boolean(this.choice.clip))]);
    };
    return this.select("longest", listed, () => String(this.choice.longestOf(this.size)), (value) => {
      this.choice.longest = Number(value) === this.choice.usualLongest(this.size) ? null : Number(value);
    });
  }

  strength() {
    const usual = () => this.choice.usual.strength;
    return this.slider("strength", {
      min: 0, max: 150, step: 5,
      read: () => { const v = this.choice.strength ?? usual(); return [Math.round(v * 100), T.controls.strength.value(v)]; },
      write: (value) => { this.choice.strength = value / 100 === usual() ? null : value / 100; },
    });
  }

  steps() {
    return this.slider("steps", {
      min: 0.25, max: 4, step: 0.25,
      read: () => { const v = this.choice.steps ?? 1; return [v, T.controls.steps.value(v)]; },
      write: (value) => { this.choice.steps = value === 1 ? null : value; },
    });
  }

  octaves() {
    const most = () => this.choice.octavesOf(this.choice.sizeOf(this.size));
    const usual = () => this.choice.usual.octave_n;
    const element = this.slider("octaves", {
      min: 1, max: 12, step: 1,
      read: () => {
        const n = most();
        const now = this.choice.octaves ?? usual();
        this.rows.octaves.control.max = n;
        const shown = now === "all" ? n : Math.min(n, now);
        return [shown, T.controls.octaves.value(shown, n)];
      },
      write: (value) => {
        const chosen = value >= most() ? "all" : value;
        this.choice.octaves = chosen === usual() ? null : chosen;
      },
    });
    return element;
  }

  colors() {
    const usual = () => Number(this.choice.usual.keep_colors);
    return this.slider("colors", {
      min: 0, max: 100, step: 5,
      read: () => { const v = this.choice.colors ?? usual(); return [Math.round(v * 100), T.controls.colors.value(v)]; },
      write: (value) => { this.choice.colors = value / 100 === usual() ? null : value / 100; },
    });
  }

  from() {
    const element = this.slider("from", {
      min: 0, max: 1, step: 0.1,
      read: () => {
        if (!this.choice.clip) return [0, ""];
        this.rows.from.control.max = Math.max(0, Math.round((this.choice.clip.seconds - CLIP.least) * 10) / 10);
        return [this.choice.film.from, T.controls.from.value(this.choice.film.from)];
      },
      write: (value) => { this.choice.from = value || null; this.seek(value); },
    });
    return element;
  }

  length() {
    return this.slider("length", {
      min: CLIP.least, max: 10, step: 0.1,
      read: () => {
        if (!this.choice.clip) return [0, ""];
        const { most, length } = this.choice.film;
        this.rows.length.control.max = Math.max(CLIP.least, Math.round(most * 10) / 10);
        return [Math.round(length * 10) / 10, T.controls.length.value(length)];
      },
      write: (value) => { this.choice.length = value; this.seek(this.choice.film.from + value); },
    });
  }

  fps() {
    const listed = () => {
      if (!this.choice.clip) return [];
      const { rate } = this.choice.clip;
      const own = Math.round(rate * 10) / 10;
      return [...new Set([...RATES.filter((each) => each < own * 0.97), own, this.choice.film.fps])].sort((a, b) => a - b)
        .map((each) => [String(each), T.controls.fps.option(each, this.byRate?.[each])]);
    };
    return this.select("fps", listed, () => (this.choice.clip ? String(this.choice.film.fps) : ""), (value) => {
      this.choice.fps = null;
      if (Number(value) !== this.choice.film.fps) this.choice.fps = Number(value);
    });
  }

  steady() {
    return this.slider("steady", {
      min: 0, max: 100, step: 2,
      read: () => { const v = this.choice.steady ?? CLIP.steady; return [Math.round(v * 100), T.controls.steady.value(v)]; },
      write: (value) => { this.choice.steady = value / 100 === CLIP.steady ? null : value / 100; },
    });
  }

  sound() {
    const text = T.controls.sound;
    const field = h("input", { type: "checkbox", onchange: () => { this.choice.sound = field.checked ? null : false; this.touched("sound"); } });
    const body = h("label", { class: "check" }, field, text.keep);
    const element = this.row("sound", { label: h("span", { class: "name" }, text.name), control: body });
    body.removeAttribute("aria-describedby");
    field.setAttribute("aria-describedby", element.querySelector("p.help").id);
    this.rows.sound.read = () => {
      field.checked = this.choice.sound ?? true;
      element.hidden = !this.choice.clip?.sound;
    };
    return element;
  }

  finish() {
    const text = T.controls.finish;
    const listed = () => [
      ["", text.own],
      ...Object.entries(this.choice.about.styles).map(([name, style]) => [name, text.names[name] ?? text.other(name)]),
    ];
    return this.select("finish", listed, () => this.choice.finish ?? "", (value) => { this.choice.finish = value || null; });
  }

  classes() {
    const text = T.controls.classes;
    const id = unique("c");
    const list = h("ul", { class: "found", hidden: true });
    const said = h("span", { class: "hidden", role: "status" });
    const field = h("input", { type: "search", id, placeholder: text.search, autocomplete: "off", maxLength: 60, spellcheck: false });
    const look = settled(async () => {
      const word = field.value.trim();
      list.hidden = !word;
      if (!word) { said.textContent = ""; return; }
      try {
        const { classes } = await call("GET", `/api/classes?search=${encodeURIComponent(word)}`);
        if (field.value.trim() !== word) return;
        said.textContent = classes.length ? text.found(classes.length) : text.none;
        fill(list, classes.length
          ? classes.map((each) => h("li", {}, h("button", { type: "button", onclick: () => { this.choice.classes[each.name] = 1; field.value = ""; list.hidden = true; field.focus(); this.touched("classes"); } }, each.text)))
          : h("li", { class: "help" }, text.none));
      } catch (error) {
        this.failed(error);
      }
    }, 120);
    field.addEventListener("input", look);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { field.value = ""; list.hidden = true; }
      if (event.key === "ArrowDown" && !list.hidden) { event.preventDefault(); list.querySelector("button")?.focus(); }
    });
    list.addEventListener("keydown", (event) => {
      const items = [...list.querySelectorAll("button")];
      const at = items.indexOf(document.activeElement);
      if (event.key === "ArrowDown") { event.preventDefault(); items[Math.min(at + 1, items.length - 1)]?.focus(); }
      if (event.key === "ArrowUp") { event.preventDefault(); (at > 0 ? items[at - 1] : field).focus(); }
      if (event.key === "Escape") { list.hidden = true; field.focus(); }
    });
    const chips = h("div", { class: "chips" });
    const alone = h("input", { type: "checkbox", onchange: () => { this.choice.alone = alone.checked; this.touched("classes"); } });
    const only = h("label", { class: "check" }, alone, text.alone);
    const body = h("div", { class: "classes" }, field, said, list, chips, only);
    const element = this.row("classes", { label: h("label", { for: id }, text.name), control: body });
    body.removeAttribute("aria-describedby");
    field.setAttribute("aria-describedby", this.rows.classes.element.querySelector("p.help").id);
    element.hidden = !this.choice.about.classes;
    this.rows.classes.read = () => {
      const names = Object.keys(this.choice.classes);
      fill(chips, names.map((name) => h("button", { type: "button", class: "chip", "aria-label": text.remove(name), onclick: () => { delete this.choice.classes[name]; if (!Object.keys(this.choice.classes).length) this.choice.alone = false; field.focus(); this.touched("classes"); } }, name, icon("close"))));
      only.hidden = !names.length;
      alone.checked = this.choice.alone;
    };
    return element;
  }

  guide() {
    const text = T.controls.guide;
    const file = h("input", { type: "file", accept: "image/*", class: "hidden", tabIndex: -1, "aria-hidden": "true" });
    const button = h("button", { type: "button", class: "plain", onclick: () => file.click() }, icon("picture"), text.choose);
    file.addEventListener("change", async () => {
      const chosen = file.files[0];
      file.value = "";
      if (!chosen) return;
      try {
        const about = await addPicture(chosen, chosen.name);
        this.choice.guides = [about];
        this.touched("guide");
      } catch (error) {
        this.failed(error);
      }
    });
    const shown = h("div", { class: "chips" });
    const body = h("div", { class: "guide" }, button, file, shown);
    const element = this.row("guide", { label: h("span", { class: "name" }, text.name), control: body });
    body.removeAttribute("aria-describedby");
    this.rows.guide.read = () => {
      fill(shown, this.choice.guides.map((guide) => h("span", { class: "thumb" }, h("img", { src: `/api/pictures/${guide.id}/thumb`, alt: guide.name }))));
    };
    return element;
  }

  mask() {
    const text = T.controls.mask;
    const button = h("button", { type: "button", class: "plain", onclick: () => this.paint() }, icon("brush"), h("span", {}, text.paint));
    const shown = h("div", { class: "chips" });
    const body = h("div", { class: "guide" }, button, shown);
    const element = this.row("mask", { label: h("span", { class: "name" }, text.name), control: body });
    body.removeAttribute("aria-describedby");
    this.rows.mask.read = () => {
      button.lastChild.textContent = this.choice.mask ? text.again : text.paint;
      fill(shown, this.choice.mask && h("span", { class: "thumb" }, h("img", { src: `/api/pictures/${this.choice.mask}/thumb`, alt: "" })));
    };
    return element;
  }

  seed() {
    const text = T.controls.seed;
    const id = unique("c");
    const field = h("input", { type: "text", inputMode: "numeric", id, placeholder: text.any, maxLength: 10, autocomplete: "off" });
    field.addEventListener("input", () => {
      const digits = field.value.replace(/\D/g, "");
      this.choice.seed = digits ? Math.min(4294967295, Number(digits)) : null;
      this.touched("seed", false);
    });
    const dice = h("button", { type: "button", class: "quiet square", "aria-label": text.another, title: text.another, onclick: () => { this.choice.seed = Math.floor(Math.random() * 1e6); this.touched("seed"); } }, icon("dice"));
    const body = h("div", { class: "pair" }, field, dice);
    const element = this.row("seed", { label: h("label", { for: id }, text.name), control: body });
    body.removeAttribute("aria-describedby");
    field.setAttribute("aria-describedby", element.querySelector("p.help").id);
    this.rows.seed.read = () => { if (document.activeElement !== field || !field.value) field.value = this.choice.seed ?? ""; };
    return element;
  }

  other() {
    const shown = h("p", { class: "other" });
    const element = this.row("other", { label: h("span", { class: "name" }, T.controls.other.name), control: shown });
    this.rows.other.read = () => {
      const names = Object.entries(this.choice.other).map(([name, value]) => `${name} ${[value].flat().join(" to ")}`);
      shown.textContent = names.join(", ");
      element.hidden = !names.length;
    };
    return element;
  }

  // -- changes ------------------------------------------------------------------------------------

  touched(name, all = true) {
    this.shown(all ? null : name);
    this.changed();
  }

  putBack(name) {
    const { control } = this.rows[name];
    this.choice.putBack(name);
    this.touched(name);
    (control.matches("input, select") ? control : control.querySelector("input:not(.hidden), button"))?.focus();
  }

  putAllBack() {
    const { mix } = this.choice;
    this.choice.reset();
    this.choice.mix = mix;
    this.touched("");
  }

  /** Show the choice as it is, for a picture of some size. */
  shown() {
    let any = false;
    this.film.hidden = !this.choice.clip;
    for (const [name, row] of Object.entries(this.rows)) {
      row.read();
      const changed = this.choice.changed(name);
      row.back.hidden = !changed;
      row.element.classList.toggle("changed", changed);
      any ||= changed;
      if (changed && this.more.contains(row.element) && !this.touchedMore) this.more.open = true;
    }
    this.reset.hidden = !any;
  }

  for(picture) {
    this.picture = picture;
    this.size = picture?.size ?? [1024, 768];
    this.bySize = null;
    this.byRate = null;
    this.shown();
    this.ask();
  }

  // -- costs --------------------------------------------------------------------------------------

  /** Ask what it all costs, and what each control does to that; `told` hears the seconds. */
  async estimate() {
    const { picture, choice, size } = this;
    if (!picture) return;
    this.asked += 1;
    const asked = this.asked;
    const now = choice.settings(size);
    const sides = this.sides();
    const rates = choice.clip ? [...this.rows.fps.control.options].map((option) => Number(option.value)) : [];
    const still = choice.settings(size, true);
    const variants = [now, ...sides.map((longest) => ({ ...now, longest })), ...rates.map((fps) => choice.with({ fps }).settings(size)), still];
    const known = variants.length;
    const rows = [];
    for (const name of ["longest", "octaves", "steps", "finish", "classes", "guide", "length", "fps", "steady"]) {
      const back = name === "classes" ? { classes: {}, alone: false } : { [name]: null };
      if (choice.changed(name) && (choice.clip || !OF_FILMS.includes(name))) {
        rows.push([name, "back"]);
        variants.push(choice.with(name === "guide" ? { guides: [] } : back).settings(size));
      } else if (name === "steps") {
        rows.push([name, "next"]);
        variants.push(choice.with({ steps: 1.25 }).settings(size));
      } else if (name === "classes" && choice.about.classes) {
        rows.push([name, "add"]);
        variants.push(choice.with({ classes: { 0: 1 } }).settings(size));
      } else if (name === "octaves") {
        rows.push([name, "add"]);
        variants.push(choice.with({ octaves: 1 }).settings(size));
      }
    }
    let seconds;
    try {
      ({ seconds } = await estimate(picture.id, variants));
    } catch (error) {
      if (asked === this.asked) this.told?.(null, error);
      return;
    }
    if (asked !== this.asked) return;
    const total = seconds[0];
    this.bySize = Object.fromEntries(sides.map((side, at) => [side, seconds[1 + at]]));
    this.byRate = Object.fromEntries(rates.map((rate, at) => [rate, seconds[1 + sides.length + at]]));
    for (const row of Object.values(this.rows)) row.cost.textContent = "";
    for (const name of ["strength", "colors", "seed"]) this.rows[name].cost.textContent = T.noTime;
    this.rows.mask.cost.textContent = T.noTime;
    rows.forEach(([name, how], at) => {
      const other = seconds[known + at];
      const said = name === "guide" ? T.controls.guide.cost(total - other) : how === "next" ? T.controls.steps.next(other - total) : how === "back" ? T.adds(total - other) : name === "octaves" ? T.controls.octaves.cost(total - other) : T.adds(other - total);
      this.rows[name].cost.textContent = said;
    });
    if (!choice.changed("longest")) this.rows.longest.cost.textContent = T.all(total);
    if (!choice.changed("finish")) this.rows.finish.cost.textContent = T.noTime;
    this.rows.longest.read();
    this.rows.fps.read();
    this.told?.(total, null, seconds[known - 1]);
  }
}
