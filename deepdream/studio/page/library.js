// The library: all that was made, newest first, to search and to open.
import { fill, h } from "./dom.js";
import { T } from "./texts.js";

export class Library {
  constructor(app) {
    this.app = app;
    this.field = h("input", { type: "search", "aria-label": T.list.search, placeholder: T.list.search, oninput: () => this.shown() });
    this.count = h("p", { class: "help", role: "status" });
    this.grid = h("ul", { class: "grid" });
    this.none = h("p", { class: "lead", hidden: true });
    this.element = h("div", { class: "library" },
      h("div", { class: "row between" }, h("h1", {}, T.list.title), h("div", { class: "search" }, this.field)), this.count, this.none, this.grid);
  }

  words(dream) {
    return `${dream.name} ${T.recipe(dream, this.app.about.looks).join(" ")} ${JSON.stringify(dream.settings)}`.toLowerCase();
  }

  shown() {
    const all = [...this.app.dreams.values()].sort((a, b) => b.made - a.made);
    const wanted = this.field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.filter((dream) => { const words = this.words(dream); return wanted.every((word) => words.includes(word)); });
    this.count.textContent = all.length ? T.list.count(found.length, all.length) : "";
    this.none.hidden = found.length > 0;
    this.none.textContent = all.length ? T.list.nothing : T.list.none;
    fill(this.grid, found.map((dream) => this.card(dream)));
  }

  card(dream) {
    const [w, height] = dream.size;
    const look = T.recipe(dream, this.app.about.looks)[0];
    return h("li", { "data-dream": dream.id },
      h("a", { href: `#dream/${dream.id}`, class: "card" },
        h("span", { class: "frame" }, h("img", { src: `/api/dreams/${dream.id}/thumb`, alt: T.list.open(dream.name), width: w, height, loading: "lazy" }),
          dream.settings.film && h("span", { class: "kind" }, T.film.kind)),
        h("span", { class: "label" }, dream.name), h("span", { class: "sub" }, look)));
  }
}
