// Making: a picture is brought, a look chosen, and the dream watched.
import { addPicture, call, cancelJob, goOn, startDream, stopJob } from "./api.js";
import { openCamera } from "./camera.js";
import { Choice } from "./choice.js";
import { Controls } from "./controls.js";
import { fill, h, icon, settled } from "./dom.js";
import { Looks } from "./looks.js";
import { paintMask } from "./mask.js";
import { Stage } from "./stage.js";
import { T } from "./texts.js";
import { actions, showOn } from "./viewer.js";

const MEMORY = "deepdream-studio";
const RECENT = 8; // pictures that are shown at first
const BUSY = ["waiting", "running", "stopping"];

export class Make {
  constructor(app) {
    this.app = app;
    this.choice = new Choice(app.about);
    this.picture = null;
    this.current = null; // the job that is watched, and the dream that it becomes
    this.shownDream = null;
    this.stage = new Stage();
    const save = settled(() => this.remember(), 100);
    this.looks = new Looks(this.choice, () => { this.controls.shown(); this.controls.ask(); save(); });
    this.controls = new Controls(this.choice, {
      changed: () => { this.looks.shown(); this.controls.ask(); save(); },
      paint: () => this.paint(),
      seek: (seconds) => this.stage.seek(seconds),
      failed: (error) => app.say(error.message),
    });
    this.controls.told = (seconds, error, still) => this.cost(seconds, error, still);
    this.any = app.about.films; // clips are taken, too
    this.file = h("input", { type: "file", accept: this.any ? "image/*,video/*" : "image/*", class: "hidden", tabIndex: -1, "aria-hidden": "true", onchange: () => this.fromFile(this.file) });
    this.phone = h("input", { type: "file", accept: "image/*", capture: "environment", class: "hidden", tabIndex: -1, "aria-hidden": "true", onchange: () => this.fromFile(this.phone) });
    this.build();
    this.listen();
  }

  build() {
    this.sent = h("span", { role: "status" });
    this.sendingBar = h("progress", { max: 1, value: 0, "aria-label": T.bring.progress });
    this.sending = h("div", { class: "sending", hidden: true }, this.sent, this.sendingBar,
      h("button", { type: "button", class: "quiet", onclick: () => this.taking?.abort() }, T.cancel));
    this.recent = h("section", { class: "recent", hidden: true, "aria-labelledby": "recent-title" });
    this.queue = h("section", { class: "queue", hidden: true, "aria-labelledby": "queue-title" });
    this.bring = h("div", { class: "bring" },
      h("div", { class: "target" },
        h("h1", {}, T.bring.title), h("p", { class: "lead" }, T.bring.lead),
        h("div", { class: "row" },
          h("button", { type: "button", class: "main", onclick: () => this.file.click() }, icon("picture"), this.any ? T.bring.chooseAny : T.bring.choose),
          h("button", { type: "button", class: "plain", onclick: () => this.photograph() }, icon("camera"), T.bring.photograph)),
        h("p", { class: "help drop" }, this.any ? T.bring.dropAny : T.bring.drop)),
      this.queue, this.recent);
    this.name = h("h1", { class: "name" });
    this.carried = h("div", { class: "note", hidden: true });
    this.watch = h("div", { class: "watch", hidden: true });
    this.after = h("div", { class: "after-dream", hidden: true });
    this.price = h("span", { class: "price" });
    this.startButton = h("button", { type: "button", class: "main dream", onclick: () => this.dream() }, h("span", { class: "word" }, T.dream), this.price);
    this.tryPrice = h("span", { class: "price" });
    this.tryButton = h("button", { type: "button", class: "quiet try", hidden: true, onclick: () => this.dream(this.choice.settings(this.picture.size, true)) }, icon("picture"), h("span", {}, T.tryFrame), this.tryPrice);
    this.said = h("p", { class: "problem", role: "alert", hidden: true });
    this.stand = h("div", { class: "stand" },
      h("div", { class: "row between title" }, this.name,
        h("div", { class: "row" },
          h("button", { type: "button", class: "quiet", onclick: () => this.leave() }, icon("copy"), T.bring.recent),
          h("button", { type: "button", class: "quiet", onclick: () => this.file.click() }, icon("picture"), this.any ? T.bring.anotherAny : T.bring.another),
          h("button", { type: "button", class: "quiet", "aria-label": T.bring.photograph, title: T.bring.photograph, onclick: () => this.photograph() }, icon("camera"), h("span", { class: "wide-only" }, T.bring.photograph)))),
      this.carried, this.stage.element, this.watch, this.after);
    this.work = h("div", { class: "work", hidden: true }, this.stand,
      h("div", { class: "panel" }, this.looks.element, this.controls.element, h("div", { class: "start" }, this.said, this.startButton, this.tryButton)));
    this.over = h("div", { class: "over", hidden: true }, h("p", {}, T.bring.now));
    this.element = h("div", { class: "making" }, this.file, this.phone, this.sending, this.bring, this.work, this.over);
  }

