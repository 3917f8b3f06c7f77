// The page works without this script: every picture is a link. With it, there are a filter, a
// viewer that compares two pictures, and the keyboard.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const { pictures, series, noun } = JSON.parse($("data").textContent);
  const cards = [...document.querySelectorAll(".card")];
  const links = [...document.querySelectorAll(".open")];
  const filter = $("filter"), viewer = $("viewer"), stage = $("stage"), against = $("against");
  const chooser = $("series"); // where there are too many series for a row of buttons
  let shown = -1; // series on the page; -1 is all of them
  let current = null; // number of the picture in the viewer
  let opened = false; // the viewer
  let partner = null; // series that a picture is compared with on its own card
  let marked = null; // number of the picture that the next one marked is compared with

  const linkOf = (number) => links.find((link) => Number(link.dataset.picture) === number);
  const isVisible = (element) => element.closest("[hidden]") === null;
  const visibleLinks = () => links.filter(isVisible);

  // -- filter and series --------------------------------------------------------------------------

  function applyFilter() {
    // A number behind its term is the whole number: "stride 1" is not stride 16, nor 1 elsewhere.
    const words = filter.value.toLowerCase().match(/(?:stride|sees|channel)\s+\d\S*|\S+/g) ?? [];
    const here = cards.filter((card) => card.querySelector(".shot:not([hidden])"));
    let count = 0;
    for (const card of cards) {
      const shots = [...card.querySelectorAll(".shot:not([hidden])")];
      card.hidden = !shots.some((shot) => words.every((word) => fits(shot.dataset.words, word)));
      count += !card.hidden;
    }
    for (const section of document.querySelectorAll("main section")) {
      section.hidden = !section.querySelector(".card:not([hidden])");
    }
    const of = count === here.length ? "" : ` of ${here.length}`;
    $("count").textContent = `${count}${of} ${here.length === 1 ? noun.slice(0, -1) : noun}`;
    $("nothing").hidden = count > 0;
  }

  function fits(text, word) {
    if (!/\s/.test(word)) return text.includes(word);
    return ` ${text} `.includes(` ${word.replace(/\s+/, " ")} `);
  }

  function clearFilter() {
    filter.value = "";
    applyFilter();
  }

  function showSeries(number) {
    shown = number;
    for (const part of document.querySelectorAll("[data-series]")) {
      part.hidden = shown >= 0 && Number(part.dataset.series) !== shown;
    }
    for (const grid of document.querySelectorAll(".grid")) {
      grid.classList.toggle("together", shown < 0 && series.length > 1);
    }
    const radio = document.querySelector(`.switch input[value="${shown}"]`);
    if (radio) radio.checked = true;
    if (chooser) chooser.value = String(shown);
    applyFilter();
  }

  function nextSeries() {
    if (series.length < 2) return;
    showSeries(shown + 1 < series.length ? shown + 1 : -1); // behind the last come all
  }

  // -- viewer -------------------------------------------------------------------------------------

  // The picture, and what it is compared with: its input, or another picture. Below them stands what
  // tells one from the other.
  function sides() {
    const own = pictures[current];
    if (against.value === "input") {
      const input = { src: series[own.series].input, alt: "the input", tag: "the input" };
      return [{ src: own.src, alt: nameOf(own), tag: own.name }, input];
    }
    const other = pictures[Number(against.value)];
    const tagOf = (picture) => {
      if (own.series === other.series) return picture.name;
      return own.name === other.name ? series[picture.series].label : nameOf(picture);
    };
    return [own, other].map((one) => ({ src: one.src, alt: nameOf(one), tag: tagOf(one) }));
  }

  function nameOf(picture) {
    return series.length > 1 ? `${picture.name}, ${series[picture.series].label}` : picture.name;
  }

  function fillChoices(chosen) {
    const picture = pictures[current];
    const here = [["input", "the input"]];
    const others = series.map(() => []);
    pictures.forEach((other, number) => {
      if (number === current) return;
      if (other.card === picture.card) here.push([number, series[other.series].label]);
      else others[other.series].push([number, other.name]);
    });
    against.replaceChildren(
      group(`This ${noun.slice(0, -1)}`, here),
      ...others.map((options, at) => group(
        series.length > 1 ? `Others, ${series[at].label}` : "Others", options)),
    );
    against.value = chosen;
    if (against.value !== String(chosen)) against.value = "input";
  }

  function group(label, options) {
    const made = document.createElement("optgroup");
    made.label = label;
    made.append(...options.map(([value, text]) => new Option(text, String(value))));
    made.hidden = options.length === 0;
    return made;
  }

  function open(number, compared = against.value || "input", mode = stage.dataset.mode) {
    current = number;
    const picture = pictures[number];
    if (shown >= 0 && picture.series !== shown) showSeries(picture.series); // the page follows
    if (Number(compared) === number) compared = "input";
    $("v-name").replaceChildren(...breakable(picture.name));
    $("v-look").textContent = picture.look;
    $("v-facts").replaceChildren(...picture.facts.map(([term, fact]) => {
      const row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      row.firstChild.textContent = term;
      row.lastChild.append(...breakable(fact));
      row.classList.toggle("wide", fact.length > 24);
      return row;
    }));
    $("v-making").hidden = !picture.command;
    // A word of the command is not broken at its hyphens.
    $("v-command").replaceChildren(...picture.command.split(" ").flatMap((word, at) => {
      const made = document.createElement("span");
      made.textContent = word;
      return at ? [" ", made] : [made];
    }));
    $("v-where").textContent = picture.where;
    $("v-copy").textContent = "Copy";
    $("v-notes").textContent = picture.notes;
    $("v-file").href = picture.src;
    const inside = picture.src.startsWith("data:"); // browsers open no data URLs from links
    $("v-file").textContent = `${inside ? "Save" : "Open"} ${picture.file}`;
    $("v-file").toggleAttribute("download", inside);
    if (inside) $("v-file").download = picture.file;
    stage.style.setProperty("--shown", picture.width / picture.height);
    fillChoices(compared);
    if (!viewer.open) {
      viewer.showModal();
      opened = true;
      document.documentElement.style.overflow = "hidden";
      $("v-name").focus();
    }
    compare(mode);
  }

  // What other pages link to: index.html#view=block4/output opens that picture.
  function openNamed() {
    const named = location.hash.match(/^#view=(.+)$/);
    if (!named) return;
    const name = decodeURIComponent(named[1]);
    const number = pictures.findIndex((picture) => picture.name === name);
    if (number < 0) return;
    open(number, "input", "flip");
    choose();
  }

  function breakable(name) {
    return name.split(/(?<=[/_])/).flatMap((part) => [part, document.createElement("wbr")]);
  }

  function closeViewer() {
    viewer.close();
    closed();
  }

  function closed() {
    if (!opened) return;
    opened = false;
    document.documentElement.style.overflow = "";
    linkOf(current)?.focus();
  }

  function compare(mode = stage.dataset.mode) {
    const [own, other] = sides();
    stage.dataset.mode = mode;
    stage.classList.remove("flipped");
    show("a", own);
    show("b", other);
    arrange();
    for (const button of document.querySelectorAll(".modes button")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
  }

  // Two pictures stand side by side, or one above the other where that leaves them larger.
  function arrange() {
    if (!opened) return;
    const { clientWidth: w, clientHeight } = stage.parentElement;
    const h = w === viewer.clientWidth ? innerHeight * 0.52 : clientHeight; // or the panel is below
    const ratio = pictures[current].width / pictures[current].height;
    const beside = Math.min(w / 2, h * ratio), above = Math.min(w, (h / 2) * ratio);
    stage.classList.toggle("stacked", above > beside);
  }

  function show(side, { src, alt, tag }) {
    const img = $(`v-${side}`);
    if (img.getAttribute("src") !== src) img.src = src;
    img.alt = alt;
    $(`v-tag-${side}`).replaceChildren(...breakable(tag));
    $(`v-tag-${side}`).title = tag;
  }

  function flip() { // the first press shows the picture, each further one the other
    if (stage.dataset.mode !== "flip") compare("flip");
    else stage.classList.toggle("flipped");
  }

  function split(percent) {
    stage.style.setProperty("--split", `${percent}%`);
  }

  function step(by) {
    const numbers = visibleLinks().map((link) => Number(link.dataset.picture));
    const at = numbers.indexOf(current);
    const to = numbers[at < 0 ? 0 : (at + by + numbers.length) % numbers.length];
    if (to !== undefined) open(to, comparedAt(to));
  }

  // Going on to the next layer, an input or a fixed picture stays; "the same layer with other
  // octaves" becomes that of the next layer, and where that has none, of the one behind it.
  function comparedAt(number) {
    if (partner === null) return against.value;
    const { card } = pictures[number];
    const same = pictures.findIndex((other) => other.card === card && other.series === partner);
    return same < 0 ? "input" : String(same);
  }

  function choose() {
    const other = pictures[Number(against.value)]; // none where it is the input
    partner = other?.card === pictures[current].card ? other.series : null;
  }

  function switchInViewer() {
    const same = pictures
      .map((picture, number) => [picture, number])
      .filter(([picture]) => picture.card === pictures[current].card)
      .map(([, number]) => number);
    const to = same[(same.indexOf(current) + 1) % same.length];
    open(to, Number(against.value) === to ? String(current) : against.value); // they change places
    choose();
  }

  async function copy() {
    const code = $("v-command");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange(); // no clipboard here: select it for Ctrl-C
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      $("v-copy").textContent = "Selected: press Ctrl-C";
      return;
    }
    $("v-copy").textContent = "Copied";
  }

  // -- marking two pictures -----------------------------------------------------------------------

  function mark(number) {
    if (marked !== null && marked !== number) {
      const first = marked;
      unmark();
      open(first, String(number), "both");
      choose();
      return;
    }
    if (marked === number) return unmark();
    marked = number;
    for (const button of document.querySelectorAll(".pick")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.picture) === marked));
    }
    $("tray-text").textContent = `${nameOf(pictures[number])}: mark the picture to compare it with`;
    $("tray").hidden = false;
  }

  function unmark() {
    marked = null;
    $("tray").hidden = true;
    for (const button of document.querySelectorAll(".pick")) button.setAttribute("aria-pressed", "false");
  }

  // -- keyboard -----------------------------------------------------------------------------------

  // The picture next to the focused one; up and down go by position on the screen.
  function neighbour(key) {
    const all = visibleLinks();
    const at = all.indexOf(document.activeElement);
    if (at < 0) return all[0];
    if (key === "ArrowLeft") return all[at - 1];
    if (key === "ArrowRight") return all[at + 1];
    const from = all[at].getBoundingClientRect();
    const down = key === "ArrowDown";
    let best = null, nearest = Infinity;
    for (const link of all) {
      const to = link.getBoundingClientRect();
      if (down ? to.top < from.bottom : to.bottom > from.top) continue;
      const distance = 4 * Math.abs(to.top - from.top) + Math.abs(to.left - from.left);
      if (distance < nearest) [best, nearest] = [link, distance];
    }
    return best;
  }

  function onKey(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (viewer.open) return onViewerKey(event);
    if (target === filter) {
      if (key === "Escape") {
        clearFilter();
        filter.blur();
      } else if (key === "Enter" || key === "ArrowDown") {
        visibleLinks()[0]?.focus();
        event.preventDefault();
      }
      return;
    }
    if (target === chooser && !["/", "o", "Escape"].includes(key)) return;
    if (key === "/") filter.focus();
    else if (key === "Escape" && marked !== null) unmark();
    else if (key === "Escape") clearFilter();
    else if (key === "o") nextSeries();
    else if (key === "?") $("help").open = true;
    else if (key === "c" && target.matches(".open")) mark(Number(target.dataset.picture));
    else if (key.startsWith("Arrow") && (target.matches(".open") || target === document.body)) {
      const next = neighbour(key);
      if (!next) return;
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  }

  function onViewerKey(event) {
    const { key, target } = event;
    if (target === against || (target === $("split") && key.startsWith("Arrow"))) return;
    if (key === "Escape") closeViewer();
    else if (key === "ArrowRight") step(1);
    else if (key === "ArrowLeft") step(-1);
    else if (key === "o") switchInViewer();
    else if (key === "s") slide();
    else if (key === "b") compare("both");
    else if (key === "c") {
      closeViewer();
      mark(current);
    } else if (key === " " && !target.matches("button, a")) flip();
    else return;
    event.preventDefault();
  }

  function slide() {
    compare("slide");
    $("split").focus();
  }

  // -- events -------------------------------------------------------------------------------------

  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(Number(link.dataset.picture), "input", "flip");
      choose();
    });
  }
  for (const button of document.querySelectorAll(".pick")) {
    button.hidden = false;
    button.addEventListener("click", () => mark(Number(button.dataset.picture)));
  }
  for (const button of document.querySelectorAll(".modes button")) {
    const { mode } = button.dataset;
    button.addEventListener("click", () => (mode === "flip" ? flip() : compare(mode)));
  }
  for (const radio of document.querySelectorAll(".switch input")) {
    radio.addEventListener("change", () => showSeries(Number(radio.value)));
  }
  chooser?.addEventListener("change", () => showSeries(Number(chooser.value)));
  filter.addEventListener("input", applyFilter);
  $("clear").addEventListener("click", clearFilter);
  $("tray-clear").addEventListener("click", unmark);
  against.addEventListener("change", () => {
    choose();
    compare();
  });
  $("split").addEventListener("input", () => split($("split").value));
  stage.addEventListener("click", () => {
    if (stage.dataset.mode === "flip") flip();
  });
  $("v-prev").addEventListener("click", () => step(-1));
  $("v-next").addEventListener("click", () => step(1));
  $("v-close").addEventListener("click", closeViewer);
  $("v-copy").addEventListener("click", copy);
  viewer.addEventListener("close", closed); // a phone's back button closes it, too
  addEventListener("resize", arrange);
  const bar = document.querySelector(".bar");
  new ResizeObserver(() => { // what is scrolled to is not under the bar, however many rows it has
    const sticks = getComputedStyle(bar).position === "sticky";
    document.documentElement.style.scrollPaddingTop = sticks ? `${bar.offsetHeight + 16}px` : "";
  }).observe(bar);
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", openNamed);

  document.querySelector(".bar").classList.add("live");
  showSeries(series.length > 1 ? 0 : -1);
  openNamed();
})();
