// A picture from the camera, where the browser has one to offer.

/** Show `button` if there may be a camera; `onPicture` gets a File. */
export function startCamera({ button, dialog, onPicture }) {
  // Browsers offer it to pages by https and of the machine itself only.
  if (navigator.mediaDevices?.getUserMedia === undefined) return;
  const video = dialog.querySelector("video");
  const failure = dialog.querySelector(".failure");
  const [take, cancel] = dialog.querySelectorAll("button");
  let stream = null;

  button.hidden = false;
  button.addEventListener("click", async () => {
    failure.hidden = true;
    take.disabled = true;
    dialog.showModal();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      video.srcObject = stream;
      await video.play();
      take.disabled = false;
    } catch (error) {
      failure.textContent =
        error.name === "NotFoundError"
          ? "No camera was found."
          : "The browser does not give the page a camera.";
      failure.hidden = false;
    }
    if (!dialog.open) release();
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
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
  }
}
