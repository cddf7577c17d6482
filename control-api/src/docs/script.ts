/**
 * The page's only script: sends a form's GET to the page's own server, with the API key that was typed
 * in, and shows the answer as text. The key stays in its field: it is stored nowhere, and the policy
 * lets the page ask nobody else. `docs.test.ts` runs it, and holds the policy's hash to it.
 */
export const script: string = `"use strict";
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const shown = form.querySelector("pre");
  const query = new URLSearchParams();
  let path = form.dataset.path;
  for (const { dataset, name, value } of form.querySelectorAll("input")) {
    if (dataset.in === "path") path = path.replace("{" + name + "}", encodeURIComponent(value));
    else if (value !== "") query.set(name, value);
  }
  const search = query.toString();
  const key = document.querySelector("#key").value.trim();
  const headers = key === "" ? {} : { authorization: "Bearer " + key };
  shown.hidden = false;
  shown.textContent = "…";
  try {
    const answer = await fetch(search === "" ? path : path + "?" + search, { headers, cache: "no-store" });
    const text = await answer.text();
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    const body = isJson ? JSON.stringify(JSON.parse(text), undefined, 2) : text;
    shown.textContent = answer.status + "\\n" + body;
  } catch (error) {
    shown.textContent = "No answer: " + error.message;
  }
});
`;
