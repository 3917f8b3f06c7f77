// What is chosen on the page for the next dream, and the settings that it means to the program.

// Of clips, where nothing is chosen: longer side, frames per second, seconds, and what is carried.
export const CLIP = { longest: 640, fps: 30, seconds: 10, steady: 0.92, least: 0.5, most: 1920 };

/** The choice, by what the page shows; everything that is null is as the look says. */
export class Choice {
  constructor(about) {
    this.about = about;
    this.clip = null; // what is known of the clip that is dreamt on; null of a picture
    this.reset();
  }

  reset() {
    this.mix = { [this.about.looks[0].layer]: 1 };
    Object.assign(this, { finish: null, longest: null, strength: null, steps: null, octaves: null, colors: null, seed: null });
    Object.assign(this, { from: null, length: null, fps: null, steady: null, sound: null });
    this.classes = {};
    this.alone = false;
    this.guides = [];
    this.mask = null;
    this.other = {};
  }

  /** Put one control back. */
  putBack(name) {
    if (name === "classes") Object.assign(this, { classes: {}, alone: false });
    else if (name === "guide") this.guides = [];
    else if (name === "other") this.other = {};
    else this[name] = null;
  }

  /** Tell whether a control is not as it was. */
  changed(name) {
    if (name === "classes") return Object.keys(this.classes).length > 0;
    if (name === "guide") return this.guides.length > 0;
    if (name === "other") return Object.keys(this.other).length > 0;
    return this[name] !== null;
  }

  lookOf(layer) {
    return this.about.looks.find((look) => look.layer === layer);
  }

  /** The style that decides what is not said: that of the finish, or of the first look. */
  get style() {
    return this.finish ?? this.lookOf(Object.keys(this.mix)[0])?.style ?? this.about.style;
  }

  get usual() {
    return this.about.styles[this.style].parameters;
  }

  /** The number of octaves that "all" is for a picture of this size. */
  octavesOf([w, h]) {
    let side = Math.min(w, h);
    let n = 1;
    const { octave_scale: scale, octave_min: least } = this.usual;
    for (side /= scale; side >= least; side /= scale) n += 1;
    return n;
  }

  /** The longer side of the dream, as it is or by default. */
  longestOf(size) {
    return this.longest ?? this.usualLongest(size);
  }

  usualLongest([w, h]) {
    return Math.min(this.clip ? CLIP.longest : 1024, Math.max(w, h));
  }

  /** The part of a clip, its frames per second, and so on: as they are chosen, or by default. */
  get film() {
    const { seconds, rate, sound } = this.clip;
    const from = Math.min(this.from ?? 0, Math.max(0, seconds - CLIP.least));
    const fps = this.fps ?? Math.min(CLIP.fps, Math.round(rate * 10) / 10);
    const most = Math.min(seconds - from, this.about.limits.frames[1] / fps);
    return { from, fps, most, length: Math.min(this.length ?? CLIP.seconds, most), steady: this.steady ?? CLIP.steady, sound: sound && (this.sound ?? true) };
  }

  /** Width and height of the dream. */
  sizeOf(size) {
    const scale = this.longestOf(size) / Math.max(...size);
    return size.map((side) => Math.max(1, Math.round(side * scale)));
  }

  /** Settings for a picture, or, of a clip, for a film; `still` of its first frame. */
  settings(size, still = false) {
    const usual = this.usual;
    const found = { ...this.other, style: this.style, longest: this.longestOf(size) };
    if (!(this.alone && Object.keys(this.classes).length)) found.end = { ...this.mix };
    if (Object.keys(this.classes).length) found.classes = { ...this.classes };
    if (this.guides.length && found.end) found.guide = this.guides.map((guide) => guide.id);
    if (this.mask) found.mask = this.mask;
    if (this.strength !== null) found.strength = this.strength;
    if (this.colors !== null) found.keep_colors = this.colors;
    if (this.seed !== null) found.seed = this.seed;
    if (this.octaves !== null) found.octave_n = this.octaves;
    if (this.steps !== null) {
      const times = (n) => Math.max(1, Math.round(n * this.steps));
      found.iter_n = Array.isArray(usual.iter_n) ? usual.iter_n.map(times) : times(usual.iter_n);
    }
    if (this.clip && !still) {
      const { from, fps, length, steady, sound } = this.film;
      const tenths = (seconds) => Math.round(seconds * 100) / 100;
      found.film = { carry: steady, sound };
      if (fps < this.clip.rate * 0.99) found.film.fps = fps;
      if (from) found.film.start = tenths(from);
      if (from + length < this.clip.seconds - 0.01) found.film.until = tenths(from + length);
    }
    return found;
  }

  /** Return a copy with some things changed, to ask what it would cost. */
  with(changes) {
    const copy = Object.assign(new Choice(this.about), structuredClone({ ...this, about: undefined, guides: this.guides }));
    copy.about = this.about;
    return Object.assign(copy, changes);
  }

  /** Take over settings, of a dream or of a recipe. `pictures` finds a guide by its id. */
  use(settings, pictures = () => null) {
    this.reset();
    const { style, end, classes, guide, mask, longest, compose, seed, strength, keep_colors: colors, octave_n: octaves, iter_n: steps, film, ...rest } = settings;
    if (end && Object.keys(end).length) this.mix = { ...end };
    else if (style && this.about.looks.some((look) => look.name === style)) this.mix = { [this.about.looks.find((look) => look.name === style).layer]: 1 };
    this.classes = { ...(classes ?? {}) };
    this.alone = Boolean(classes && !end);
    const own = this.lookOf(Object.keys(this.mix)[0])?.style ?? this.about.style;
    this.finish = style && style !== own ? style : null;
    const usual = this.usual;
    this.longest = longest ?? null;
    if (compose) this.longest = Math.max(...compose);
    this.seed = seed ?? null;
    this.mask = mask ?? null;
    this.guides = (guide ?? []).map((id) => pictures(id) ?? { id, name: "" });
    const differs = (name, value) => value !== undefined && JSON.stringify(value) !== JSON.stringify(usual[name]);
    if (differs("strength", strength)) this.strength = strength;
    if (differs("keep_colors", colors)) this.colors = Number(colors);
    if (differs("octave_n", octaves)) this.octaves = octaves;
    if (differs("iter_n", steps)) {
      const [now, before] = [[steps].flat()[0], [usual.iter_n].flat()[0]];
      if (Number.isFinite(now)) this.steps = Math.min(4, Math.max(0.25, Math.round((4 * now) / before) / 4));
    }
    if (film && film.frames === undefined) {
      this.from = film.start || null;
      this.length = film.until === undefined ? null : film.until - (film.start ?? 0);
      this.fps = film.fps ?? null;
      this.steady = film.carry === CLIP.steady ? null : film.carry;
      this.sound = film.sound === false ? false : null;
    }
    for (const [name, value] of Object.entries(rest)) if (differs(name, value)) this.other[name] = value;
  }

  /** What survives a reload of the page. */
  plain() {
    const { about, ...rest } = this;
    return structuredClone(rest);
  }

  restore(plain) {
    Object.assign(this, plain, { about: this.about, clip: this.clip });
    if (!Object.keys(this.mix ?? {}).length) this.reset();
  }
}
