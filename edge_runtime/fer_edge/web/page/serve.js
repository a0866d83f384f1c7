// Pictures of the browser: its camera, or a photo or video that was dropped or chosen.

import {CameraFeed, feedOf, FeedError} from "./feeds.js";
import {Sender} from "./sender.js";

export function serve(view) {
  const {words, stage} = view;
  const [pause, camera, which, choose, file, why] =
    ["pause", "camera", "which", "choose", "file", "camera-why"].map((id) => document.getElementById(id));
  const target = document.getElementById("stage");
  let sender = null;
  let feed = null;
  let ended = false;
  let lost = false;

  function begin() {
    stage.tell(words.say("serve_empty"), words.say("serve_hint"));
    target.classList.add("serve");
    choose.hidden = camera.hidden = false;
    if (CameraFeed.missing) {
      camera.disabled = true;
      camera.setAttribute("aria-describedby", why.id);
      why.hidden = false;
      why.textContent = words.say(CameraFeed.missing);
    }
    told();
  }

  /** Show the controls as things are. */
  function told() {
    const moving = feed !== null && !feed.still;
    pause.hidden = !moving;
    pause.disabled = false;
    const resting = sender?.paused ?? false;
    pause.querySelector("span").textContent = words.say(ended ? "again" : resting ? "resume" : "pause");
    pause.querySelector("use").setAttribute("href", ended || resting ? "#i-play" : "#i-pause");
    const filming = feed instanceof CameraFeed;
    camera.querySelector("span").textContent = words.say(filming ? "camera_stop" : "camera_start");
    if (!filming) document.getElementById("which-label").hidden = true;
    if (lost) view.status("lost");
    else view.status(feed === null ? "idle" : feed.still ? "still" : ended ? "ended" : resting ? "paused" : "live");
  }

  function end() {
    sender?.close();
    sender = feed = null;
    ended = lost = false;
    view.restart();
    view.notice(null);
    told();
  }

  const listener = {
    opened() {
      if (lost) view.notice(null, words.say("back_said"));
      lost = false;
      told();
    },
    answered(canvas, state, age) {
      view.notice(null);
      view.show(canvas, state, age, feed.still);
      // A photo is answered once; its place is free for others.
      if (feed.still) sender.connection.close();
    },
    refused(text) {
      const problem = words.say("answer_error", {error: text});
      view.notice(problem, problem);
    },
    ended() {
      ended = true;
      told();
    },
    lost(seconds, full) {
      const first = !lost;
      lost = true;
      told();
      const key = full ? "full_seconds" : "lost_seconds";
      const text = seconds ? words.say(key, {number: seconds}) : words.say("lost_now");
      view.notice(text, first ? words.say("lost_said") : null);
    },
  };

  /** Show another feed from now on, made by `make`. */
  async function change(make) {
    end();
    try {
      const made = make();
      await made.start();
      feed = made;
    } catch (error) {
      if (!(error instanceof FeedError)) throw error;
      const problem = words.say(error.key, error.values);
      view.notice(problem, problem);
      return;
    }
    sender = new Sender(feed, listener);
    told();
  }

  async function film(device = null) {
    await change(() => new CameraFeed(device));
    if (!(feed instanceof CameraFeed)) return;
    const all = await CameraFeed.all();
    which.replaceChildren(...all.map(({id, name}, at) =>
      new Option(name || words.say("camera_nameless", {number: at + 1}), id, false, id === feed.own)));
    document.getElementById("which-label").hidden = all.length < 2;
  }

  camera.addEventListener("click", () => (feed instanceof CameraFeed ? end() : film()));
  which.addEventListener("change", () => film(which.value));
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    // The same one can be chosen again.
    if (chosen) change(() => feedOf(chosen)).then(() => (file.value = ""));
  });
  pause.addEventListener("click", async () => {
    if (ended || sender.paused) {
      if (ended) view.announcer.forget();
      ended = false;
      await sender.resume();
    } else {
      sender.pause();
      view.settle();
    }
    told();
  });

  // Anywhere on the page: what misses the picture would leave the page otherwise.
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) target.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("dropping");
    const [dropped] = event.dataTransfer.files;
    if (dropped) change(() => feedOf(dropped));
  });
  begin();
}
