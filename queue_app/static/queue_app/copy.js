// Copies a text of the page, where the browser can; without it the text can be marked by hand.
// <button data-copy="id of the text" data-copied="what the button says then" hidden>

document.querySelectorAll("button[data-copy]").forEach((button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = button.dataset.copied;
  });
});
