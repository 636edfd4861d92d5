// A picture from the camera, where the browser has one to offer.

/** Show `button` if there may be a camera; `onPicture` gets a File. */
export function startCamera({ button, dialog, onPicture }) {
  // Browsers offer it to pages by https and of the machine itself only.
  if (navigator.mediaDevices?.getUserMedia === undefined) return;
  const video = dialog.querySelector("video");
  const failure = dialog.querySelector(".failure");
  const [take, cancel] = dialog.querySelectorAll("button");
  let stream = null;
  let openings = 0; // tells a dialog from the one before, as the browser asks the visitor in between

  button.hidden = false;
  button.addEventListener("click", async () => {
    failure.hidden = true;
    take.disabled = true;
    dialog.showModal();
    const opening = ++openings;
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (opening !== openings) {
        stop(opened); // the visitor answered only after the dialog was closed
        return;
      }
      stream = opened;
      video.srcObject = stream;
      await video.play();
      take.disabled = false;
    } catch (error) {
      if (opening !== openings) return;
      failure.textContent =
        error.name === "NotFoundError"
          ? "No camera was found."
          : "The browser does not give the page a camera.";
      failure.hidden = false;
    }
  });
  take.addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    canvas.toBlob(
      (blob) => onPicture(new File([blob], "camera.jpg", { type: blob.type })),
      "image/jpeg",
      0.92,
    );
  });
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", release);

  function release() {
    openings += 1;
    if (stream !== null) stop(stream);
    stream = null;
    video.srcObject = null;
  }

  function stop(opened) {
    for (const track of opened.getTracks()) track.stop();
  }
}
