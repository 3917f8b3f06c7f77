// A dream that is done: what can be done with it, and the page that shows it.
import { call, estimate } from "./api.js";
import { fill, h, icon, settled, unique } from "./dom.js";
import { Stage } from "./stage.js";
import { T } from "./texts.js";

/** Show a dream on a stage: a picture beside the photo, or a film. */
export function showOn(stage, dream, keep = false) {
  const at = `/api/dreams/${dream.id}`;
  if (dream.settings.film) stage.play(`${at}/film`, `${at}/screen`, dream);
  else stage.show({ before: `${at}/before`, after: `${at}/picture`, size: dream.size, name: dream.name, keep });
}

/** Return the buttons of what can be done with a dream. */
export function actions(app, dream) {
  const button = (name, text, action, title) => h("button", { type: "button", class: "plain", title, onclick: action }, icon(name), text);
  const still = [["png", T.act.png], ["jpeg", T.act.jpeg], ["tiff", T.act.tiff]];
  const formats = dream.settings.film ? [["mp4", T.act.mp4], ...still.slice(0, 2)] : still;
  const download = h("details", { class: "menu" },
    h("summary", { class: "plain" }, icon("download"), T.act.download),
    h("ul", {}, formats.map(([format, text]) => h("li", {}, h("a", { href: `/api/dreams/${dream.id}/download?format=${format}`, download: "", onclick: () => { download.open = false; } }, text)))));
  download.addEventListener("keydown", (event) => { if (event.key === "Escape") { download.open = false; download.firstChild.focus(); } });
  const here = app.pictures.has(dream.picture);
  return h("div", { class: "actions" },
    download,
    here && button("dice", T.act.another, () => again(app, dream), T.act.anotherHelp),
    here && !dream.settings.film && button("print", T.act.print, () => print(app, dream)),
    here && app.about.films && !app.pictures.get(dream.picture).clip && button("film", T.act.film, () => film(app, dream)),
    button("copy", T.act.settings, () => use(app, dream)),
    button("again", T.act.start, () => start(app, dream)),
    button("trash", T.act.delete, () => remove(app, dream)));
}

async function again(app, dream) {
  const { seed, ...settings } = dream.settings;
  await begin(app, dream, settings);
}

async function begin(app, dream, settings) {
  try {
    const picture = app.pictures.get(dream.picture);
    if (app.make.picture?.id !== picture.id) app.make.open(picture);
    app.go("#make");
    await app.make.dream(settings, dream.picture);
  } catch (error) {
    app.say(error.message);
  }
}

function use(app, dream) {
  const picture = app.pictures.get(dream.picture);
  if (picture && app.make.picture?.id !== picture.id) app.make.open(picture);
  app.make.use(dream.settings);
  app.go("#make");
  if (!app.make.picture) app.say(T.act.chosen);
}

async function start(app, dream) {
  try {
    const picture = await call("POST", `/api/dreams/${dream.id}/use`);
    app.pictures.set(picture.id, picture);
    app.make.open(picture);
    app.make.carried.hidden = true;
    app.go("#make");
  } catch (error) {
    app.say(error.message);
  }
}

async function remove(app, dream) {
  try {
    await call("DELETE", `/api/dreams/${dream.id}`);
    app.say(T.act.deleted(dream.name), T.undo, async () => {
      await call("POST", `/api/dreams/${dream.id}/restore`);
      app.say(T.act.restored);
    });
  } catch (error) {
    app.say(error.message);
  }
}

