// Where photographs come from: chosen, taken, dropped anywhere on the page, or pasted.

export function collect(onFiles) {
  const give = (list) => {
    const files = Array.from(list ?? []);
    if (files.length > 0) onFiles(files);
  };

  for (const input of document.querySelectorAll("#upload-input, #camera-input")) {
    input.addEventListener("change", () => {
      give(input.files);
      input.value = ""; // so that the same file can be chosen again
    });
  }

  document.addEventListener("paste", (event) => give(event.clipboardData?.files));

  const veil = document.querySelector(".drop-veil");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    veil.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true; // it left the window
  });
  document.addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    give(event.dataTransfer.files);
  });
}
