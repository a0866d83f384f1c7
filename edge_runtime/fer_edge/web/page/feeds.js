// Where the browser's pictures come from: its camera, a photo, a video. Each gives a canvas when asked for a picture.

const MOVING_WIDTH = 640;
const STILL_SIDE = 1600;

/** Draw a picture onto a canvas, not larger than `side` pixels by its longer side. */
function drawn(canvas, image, width, height, side) {
  const factor = Math.min(1, side / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * factor));
  canvas.height = Math.max(1, Math.round(height * factor));
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** A problem that words.json has words for. */
export class FeedError extends Error {
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

class Moving {
  still = false;

  constructor() {
    this.canvas = document.createElement("canvas");
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    this.seen = -1;
  }

  /** Give the present picture, null where it was given already. */
  grab() {
    const {video} = this;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || video.currentTime === this.seen) return null;
    this.seen = video.currentTime;
    return drawn(this.canvas, video, video.videoWidth, video.videoHeight, MOVING_WIDTH);
  }

  get ended() {
    return this.video.ended;
  }
}

export class CameraFeed extends Moving {
  /** Tell why the camera cannot be asked for, as a key of words.json; null where it can. */
  static get missing() {
    if (navigator.mediaDevices?.getUserMedia) return null;
    return window.isSecureContext ? "camera_missing" : "camera_insecure";
  }

  constructor(device = null) {
    super();
    this.device = device;
  }

  async start() {
    const which = this.device ? {deviceId: {exact: this.device}} : {facingMode: "user"};
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {width: {ideal: MOVING_WIDTH}, height: {ideal: 480}, ...which},
      });
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      const denied = error.name === "NotAllowedError" || error.name === "SecurityError";
      throw new FeedError(denied ? "camera_denied" : error.name === "NotFoundError" ? "camera_none" : "camera_busy");
    }
    this.video.srcObject = this.stream;
    await this.video.play();
  }

  /** Give the cameras that there are, once one was allowed: `{id, name}`. */
  static async all() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter(({kind}) => kind === "videoinput").map(({deviceId, label}) => ({id: deviceId, name: label}));
  }

  get own() {
    return this.stream.getVideoTracks()[0]?.getSettings().deviceId;
  }

  pause() {}

  async resume() {}

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }
}

export class VideoFeed extends Moving {
  constructor(file) {
    super();
    this.file = file;
  }

  async start() {
    this.address = URL.createObjectURL(this.file);
    this.video.src = this.address;
    try {
      await this.video.play();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      throw new FeedError("file_unreadable", {name: this.file.name});
    }
  }

  pause() {
    this.video.pause();
  }

  /** Go on, from the start where it has ended. */
  async resume() {
    if (this.video.ended) {
      this.video.currentTime = 0;
      this.seen = -1;
    }
    await this.video.play();
  }

  stop() {
    this.video.removeAttribute("src");
    this.video.load();
    URL.revokeObjectURL(this.address);
  }
}

export class PhotoFeed {
  still = true;

  constructor(file) {
    this.file = file;
  }

  async start() {
    let image;
    try {
      image = await createImageBitmap(this.file);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      throw new FeedError("file_unreadable", {name: this.file.name});
    }
    this.canvas = drawn(document.createElement("canvas"), image, image.width, image.height, STILL_SIDE);
    image.close();
  }

  grab() {
    return this.canvas;
  }

  pause() {}

  async resume() {}

  stop() {}
}

/** Make the feed of a file; throws a FeedError where it is none. */
export function feedOf(file) {
  if (file.type.startsWith("image/")) return new PhotoFeed(file);
  if (file.type.startsWith("video/")) return new VideoFeed(file);
  throw new FeedError("file_unknown", {name: file.name});
}
