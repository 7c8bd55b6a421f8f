// A question of the server stands on the page; with scripts it comes to the front, and can be answered with no.

export function startDialogs() {
  document.querySelectorAll("dialog[data-modal]").forEach((dialog) => {
    dialog.open = false; // close() would tell its listeners, later
    dialog.showModal();
    dialog.addEventListener("close", () => dialog.remove());
  });
  document.querySelectorAll("dialog [data-close]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => button.closest("dialog").close());
  });
}