  listen() {
    let depth = 0;
    const files = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => { if (files(event)) { depth += 1; this.over.hidden = false; } });
    addEventListener("dragleave", (event) => { if (files(event)) { depth -= 1; this.over.hidden = depth > 0 ? false : true; } });
    addEventListener("dragover", (event) => files(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      depth = 0;
      this.over.hidden = true;
      if (event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
    });
    addEventListener("paste", (event) => {
      const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
      if (file) { event.preventDefault(); this.take(file); }
    });
  }

  fromFile(input) {
    const file = input.files[0];
    input.value = "";
    if (file) this.take(file);
  }

  async photograph() {
    if (matchMedia("(pointer: coarse)").matches || !navigator.mediaDevices?.getUserMedia) {
      this.phone.click();
      return;
    }
    try {
      const blob = await openCamera();
      if (blob) this.take(new File([blob], "photo.jpg", { type: "image/jpeg" }));
    } catch {
      this.app.say(T.camera.none);
    }
  }

  /** Bring a file in, and show it. */
  async take(file) {
    this.app.go("#make");
    if (file.type && !(this.any ? /^(image|video)\// : /^image\//).test(file.type)) {
      this.problem(this.any ? T.bring.notAny : T.bring.notPicture);
      return;
    }
    this.problem("");
    this.taking?.abort(); // the last one counts
    const taking = new AbortController();
    this.taking = taking;
    const told = (share) => { this.sent.textContent = T.bring.sending(share); this.sendingBar.value = share; };
    told(0);
    this.sending.hidden = false;
    try {
      const picture = await addPicture(file, file.name || "picture", told, taking.signal);
      if (this.taking === taking) this.open(picture);
    } catch (error) {
      if (!taking.signal.aborted) this.problem(error.message);
    } finally {
      if (this.taking === taking) { this.sending.hidden = true; this.taking = null; }
    }
  }

  /** Say what went wrong until something else is tried; where that is out of sight for a while. */
  problem(text) {
    this.wrong = text;
    this.showProblem();
    const seen = this.said.checkVisibility() && this.said.getBoundingClientRect().bottom <= innerHeight;
    if (text && !seen) this.app.say(text);
  }

  showProblem() {
    const text = this.refused || this.wrong || "";
    if (this.said.textContent !== text) this.said.textContent = text;
    this.said.hidden = !text;
  }

  /** Take a picture of the library as the one to dream on. */
  open(picture, { keepChoice = true } = {}) {
    this.picture = picture;
    this.current = null;
    this.shownDream = null;
    this.choice.mask = null;
    if (!keepChoice) this.choice.reset();
    this.choice.longest = null;
    this.choice.clip = picture.clip ?? null;
    Object.assign(this.choice, { from: null, length: null, fps: null });
    this.tryButton.hidden = !picture.clip;
    this.bring.hidden = true;
    this.work.hidden = false;
    this.stand.append(this.queue);
    this.after.hidden = true;
    this.watch.hidden = true;
    this.name.textContent = `${picture.name} · ${T.bring.size(...picture.size)}${picture.clip ? ` · ${T.bring.length(picture.clip.seconds)}` : ""}`;
    this.showPicture();
    this.carry(picture);
    this.jobsChanged();
    this.looks.shown();
    this.looks.show(picture).catch((error) => this.app.say(error.message));
    this.controls.for(picture);
    this.remember();
  }

  /** Go back to where pictures are brought, and those that were can be chosen. */
  leave() {
    this.stage.rest();
    this.picture = this.current = this.shownDream = null;
    this.problem("");
    this.work.hidden = true;
    this.bring.hidden = false;
    this.recent.before(this.queue);
    this.looks.show(null);
    this.controls.for(null);
    this.jobsChanged();
    this.remember();
    scrollTo(0, 0);
  }

  /** Show the picture that is dreamt on; a clip can be played. */
  showPicture() {
    const { id, clip, size, name } = this.picture;
    const at = `/api/pictures/${id}`;
    const moves = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (clip?.type === "image/gif") this.stage.show({ before: moves ? `${at}/clip` : `${at}/screen`, size, name });
    else if (clip) this.stage.play(`${at}/clip`, `${at}/screen`, { size, name, start: false });
    else this.stage.show({ before: `${at}/screen`, size, name });
  }

  /** Offer the settings that a picture has brought with it. */
  carry(picture) {
    const there = picture.settings && Object.keys(picture.settings).length > 0;
    this.carried.hidden = !there;
    if (!there) return;
    const reasons = (picture.left_out ?? []).map((reason) => T.bring.without[reason]);
    fill(this.carried, h("p", {}, T.bring.carries(Boolean(picture.clip)), " ", reasons.length > 0 && T.bring.leftOut(reasons)),
      h("button", { type: "button", class: "plain", onclick: () => { this.use(picture.settings); this.carried.hidden = true; } }, T.bring.use));
  }

  use(settings) {
    this.choice.use(settings, (id) => this.app.pictures.get(id));
    this.looks.shown();
    this.controls.for(this.picture);
    this.remember();
  }

  /** Hear that a look is there: the first ones tell how fast this machine is. */
  lookMade(made) {
    this.looks.made(made);
    if (made.picture === this.picture?.id) this.controls.ask();
  }

  cost(seconds, error, still) {
    this.price.textContent = seconds === null ? "" : T.about(seconds);
    this.tryPrice.textContent = still === undefined ? "" : T.about(still);
    this.tryButton.disabled = Boolean(error);
    this.refused = error ? error.message : "";
    this.showProblem();
    this.startButton.disabled = Boolean(error);
  }

  async dream(settings = this.choice.settings(this.picture.size), picture = this.picture.id) {
    this.problem("");
    try {
      const job = await startDream(picture, settings);
      this.app.jobs.set(job.id, this.app.jobs.get(job.id) ?? job);
      if (BUSY.includes(this.app.jobs.get(this.current)?.state)) { // that one stays in sight
        this.app.say(T.watch.queued);
        this.jobsChanged();
      } else this.watchJob(job.id);
    } catch (error) {
      this.problem(error.message);
    }
  }

  /** Watch a job from now on. */
  watchJob(id) {
    this.current = id;
    this.shownDream = null;
    this.after.hidden = true;
    this.watching = null;
    if (this.picture) this.stage.show({ before: `/api/pictures/${this.picture.id}/screen`, size: this.shape(id), name: this.picture.name });
    this.remember();
    this.jobsChanged();
    if (innerWidth < 960) this.stage.element.scrollIntoView({ block: "start", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  }

  shape(id) {
    const longest = this.app.jobs.get(id)?.settings.longest ?? Math.max(...this.picture.size);
    const scale = longest / Math.max(...this.picture.size);
    return this.picture.size.map((side) => Math.max(1, Math.round(side * scale)));
  }

  // -- what the program tells ---------------------------------------------------------------------

  jobsChanged() {
    const { jobs } = this.app;
    const active = [...jobs.values()].filter((job) => BUSY.includes(job.state));
    const others = [...jobs.values()].filter((job) => job.kept || (BUSY.includes(job.state) && job.id !== this.current));
    this.startButton.querySelector(".word").textContent = this.picture?.clip ? (active.length ? T.filmLater : T.filming) : active.length ? T.later : T.dream;
    this.showQueue(others);
    const job = this.current && jobs.get(this.current);
    this.watch.hidden = !(job && BUSY.includes(job.state));
    if (!job) return;
    if (BUSY.includes(job.state)) {
      if (this.watching !== job.id) this.buildWatch(job);
      this.showState(job, active.findIndex((each) => each.id === job.id));
      if (job.progress) this.step(job.id, job.progress);
    } else if (job.state === "failed") {
      this.current = null;
      if (!job.kept) this.problem(T.watch.failed(job.name) + (job.why ?? ""));
      this.back();
    } else if (job.state === "cancelled") {
      this.current = null;
      this.back();
    } else if (job.state === "done") {
      const dream = this.app.dreams.get(job.id);
      if (dream && this.shownDream !== dream.id) this.finished(dream);
    }
  }

  back() {
    if (this.picture) this.showPicture();
    this.remember();
  }

  buildWatch(job) {
    this.watching = job.id;
    this.shownCount = 0;
    this.bar = h("progress", { max: 1, value: 0, "aria-label": T.watch.progress });
    this.where = h("span", { class: "where" });
    this.left = h("span", { class: "time-left" });
    this.stopButton = h("button", { type: "button", class: "plain", onclick: () => this.act(stopJob, job.id) }, icon("stop"), T.watch.stop);
    this.cancelButton = h("button", { type: "button", class: "quiet", onclick: () => this.act(cancelJob, job.id) }, icon("close"), T.watch.cancel);
    fill(this.watch, this.bar, h("p", { class: "told" }, this.where, this.left), h("div", { class: "row" }, this.stopButton, this.cancelButton));
  }

  async act(how, id) {
    try {
      await how(id);
      this.problem("");
    } catch (error) {
      this.problem(error.message);
    }
  }

  showState(job, before) {
    const { state, phase, progress } = job;
    this.stopButton.hidden = state !== "running" || phase === "writing";
    this.cancelButton.hidden = state === "stopping";
    if (state === "waiting") this.where.textContent = T.watch.waiting(Math.max(0, before));
    else if (state === "stopping") this.where.textContent = T.watch.stopping;
    else if (phase === "writing") this.where.textContent = T.watch.writing;
    else if (!progress) this.where.textContent = T.watch.begun;
    if (state !== "running" || phase === "writing") this.left.textContent = "";
  }

  step(id, progress) {
    if (id !== this.current || this.watching !== id) {
      const tag = this.queue.querySelector(`[data-job="${id}"] .state`);
      if (tag) tag.textContent = T.watch.running(progress.done);
      return;
    }
    this.bar.value = progress.done;
    if (this.app.jobs.get(id)?.state === "running") {
      this.where.textContent = progress.frames > 1 ? T.watch.frame(progress) : T.watch.step(progress);
      this.left.textContent = T.watch.left(progress.left);
    }
    if (progress.shown > this.shownCount && this.picture) {
      this.shownCount = progress.shown;
      this.stage.grow(`/api/jobs/${id}/picture?n=${progress.shown}`, this.picture.name, progress.frames === 1);
    }
  }

  finished(dream) {
    this.shownDream = dream.id;
    this.watch.hidden = true;
    this.controls.ask();
    this.showDream(dream, true);
    this.app.announce(T.watch.announced);
  }

  showDream(dream, keep = false) {
    showOn(this.stage, dream, keep);
    this.after.hidden = false;
    fill(this.after, h("p", { class: "kept" }, icon("check"), T.watch.kept, " ", dream.notes?.join(" ")), actions(this.app, dream));
    this.remember();
  }

  /** Show the jobs that are not watched, and films that failed and can be gone on with. */
  showQueue(jobs) {
    this.queue.hidden = !jobs.length;
    if (!jobs.length) { fill(this.queue); return; }
    const focused = this.queue.contains(document.activeElement) && document.activeElement.id;
    fill(this.queue, h("h3", { id: "queue-title" }, T.watch.others), h("ul", {}, jobs.map((job) => this.queued(job))));
    if (focused) document.getElementById(focused)?.focus();
  }

  queued(job) {
    const { id, name, picture, state, progress, kept, why } = job;
    const there = this.app.pictures.has(picture);
    const button = (what, label, action, ...text) => h("button", { type: "button", id: `${what}-${id}`, class: text.length ? "plain" : "quiet square", "aria-label": `${label}: ${name}`, title: label, onclick: action }, icon(what), ...text);
    return h("li", { "data-job": id },
      there ? h("img", { src: `/api/pictures/${picture}/thumb`, alt: "" }) : h("span"),
      there && !kept ? h("button", { type: "button", id: `who-${id}`, class: "who", title: T.watch.watch, onclick: () => this.watchOther(job) }, name) : h("span", { class: "who" }, name),
      h("span", { class: "state" }, progress ? T.watch.running(progress.done) : T.watch.state[state]),
      button("close", T.watch.cancel, () => this.act(cancelJob, id)),
      kept && h("div", { class: "why" }, h("p", {}, why), button("again", T.watch.goOn, () => this.act(goOn, id), T.watch.goOn)));
  }

  /** Watch a job of the queue, on its own picture. */
  watchOther(job) {
    if (this.picture?.id !== job.picture) this.open(this.app.pictures.get(job.picture));
    this.watchJob(job.id);
  }

  showRecent() {
    const pictures = [...this.app.pictures.values()];
    const shown = this.all ? pictures : pictures.slice(0, RECENT);
    this.recent.hidden = !pictures.length;
    fill(this.recent, h("h2", { id: "recent-title" }, T.bring.recent), h("ul", {}, shown.map((picture) =>
      h("li", {},
        h("button", { type: "button", class: "recent-picture", onclick: () => this.open(picture) }, h("img", { src: `/api/pictures/${picture.id}/thumb`, alt: picture.name, loading: "lazy" }), picture.clip && h("span", { class: "kind" }, T.bring.clip)),
        h("button", { type: "button", class: "drop-picture", "aria-label": T.bring.remove(picture.name), title: T.bring.remove(picture.name), onclick: () => this.removePicture(picture) }, icon("close"))))),
    pictures.length > shown.length && h("button", { type: "button", class: "quiet", onclick: () => { this.all = true; this.showRecent(); } }, T.bring.all(pictures.length)));
  }

  async removePicture(picture) {
    try {
      await call("DELETE", `/api/pictures/${picture.id}`);
      this.app.say(T.act.deleted(picture.name), T.undo, async () => {
        await call("POST", `/api/pictures/${picture.id}/restore`);
        this.app.say(T.act.restored);
      });
    } catch (error) {
      this.app.say(error.message);
    }
  }

  async paint() {
    try {
      const about = await paintMask(this.picture, this.choice.mask);
      if (!about) return;
      this.choice.mask = about.id;
      this.controls.touched("mask");
    } catch (error) {
      this.app.say(error.message);
    }
  }

  // -- across reloads -----------------------------------------------------------------------------

  remember() {
    const { picture, current } = this;
    try {
      sessionStorage.setItem(MEMORY, JSON.stringify({ picture: picture?.id ?? null, current, choice: this.choice.plain() }));
    } catch {
      // A browser that keeps nothing: a reload begins anew.
    }
  }

  async recall() {
    this.showRecent();
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(MEMORY));
    } catch {
      return;
    }
    if (!kept?.picture) return;
    try {
      const picture = this.app.pictures.get(kept.picture) ?? (await call("GET", `/api/pictures/${kept.picture}`));
      this.open(picture);
      this.choice.restore(kept.choice);
      this.looks.shown();
      this.controls.for(picture);
      if (kept.current && (this.app.jobs.has(kept.current) || this.app.dreams.has(kept.current))) {
        this.current = kept.current;
        const dream = this.app.dreams.get(kept.current);
        if (dream) this.finished(dream);
        else this.watchJob(kept.current);
      }
    } catch {
      // It was deleted: begin anew.
    }
  }
}
