// The device's own camera: the newest picture, and its state, as often as this page can take them.

import {Connection} from "./connection.js";

export function preview(view) {
  const {words, stage} = view;
  const button = document.getElementById("pause");
  let state = null;
  let paused = false;
  let lost = false;
  let camera = "ok";

  stage.tell(words.say("waiting_picture"), words.say("waiting_picture_hint"));

  const connection = new Connection("api/v1/stream", {
    opened() {
      if (lost) view.notice(null, words.say("back_said"));
      lost = false;
      told();
      if (resting()) connection.send("pause");
    },
    text(message) {
      state = JSON.parse(message);
      if (state.camera !== camera) {
        camera = state.camera;
        told();
      }
      // Whoever has paused looks at one picture, and its faces; a hidden page has no picture, but goes on.
      if (document.hidden && !paused) view.judge(state);
      else view.figures.show(state);
    },
    async binary(content) {
      const its = state;
      if (resting()) return;
      const image = await createImageBitmap(content);
      // Who began to rest while this one was decoded has said so: "next" would take that back.
      if (!resting()) {
        // Asked for before this one is drawn, else the way there and back would be lost each time.
        connection.send("next");
        view.name(its);
        view.show(image, its);
      }
      image.close();
    },
    lost(seconds, full) {
      const first = !lost;
      lost = true;
      view.status("lost");
      const key = full ? "full_seconds" : "lost_seconds";
      const text = seconds ? words.say(key, {number: seconds}) : words.say("lost_now");
      view.notice(text, first ? words.say("lost_said") : null);
    },
  });

  const resting = () => paused || document.hidden;

  function told() {
    if (lost) return;
    const gone = camera !== "ok";
    view.status(paused ? "paused" : gone ? "no_camera" : "live");
    view.notice(gone ? words.say("camera_lost") : null, gone ? words.say("camera_lost") : null);
  }

  function rest() {
    connection.send(resting() ? "pause" : "next");
    told();
  }

  button.disabled = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.querySelector("span").textContent = words.say(paused ? "resume" : "pause");
    button.querySelector("use").setAttribute("href", paused ? "#i-play" : "#i-pause");
    if (paused) view.settle();
    rest();
  });
  // Nobody sees a hidden page: no pictures, but the timeline goes on.
  document.addEventListener("visibilitychange", () => !paused && rest());
  connection.open();
}
