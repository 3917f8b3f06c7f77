// The camera of this computer; phones have a better way of their own, a file that is photographed.
import { h } from "./dom.js";
import { T } from "./texts.js";

/** Return a photo as a blob, or null where none was taken. */
export async function openCamera() {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } } });
  const video = h("video", { autoplay: true, muted: true, playsInline: true, "aria-label": T.camera.title });
  video.srcObject = stream;
  return new Promise((resolve) => {
    let taken = null;
    const take = () => {
      const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
      canvas.getContext("2d").drawImage(video, 0, 0);
      canvas.toBlob((blob) => { taken = blob; dialog.close(); }, "image/jpeg", 0.95);
    };
    const dialog = h("dialog", { class: "dialog camera", "aria-label": T.camera.title }, video,
      h("div", { class: "row end" },
        h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, T.cancel),
        h("button", { type: "button", class: "main", onclick: take }, T.camera.take)));
    dialog.addEventListener("close", () => {
      for (const track of stream.getTracks()) track.stop();
      dialog.remove();
      resolve(taken);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
