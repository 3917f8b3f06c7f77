// Every word on the page, in English. Another language is another file like this one.

const one = (number, noun, nouns = `${noun}s`) => `${number} ${number === 1 ? noun : nouns}`;

/** A time that is not known exactly. */
export function inTime(seconds) {
  if (seconds < 1) return "under a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return one(Math.round(seconds / 60), "minute");
  return `${(seconds / 3600).toFixed(1)} hours`;
}

const about = (seconds) => (seconds < 1 ? inTime(seconds) : `about ${inTime(seconds)}`);

/** A time in a clip. */
const inSeconds = (seconds) => `${Math.round(seconds * 10) / 10} s`;

const percent = (share) => `${Math.round(share * 100)} %`;

export const T = {
  name: "deepdream studio",
  make: "Make",
  library: "Library",
  main: "Main",
  skip: "Skip to the picture",
  offline: "The program does not answer. Is it still running?",
  failed: "That did not work. Try again.",
  lost: "The connection is lost. The page tries again by itself.",
  undo: "Undo",
  close: "Close",
  cancel: "Cancel",
  cancelled: "That was cancelled.",
  done: "Done",
  putBack: (name) => `Put back: ${name}`,
  noTime: "Costs no time.",
  all: (seconds) => `Takes ${about(seconds)}.`,
  adds: (seconds) => {
    if (Math.abs(seconds) < 0.5) return "Costs no time.";
    return seconds > 0 ? `Costs ${inTime(seconds)} more.` : `Saves ${inTime(-seconds)}.`;
  },

  bring: {
    title: "Show it a picture",
    lead: "A neural network looks at your photograph and paints into it what it believes to see: animals, eyes, castles. Everything happens on this machine; nothing is sent anywhere.",
    drop: "Drop a photo here, or paste one",
    dropAny: "Drop a photo or a short clip here, or paste a photo",
    choose: "Choose a photo",
    chooseAny: "Choose a photo or clip",
    photograph: "Take a photo",
    another: "Another photo",
    anotherAny: "Another photo or clip",
    recent: "Your pictures",
    all: (n) => `All ${n}`,
    remove: (name) => `Delete ${name}`,
    sending: (share) => (share < 1 ? `Bringing it in, ${percent(share)}` : "Opening it"),
    progress: "How much of it has come in",
    now: "Let go, and it dreams on this one",
    notPicture: "That is no picture. Choose a photo: JPEG, PNG, WebP, TIFF or HEIC.",
    notAny: "That is no picture, and no clip. Choose a photo, JPEG, PNG, WebP, TIFF or HEIC, or a clip, MP4, MOV, WebM or GIF.",
    clip: "clip",
    carries: (clip) => `This ${clip ? "film" : "picture"} was dreamt before, and carries its settings.`,
    use: "Use its settings",
    without: {
      network: "It was made with another network",
      goal: "what it grew cannot be shown here",
      guide: "its guide picture is not in the file",
      mask: "its mask is not in the file",
      other: "some of its settings make no sense here",
    },
    leftOut: (reasons) => `Not all of them can be had: ${reasons.join("; ")}.`,
    size: (w, h) => `${w} × ${h} pixels`,
    length: inSeconds,
  },

  looks: {
    title: "What it sees",
    lead: "Each tile is your picture, dreamt on by another layer of the network. Choose one; add others to mix them.",
    waiting: "The tiles fill one after the other.",
    more: "More layers",
    fewer: "Fewer layers",
    layer: (layer) => {
      const block = /^block(\d+)\/output$/.exec(layer);
      return block ? `Layer ${block[1]}` : layer.replace(/[/_]/g, " ");
    },
    title_of: (name) => name.charAt(0).toUpperCase() + name.slice(1),
    depth: (depth) => (depth < 0.25 ? "lines and grain" : depth < 0.5 ? "patterns" : depth < 0.8 ? "parts of things" : "whole things"),
    add: (name) => `Add ${name} to the mix`,
    remove: (name) => `Take ${name} out of the mix`,
    share: (name) => `How much of ${name}`,
    mix: "The mix",
    mixHelp: "How strongly each of them pulls. Equal numbers change the picture equally.",
  },

  controls: {
    title: "How much of it",
    longest: {
      name: "Size", help: "The longer side of the dream. Larger shows finer detail and takes longer.",
      option: (side, seconds) => `${side} pixels${seconds ? `, ${about(seconds)}` : ""}`,
      own: (side, seconds, clip) => `as the ${clip ? "clip" : "photo"}, ${side}${seconds ? `, ${about(seconds)}` : ""}`,
    },
    strength: {
      name: "Strength", help: "How much of the dream is laid over your picture. Above 100 % it is exaggerated.",
      value: percent,
    },
    steps: {
      name: "Steps", help: "How long it works on each size. More lets things grow out until they are whole.",
      value: (factor) => (factor === 1 ? "as usual" : `${factor} ×`),
      next: (seconds) => `A quarter more costs ${inTime(seconds)}.`,
    },
    octaves: {
      name: "Size of patterns", help: "How large the things are that grow: from fine texture only, to shapes that fill the picture.",
      value: (n, most) => (n >= most ? "all sizes" : n === 1 ? "finest only" : `${n} of ${most} sizes`),
      cost: (seconds) => (seconds < 0.5 ? "Costs no time." : `All but the finest cost ${inTime(seconds)}.`),
    },
    colors: {
      name: "Colours kept", help: "How much of your picture's own colours stay. At 100 % the dream changes only light and shade.",
      value: percent,
    },
    more: "Finish, classes, guide, mask, chance",
    film: "The film",
    from: { name: "From", help: "Where in the clip the film begins.", value: inSeconds },
    length: { name: "Length", help: "How much of the clip becomes a film. Each frame is dreamt.", value: inSeconds },
    fps: {
      name: "Frames per second", help: "Half as many take half as long, and move less smoothly.",
      option: (rate, seconds) => `${rate}${seconds ? `, ${about(seconds)}` : ""}`,
    },
    steady: {
      name: "Steadiness", help: "How much of what has grown goes on into the next frame. With less of it the dream flickers, and follows what moves more quickly.",
      value: (share) => (share === 0 ? "each frame anew" : percent(share)),
    },
    sound: { name: "Sound", help: "The clip's own goes with the film.", keep: "Keep the sound" },
    finish: {
      name: "Finish", help: "How the strokes are laid on, whatever is grown.",
      own: "the look's own",
      names: { bold: "bold: large shapes, strong colours", subtle: "subtle: a hint, in your colours", 2015: "2015: strokes and grain, as Google's first" },
      other: (name) => `as ${name}`,
    },
    classes: {
      name: "Grow a thing", help: "One of the thousand things the network knows by name, as castle, peacock or teapot. It grows besides the look, or alone.",
      search: "Search, as castle", none: "Nothing is called so. Try another word.",
      found: (n) => `${one(n, "thing")} found`,
      alone: "Only this, without the look",
      remove: (name) => `Do not grow ${name}`,
    },
    guide: {
      name: "Guide picture", help: "What grows is taken from a second picture: its textures and shapes turn up in yours.",
      choose: "Choose a guide",
      cost: (seconds) => (seconds < 0.5 ? "Costs no time." : `Costs ${inTime(seconds)}; a smaller guide costs less.`),
    },
    mask: {
      name: "Where", help: "Paint where it may dream; the rest of your picture stays as it is.",
      paint: "Paint where", again: "Paint on",
    },
    seed: {
      name: "Chance", help: "Every number gives a dream of its own. Keep one to make the same dream again.",
      any: "a new number each time", keep: "Number", another: "Another number",
    },
    other: { name: "From the recipe", help: "Further settings that came with a picture.", drop: "Without them" },
    reset: "Put back",
  },

  dream: "Dream",
  about,
  later: "Dream this next",
  filming: "Make the film",
  filmLater: "Make it next",
  tryFrame: "Try it on one frame",

  watch: {
    waiting: (n) => (n ? `Waiting: ${one(n, "dream")} before this one` : "Starting"),
    begun: "Looking at the picture",
    writing: "Keeping it",
    stopping: "Ending",
    frame: (p) => `Frame ${p.frame} of ${p.frames}`,
    step: (p) => `Size ${p.octave} of ${p.octave_n} (${p.size[0]} × ${p.size[1]}), step ${p.step} of ${p.iter_n}`,
    left: (seconds) => (seconds === null ? "" : `${inTime(Math.max(1, seconds))} left`),
    stop: "Stop and keep",
    cancel: "Throw away",
    progress: "How far the dream is",
    others: "Queue",
    queued: "It waits in the queue, and is made next.",
    inLine: (n) => one(n, "dream") + " in the queue",
    running: (share) => `dreaming, ${percent(share)}`,
    state: { waiting: "waits", running: "dreaming", stopping: "ending", failed: "failed" },
    goOn: "Go on",
    watch: "Watch this one",
    failed: (name) => `The dream on ${name} failed. `,
    kept: "Kept in the library.",
    announced: "The dream is done.",
  },

  stage: {
    label: "The picture",
    before: "before", after: "after",
    compare: "Compare", slider: "Moves the line between the photo, on the left, and the dream",
    hold: "Hold to see the photo", holdKey: "Hold B to see the photo",
    fit: "Whole picture", pixels: "One to one", closer: "Closer", farther: "Farther away",
    zoom: (scale) => `${Math.round(scale * 100)} %`,
    keys: "B: the photo · + and −: closer and farther · 0: whole · arrows: move",
    alt: (name) => `The dream on ${name}`, altBefore: (name) => `The photo ${name}`, clip: (name) => `The clip ${name}`,
  },

  act: {
    download: "Download", png: "PNG: lossless", jpeg: "JPEG: small", tiff: "TIFF: 16 bits, for editing",
    another: "Another one", anotherHelp: "The same settings with another chance",
    settings: "Use these settings", start: "Dream on this", print: "Larger for print", film: "Zoom film", mp4: "MP4: the film", delete: "Delete",
    deleted: (name) => `Deleted: ${name}.`,
    restored: "It is back.",
    chosen: "These settings are chosen: bring a picture for them.",
  },

  print: {
    title: "Larger for print",
    lead: "The same dream at another size: composed as it is, with its detail dreamt on.",
    side: "Longer side in pixels",
    sizes: { "A5 or a postcard": 2480, A4: 3508, A3: 4961, A2: 7016 },
    preset: (name) => `${name} at 300 dpi`,
    size: (w, h, seconds) => `${w} × ${h} pixels, ${about(seconds)}`,
    make: "Make it larger",
    least: (side) => `Choose more than ${side} pixels: that is what it has.`,
  },

  film: {
    title: "Zoom film",
    lead: "A camera goes into the dream, and the dream goes on from frame to frame.",
    length: "Length", lengthValue: (seconds) => `${seconds} s`,
    speed: "Zoom", speedValue: (share) => `${Math.round(share * 100)} % closer each second`,
    turn: "Turn", turnValue: (degrees) => (degrees ? `${degrees}° each second` : "not at all"),
    loop: "End where it began, to be played round and round",
    side: "Longer side in pixels",
    told: (frames, seconds) => `${frames} frames, ${T.about(seconds)}`,
    make: "Make the film",
    kind: "film",
    ofClip: (s) => {
      const part = s.until === undefined ? (s.start ? `the clip from ${inSeconds(s.start)} on` : "the clip") : `${inSeconds(s.until - (s.start ?? 0))} of the clip${s.start ? `, from ${inSeconds(s.start)} on` : ""}`;
      const rate = s.fps ? `, ${Math.round(s.fps * 10) / 10} frames per second` : "";
      return `A film of ${part}${rate}; ${s.carry === 0 ? "each frame by itself" : `${percent(s.carry)} of the dream goes on from frame to frame`}${s.sound === false ? "; without its sound" : ""}.`;
    },
    ofCamera: (s) => `A film of ${one(s.frames, "frame")}, each ${percent(s.zoom)} closer${s.loop ? ", round and round" : ""}.`,
  },

  list: {
    title: "Library",
    search: "Search your dreams",
    none: "Nothing here yet. What you make is kept here.",
    nothing: "No dream fits these words.",
    gone: "That dream is not here any more.",
    count: (n, all) => (n === all ? one(all, "dream") : `${n} of ${one(all, "dream")}`),
    open: (name) => `Open the dream on ${name}`,
    back: "Back to the library",
    how: "How it was made",
    from: (name, w, h) => `On ${name}, ${w} × ${h} pixels.`,
  },

  camera: { title: "Take a photo", take: "Take it", none: "No camera can be used here. Choose a photo instead." },

  mask: {
    title: "Paint where it may dream",
    lead: "Coloured parts dream, the rest stays as it is.",
    brush: "Brush", eraser: "Eraser", size: "Width", feather: "Soft edge",
    undo: "Undo", clear: "Clear", invert: "Turn round", all: "Fill",
    keys: "Arrows move the brush, the space bar paints.",
    done: "Use this mask", canvas: "The picture to paint on", empty: "Paint something first.",
  },

  /** The recipe of a dream in words. */
  recipe(dream, looks) {
    const s = dream.settings;
    const p = dream.recipe?.parameters ?? {};
    const words = [];
    const ends = Object.entries(s.end ?? {});
    const named = (layer) => {
      const look = looks.find((each) => each.layer === layer);
      return look?.named ? `${look.name} (${T.looks.layer(layer).toLowerCase()})` : T.looks.layer(layer).toLowerCase();
    };
    const parts = ends.map(([layer, weight]) => (ends.length > 1 ? `${percent(weight)} ${named(layer)}` : named(layer)));
    const classes = Object.entries(s.classes ?? {}).map(([name, weight]) => (weight === 1 ? name : `${percent(weight)} ${name}`));
    if (classes.length) parts.push(`things called ${classes.join(" and ")}`);
    words.push(parts.length ? `Grown: ${parts.join(", ")}.` : `Grown: ${s.style ?? dream.recipe?.style ?? "the network's own"}.`);
    const style = dream.recipe?.style;
    if (style && looks.find((each) => each.layer === ends[0]?.[0])?.style !== style) words.push(`Laid on like ${style}.`);
    if (s.strength !== undefined) words.push(`Strength ${percent(s.strength)}.`);
    if (p.keep_colors) words.push(`Colours kept: ${percent(Number(p.keep_colors))}.`);
    if (s.octave_n !== undefined && s.octave_n !== "all") words.push(`${one(s.octave_n, "size")} of patterns.`);
    const steps = (n) => [n].flat().join(" to ");
    if (p.iter_n !== undefined) words.push(dream.recipe.first?.iter_n === undefined ? `Steps: ${steps(p.iter_n)}.` : `Steps: ${steps(dream.recipe.first.iter_n)} for the first frame, ${steps(p.iter_n)} for the others.`);
    if (s.guide?.length) words.push("With a guide picture.");
    if (s.mask) words.push("Inside a painted mask.");
    if (s.compose) words.push(`Made larger from ${s.compose[0]} × ${s.compose[1]}.`);
    words.push(`Chance: ${s.seed}.`);
    if (s.film) words.push(s.film.frames ? T.film.ofCamera(s.film) : T.film.ofClip(s.film));
    if (dream.stopped) words.push("Stopped early.");
    words.push(`It took ${inTime(dream.seconds)}, on ${new Date(dream.made * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}.`);
    return words;
  },
};
