// Follows the alerts of the page, and sends the commands on them: acknowledge, silence. It comes after script.js, whose
// names it uses. Without scripts, the forms send the commands.

const refused = document.getElementById("refused");
let answering = false; // true while a command is sent

// The sentences about the critical alerts of the page, by their keys.
const critical = () =>
  new Map([...document.querySelectorAll("[data-announce]")].map((alert) => [alert.dataset.key, alert.dataset.announce]));

followAlerts = (main) => {
  const known = critical();
  const focused = document.activeElement?.closest(".alert")?.dataset.key;
  return (fresh) => {
    const icon = document.querySelector('link[rel="icon"]');
    const freshIcon = fresh.querySelector('link[rel="icon"]')?.getAttribute("href");
    if (icon && freshIcon && icon.getAttribute("href") !== freshIcon) icon.setAttribute("href", freshIcon);
    // A button that is gone leaves its alert the focus, or the page.
    if (focused && document.activeElement === document.body) {
      (document.querySelector(`.alert[data-key="${CSS.escape(focused)}"] a`) ?? main).focus();
    }
    const fired = [...critical()].filter(([key]) => !known.has(key)).map(([, sentence]) => sentence);
    return fired.join(". ");
  };
};

// Waits for a poll in progress, then polls again: it shows the result of a command.
async function pollAfresh() {
  while (busy) await new Promise((resolve) => setTimeout(resolve, 50));
  etag = null;
  await poll();
}

// Sends the command of a button. Without scripts, the form does.
async function answer(button) {
  if (answering) return;
  answering = true;
  const words = button.firstChild.data;
  let problem = "The server cannot be reached, so nothing was changed.";
  try {
    const response = await fetch(button.formAction, {
      method: "POST",
      headers: { Accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(FETCH_TIMEOUT),
    });
    problem = response.ok ? "" : `Nothing was changed: the server answers with an error (${response.status}).`;
    // The alert may have ended, or another person may have answered it.
    if (response.status === 409) problem = "";
  } catch {
    // The sentence above says so.
  }
  write(refused, problem);
  refused.hidden = !problem;
  await pollAfresh();
  answering = false;
  if (!problem) write(spoken, `${words}: done`);
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form.answers") || !event.submitter) return;
  event.preventDefault();
  answer(event.submitter);
});