/** Ask how large, and make it. */
function print(app, dream) {
  const [w, h_] = dream.size;
  const base = Math.max(w, h_);
  const id = unique();
  const told = h("output", { class: "help", for: id });
  const field = h("input", { type: "number", id, min: base + 1, max: app.about.limits.longest[1], step: 1, inputMode: "numeric" });
  const make = h("button", { type: "submit", class: "main" }, T.print.make);
  const settings = () => {
    const { compose, ...rest } = dream.settings;
    return { ...rest, longest: Number(field.value), compose: compose ?? [w, h_] };
  };
  const ask = settled(async () => {
    const side = Number(field.value);
    make.disabled = !(side > base);
    if (make.disabled) { told.textContent = T.print.least(base); return; }
    try {
      const { seconds } = await estimate(dream.picture, [settings()]);
      told.textContent = T.print.size(Math.round((w * side) / base), Math.round((h_ * side) / base), seconds[0]);
    } catch (error) {
      told.textContent = error.message;
      make.disabled = true;
    }
  });
  field.addEventListener("input", ask);
  const presets = Object.entries(T.print.sizes).filter(([, side]) => side > base);
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": `${id}t` },
    h("form", { method: "dialog", onsubmit: () => begin(app, dream, settings()) },
      h("h2", { id: `${id}t` }, T.print.title), h("p", { class: "help" }, T.print.lead),
      h("div", { class: "presets" }, presets.map(([name, side]) => h("button", { type: "button", class: "plain", onclick: () => { field.value = side; ask(); } }, T.print.preset(name)))),
      h("label", { for: id }, T.print.side), field, told,
      h("div", { class: "row end" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, T.cancel), make)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  field.value = 2 * base;
  ask();
  dialog.showModal();
}

const RATE = 25; // frames per second

/** Ask for a camera's move, and make a film of it. */
function film(app, dream) {
  const before = dream.settings.film;
  const rows = {};
  const slide = (name, text, shown, { min, max, step, value }) => {
    const id = unique();
    const told = h("output", { for: id }, shown(value));
    const field = h("input", { type: "range", id, min, max, step, value, oninput: () => { told.textContent = shown(Number(field.value)); ask(); } });
    rows[name] = field;
    return h("div", { class: "slide" }, h("label", { for: id }, text), told, field);
  };
  const loop = h("input", { type: "checkbox", checked: before?.loop ?? false, onchange: () => ask() });
  const side = unique();
  const sides = [320, 480, 640, 960, 1280];
  const longest = h("select", { id: side, onchange: () => ask() }, sides.map((each) => h("option", { value: each }, String(each))));
  longest.value = sides.includes(dream.settings.longest) ? dream.settings.longest : 480;
  const told = h("output", { class: "help" });
  const make = h("button", { type: "submit", class: "main" }, T.film.make);
  const settings = () => {
    const { compose, film: _, ...rest } = dream.settings;
    const frames = Math.round(RATE * Number(rows.length.value));
    const zoom = 1 - (1 - Number(rows.speed.value)) ** (1 / RATE);
    return { ...rest, longest: Number(longest.value), film: { frames, zoom: Math.round(zoom * 1e5) / 1e5, turn: Number(rows.turn.value) / RATE, loop: loop.checked } };
  };
  const ask = settled(async () => {
    try {
      const wanted = settings();
      const { seconds } = await estimate(dream.picture, [wanted]);
      told.textContent = T.film.told(wanted.film.frames, seconds[0]);
      make.disabled = false;
    } catch (error) {
      told.textContent = error.message;
      make.disabled = true;
    }
  });
  const title = unique();
  const dialog = h("dialog", { class: "dialog", "aria-labelledby": title },
    h("form", { method: "dialog", onsubmit: () => begin(app, dream, settings()) },
      h("h2", { id: title }, T.film.title), h("p", { class: "help" }, T.film.lead),
      slide("length", T.film.length, T.film.lengthValue, { min: 1, max: 30, step: 1, value: before ? Math.round(before.frames / RATE) : 4 }),
      slide("speed", T.film.speed, T.film.speedValue, { min: 0, max: 0.8, step: 0.05, value: before ? Math.round(20 * (1 - (1 - before.zoom) ** RATE)) / 20 : 0.4 }),
      slide("turn", T.film.turn, T.film.turnValue, { min: -45, max: 45, step: 5, value: before ? Math.round(before.turn * RATE) : 0 }),
      h("label", { class: "check" }, loop, T.film.loop),
      h("label", { for: side }, T.film.side), longest, told,
      h("div", { class: "row end" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, T.cancel), make)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  ask();
  dialog.showModal();
}

/** The page of one dream. */
export class Viewer {
  constructor(app) {
    this.app = app;
    this.stage = new Stage();
    this.side = h("div", { class: "panel" });
    this.element = h("div", { class: "viewing" },
      h("p", {}, h("a", { href: "#library", class: "back" }, T.list.back)),
      h("div", { class: "work" }, h("div", { class: "stand" }, this.stage.element), this.side));
  }

  show(id) {
    const dream = this.app.dreams.get(id);
    if (!dream) return false;
    this.id = id;
    showOn(this.stage, dream);
    const picture = this.app.pictures.get(dream.picture);
    fill(this.side,
      h("section", { class: "block" }, h("h1", {}, dream.name), actions(this.app, dream)),
      h("section", { class: "block" }, h("h2", {}, T.list.how),
        h("p", {}, T.list.from(dream.name, ...(picture?.size ?? dream.size))),
        h("ul", { class: "recipe" }, T.recipe(dream, this.app.about.looks).map((line) => h("li", {}, line))),
        dream.notes?.length > 0 && h("p", { class: "help" }, dream.notes.join(" "))));
    return true;
  }
}
