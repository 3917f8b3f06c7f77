// The looks: what each layer makes of this very picture, to choose from and to mix.
import { wantLooks } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { T } from "./texts.js";

export class Looks {
  /** `chosen` is called after each change of the choice's mix. */
  constructor(choice, chosen) {
    this.choice = choice;
    this.chosen = chosen;
    this.picture = null;
    this.all = false;
    this.tiles = new Map();
    this.list = h("ul", { class: "looks" });
    this.more = h("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => this.expand() }, T.looks.more);
    this.mix = h("div", { class: "mix" });
    this.waiting = h("p", { class: "help", role: "status" }, T.looks.waiting);
    this.element = h("section", { class: "block", "aria-labelledby": "looks-title" },
      h("h2", { id: "looks-title" }, T.looks.title), h("p", { class: "help" }, T.looks.lead), this.list,
      h("div", { class: "row" }, this.more, this.waiting), this.mix);
    for (const look of choice.about.looks) this.list.append(this.tile(look));
    this.shown();
  }

  name(look) {
    return look.named ? T.looks.title_of(look.name) : T.looks.layer(look.layer);
  }

  tile(look) {
    const image = h("img", { alt: "", hidden: true, decoding: "async" });
    const name = this.name(look);
    const choose = h("button", { type: "button", class: "look", "aria-pressed": "false", onclick: () => this.only(look.layer) },
      h("span", { class: "frame" }, image), h("span", { class: "label" }, name), h("span", { class: "sub" }, look.text || T.looks.depth(look.depth)));
    const add = h("button", { type: "button", class: "add", title: T.looks.add(name), "aria-label": T.looks.add(name), onclick: () => this.toggle(look.layer) }, icon("plus"));
    const item = h("li", { class: look.named ? "" : "further" }, choose, add);
    this.tiles.set(look.name, { look, item, image, choose, add });
    return item;
  }

  expand(all = !this.all) {
    this.all = all;
    this.list.classList.toggle("all", all);
    this.more.textContent = all ? T.looks.fewer : T.looks.more;
    this.more.setAttribute("aria-expanded", String(all));
  }

  /** Show another picture's looks, and have them made. */
  async show(picture) {
    this.picture = picture;
    for (const { image, item } of this.tiles.values()) {
      image.hidden = true;
      image.removeAttribute("src");
      item.classList.remove("failed");
    }
    this.waiting.hidden = !picture;
    if (!picture) return;
    const [w, height] = picture.size;
    this.list.style.setProperty("--shape", Math.min(1.6, Math.max(0.8, w / height)));
    const { looks } = await wantLooks(picture.id);
    if (this.picture !== picture) return;
    for (const [name, made] of Object.entries(looks)) if (made) this.made({ picture: picture.id, look: name, made });
    this.wait();
  }

  /** Hear that a look has been made. */
  made({ picture, look, made }) {
    const tile = this.tiles.get(look);
    if (!tile || picture !== this.picture?.id) return;
    if (made) {
      tile.image.src = `/api/pictures/${picture}/looks/${look}`;
      tile.image.hidden = false;
    }
    tile.item.classList.toggle("failed", !made);
    this.wait();
  }

  wait() {
    this.waiting.hidden = [...this.tiles.values()].every(({ image, item }) => !image.hidden || item.classList.contains("failed"));
  }

  only(layer) {
    this.choice.mix = { [layer]: 1 };
    this.changed();
  }

  toggle(layer) {
    const { mix } = this.choice;
    if (!(layer in mix)) mix[layer] = 1;
    else if (Object.keys(mix).length > 1) delete mix[layer];
    this.changed();
  }

  changed() {
    this.shown();
    this.chosen();
  }

  /** Show what is chosen. */
  shown() {
    const { mix } = this.choice;
    const layers = Object.keys(mix);
    for (const { look, item, choose, add } of this.tiles.values()) {
      const on = look.layer in mix;
      const name = this.name(look);
      item.classList.toggle("on", on);
      choose.setAttribute("aria-pressed", String(on));
      const label = on ? T.looks.remove(name) : T.looks.add(name);
      add.hidden = on && layers.length === 1;
      add.title = label;
      add.setAttribute("aria-label", label);
      fill(add, icon(on ? "check" : "plus"));
      if (on && !look.named) this.expand(true);
    }
    this.mix.hidden = layers.length < 2;
    fill(this.mix, h("h3", {}, T.looks.mix), h("p", { class: "help" }, T.looks.mixHelp), ...layers.map((layer) => this.share(layer)));
  }

  share(layer) {
    const look = this.choice.lookOf(layer);
    const name = look ? this.name(look) : layer;
    const value = h("output", {}, `${Math.round(this.choice.mix[layer] * 100)} %`);
    return h("div", { class: "share" }, h("span", {}, name),
      h("input", {
        type: "range", min: 5, max: 200, step: 5, value: Math.round(this.choice.mix[layer] * 100), "aria-label": T.looks.share(name),
        oninput: (event) => {
          this.choice.mix[layer] = event.target.value / 100;
          value.textContent = `${event.target.value} %`;
          this.chosen();
        },
      }), value,
      h("button", { type: "button", class: "quiet square", "aria-label": T.looks.remove(name), title: T.looks.remove(name), onclick: () => this.toggle(layer) }, icon("close")));
  }
}
