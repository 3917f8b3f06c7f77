// Making elements. Text is always text: nothing here, or anywhere on the page, reads HTML.

/** Return an element: h("button", {class: "main", onclick: f}, "Dream"). */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !["list", "form", "role"].includes(name) && name !== "class") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Return a drawing of one path, 24 by 24, in the colour of the text around it. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

const PATHS = {
  back: "M4 12a8 8 0 1 0 2.6-5.9M4 4v4.5h4.5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 2.5-2.5L20 17M15.5 9.5h.01",
  camera: "M4 8h4l1.5-2.5h5L16 8h4v11H4zM12 16.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4",
  dice: "M5 5h14v14H5zM9 9h.01M15 15h.01M15 9h.01M9 15h.01M12 12h.01",
  download: "M12 4v11M7 10.5l5 5 5-5M5 20h14",
  print: "M4 4h7M4 4v7M4 4l7 7M20 20h-7M20 20v-7M20 20l-7-7",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13",
  brush: "M5 19c3 0 3.5-1.5 3.5-3a2 2 0 0 1 4 0c0 3-3.500 4-7.500 3M12 14.500L19.500 4.500",
  again: "M5 12a7 7 0 0 1 12-4.900L19 9M19 4v5h-5M19 12a7 7 0 0 1-12 4.900L5 15M5 20v-5h5",
  copy: "M8 8h11v11H8zM5 16V5h11",
  stop: "M7 7h10v10H7z",
  film: "M4 6h16v12H4zM8 6v12M16 6v12M4 10h4M4 14h4M16 10h4M16 14h4",
};

/** Replace what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

let numbers = 0;
/** Return an id that no other element has, for labels. */
export function unique(prefix = "e") {
  numbers += 1;
  return `${prefix}${numbers}`;
}

/** Wait until calls have stopped for a moment, then do it once. */
export function settled(action, pause = 150) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), pause);
  };
}
