// The page: what there is, where one is, and what the program tells.
import { call, listen } from "./api.js";
import { fill, h } from "./dom.js";
import { Library } from "./library.js";
import { Make } from "./make.js";
import { T } from "./texts.js";
import { Viewer } from "./viewer.js";

const SAID = 8000; // milliseconds that a message stays

class App {
  async start() {
    document.title = T.name;
    this.jobs = new Map();
    this.dreams = new Map();
    this.pictures = new Map();
    this.frame();
    try {
      this.about = await call("GET", "/api");
      await this.readAll();
    } catch (error) {
      fill(this.main, h("p", { class: "problem", role: "alert" }, error.message));
      return;
    }
    this.make = new Make(this);
    this.library = new Library(this);
    this.viewer = new Viewer(this);
    addEventListener("hashchange", () => this.route());
    if (this.about.broken) this.say(this.about.broken);
    await this.make.recall();
    this.route();
    listen((kind, what) => this.heard(kind, what), (connected) => this.connected(connected));
  }

  frame() {
    this.links = [["#make", T.make], ["#library", T.library]].map(([href, text]) => h("a", { href }, text));
    this.busy = h("span", { class: "busy-now", role: "status" });
    this.main = h("main", { id: "main", tabIndex: -1 });
    this.toast = h("div", { class: "toast", role: "status", "aria-live": "polite" });
    this.live = h("div", { class: "hidden", role: "status", "aria-live": "polite" });
    this.lost = h("p", { class: "lost", role: "alert", hidden: true }, T.lost);
    document.body.append(
      h("a", { href: "#main", class: "skip", onclick: (event) => { event.preventDefault(); this.main.focus(); } }, T.skip),
      h("header", { class: "top" },
        h("a", { href: "#make", class: "mark" }, h("img", { src: "/page/icon.svg", alt: "", width: 26, height: 26 }), T.name),
        h("nav", { "aria-label": T.main }, this.links), this.busy),
      this.lost, this.main, this.toast, this.live);
  }

  async readAll() {
    const [{ jobs }, { dreams }, { pictures }] = await Promise.all(["jobs", "dreams", "pictures"].map((what) => call("GET", `/api/${what}`)));
    this.jobs = new Map(jobs.map((job) => [job.id, job]));
    this.dreams = new Map(dreams.map((dream) => [dream.id, dream]));
    this.pictures = new Map(pictures.map((picture) => [picture.id, picture]));
  }

  go(hash) {
    if (location.hash === hash) this.route();
    else location.hash = hash;
  }

  route() {
    const [, where, id] = /^#?(\w*)\/?(\w*)/.exec(location.hash);
    let shown = this.make;
    if (where === "library") shown = this.library;
    if (where === "dream") {
      const there = this.viewer.show(id);
      shown = there ? this.viewer : this.library;
      if (!there) this.say(T.list.gone);
    }
    if (shown === this.library) this.library.shown();
    const name = shown === this.make ? "#make" : "#library";
    for (const link of this.links) {
      if (link.getAttribute("href") === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (this.main.firstChild !== shown.element) {
      fill(this.main, shown.element);
      scrollTo(0, 0);
    }
    document.title = shown === this.make ? T.name : `${T.library} · ${T.name}`;
  }

  // -- what the program tells ---------------------------------------------------------------------

  heard(kind, what) {
    if (kind === "all") {
      this.jobs = new Map(what.jobs.map((job) => [job.id, job]));
      if (this.heardBefore) {
        this.readAll().then(() => {
          if (this.make.picture && !this.pictures.has(this.make.picture.id)) this.make.leave(); // deleted meanwhile
          this.changed();
        });
      }
      this.heardBefore = true;
    } else if (kind === "job") {
      if (this.jobs.get(what.id)?.asked !== what.asked) this.jobs.delete(what.id); // it comes last now
      this.jobs.set(what.id, what);
    } else if (kind === "step") {
      const { id, ...progress } = what;
      const job = this.jobs.get(id);
      if (job) job.progress = progress;
      this.make.step(id, progress);
      this.showBusy();
      return;
    } else if (kind === "gone") this.jobs.delete(what);
    else if (kind === "look") { this.make.lookMade(what); return; }
    else if (kind === "picture") this.pictures = new Map([[what.id, what], ...this.pictures]);
    else if (kind === "dream") this.dreams.set(what.id, what);
    else if (kind === "deleted") {
      this.pictures.delete(what);
      if (this.make.picture?.id === what) this.make.leave();
      this.dreams.delete(what);
      if (location.hash === `#dream/${what}`) this.go("#library");
      if (this.make.shownDream === what) { this.make.current = this.make.shownDream = null; this.make.after.hidden = true; this.make.back(); }
    } else if (kind === "broken") this.say(what);
    this.changed();
  }

  changed() {
    this.make.jobsChanged();
    this.make.showRecent();
    if (this.main.firstChild === this.library.element) this.library.shown();
    this.showBusy();
  }

  showBusy() {
    const active = [...this.jobs.values()].filter((job) => ["waiting", "running", "stopping"].includes(job.state));
    const running = active.find((job) => job.progress);
    const text = !active.length ? "" : running && active.length === 1 ? T.watch.running(Math.floor(20 * running.progress.done) / 20) : T.watch.inLine(active.length);
    if (this.busy.textContent !== text) this.busy.textContent = text;
  }

  connected(yes) {
    clearTimeout(this.losing);
    if (yes) {
      this.lost.hidden = true;
      if (this.make.wrong === T.offline) this.make.problem("");
    } else this.losing = setTimeout(() => { this.lost.hidden = false; }, 1500);
  }

  /** Say something for a while, with something to do about it. */
  say(text, action, done) {
    clearTimeout(this.saying);
    const hide = () => fill(this.toast);
    fill(this.toast, h("div", { class: "said" }, h("p", {}, text),
      action && h("button", { type: "button", class: "plain", onclick: () => { hide(); Promise.resolve(done()).catch((error) => this.say(error.message)); } }, action),
      h("button", { type: "button", class: "quiet square", "aria-label": T.close, onclick: hide }, "×")));
    this.saying = setTimeout(hide, action ? 2 * SAID : SAID);
  }

  announce(text) {
    this.live.textContent = text;
    setTimeout(() => { this.live.textContent = ""; }, 3000);
  }
}

new App().start();
