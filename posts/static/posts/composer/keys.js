// Ctrl+Enter (or Cmd+Enter) presses the highlighted button, from anywhere in the form.

export function startKeys(form) {
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    const button = form.querySelector("dialog[open] input.default") ?? form.querySelector(".sq-submit input.default");
    if (!button) return;
    event.preventDefault();
    form.requestSubmit(button);
  });
}
