"use strict";
// Puts what the server has rendered anew into the page. Elements stay the same ones wherever they can, so that
// focus, selection and opened details stay as they are. Without this script the page refreshes itself.

function adapt(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !kept(old, name)) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = child.id && [...old.children].find((one) => alike(one, child));
    while (at && at !== same && (at.id ? !fresh.querySelector("#" + CSS.escape(at.id)) : same)) at = drop(at);
    if (at && alike(at, child)) {
      adapt(at, child);
      at = at.nextSibling;
    } else {
      if (same) adapt(same, child);
      old.insertBefore(same || child, at);
    }
  }
  while (at) at = drop(at);
}

const alike = (one, other) => one.nodeName === other.nodeName && (one.id || "") === (other.id || "");
const kept = (element, name) => element.nodeName === "DETAILS" && name === "open"; // the reader's, not the server's

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function listen() {
  const told = document.getElementById("live");
  const source = new EventSource("/events");
  source.onmessage = (event) => {
    const fresh = JSON.parse(event.data);
    document.title = fresh.title;
    for (const [id, html] of Object.entries(fresh.sections)) {
      const template = document.createElement("template");
      template.innerHTML = html;
      adapt(document.getElementById(id), template.content.firstElementChild);
    }
    if (told.textContent !== "live") told.textContent = "live";
  };
  source.onerror = () => {
    told.textContent = "not live: no connection";
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
}

listen();
