// Follows the alerts of the page, and sends the commands on them: acknowledge, silence. It comes after script.js, whose
// names it uses. Without scripts, the forms send the commands.

const refused = document.getElementById("refused");
let answers = Promise.resolve(); // the commands that were sent: each waits for the one before it

// Words about a command whose result is unknown.
const UNKNOWN = "The server did not answer. It may have carried the command out: see the state of the alert.";

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

// Returns why a response is not that of a command that was carried out, and true if a sign-in is needed; "" if it is.
function problemOf(response) {
  if (response.status === 401) return ["You are signed out, so nothing was changed.", true];
  if (response.type === "opaqueredirect") {
    return ["Another page answers at this address, such as the sign-in of a network, so nothing was changed.", false];
  }
  // Problems are of this server; other errors are those of a proxy, behind which it may have done its work.
  const isOurs = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  if (response.ok || response.status === 409) return ["", false];
  if (!isOurs || response.status === 500) return [UNKNOWN, false];
  const again = response.status === 503 ? " Press the button again." : "";
  return [`Nothing was changed: the server refuses it (${response.status}).${again}`, false];
}

// Sends a command, and shows what became of it. Without scripts, the form does.
async function answer(address, words) {
  let problem = UNKNOWN;
  let needsSignIn = false;
  let done = `${words}: done`;
  try {
    const response = await fetch(address, {
      method: "POST",
      headers: { Accept: "application/json" },
      redirect: "manual",
      signal: AbortSignal.timeout(FETCH_TIMEOUT),
    });
    [problem, needsSignIn] = problemOf(response);
    if (response.status === 409) done = `${words}: not needed, as the alert does not fire any more`;
  } catch {
    // The command may have reached the server before the connection broke.
  }
  write(refused, problem);
  if (needsSignIn) {
    const link = signedOut.querySelector("a").cloneNode(true);
    link.href = signInHere();
    refused.append(" ", link);
  }
  refused.hidden = !problem;
  await pollAfresh();
  if (!problem) write(spoken, done);
}

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!event.target.matches("form.answers") || !button) return;
  event.preventDefault();
  const [address, words] = [button.formAction, button.firstChild.data];
  answers = answers.then(() => answer(address, words)).catch(console.error);
});
