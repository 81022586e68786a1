// Makes nodes like others with as few changes as possible: what is the same stays in place, with its
// selection, focus and scroll position.

/** Make the children of `parent` from index `from` on like those of `fragment`, which is used up. */
export function morphChildren(parent, from, fragment) {
  let node = parent.childNodes[from] ?? null;
  for (const wanted of [...fragment.childNodes]) {
    if (!node) {
      parent.append(wanted);
    } else {
      const next = node.nextSibling;
      morph(node, wanted);
      node = next;
    }
  }
  while (node) {
    const next = node.nextSibling;
    node.remove();
    node = next;
  }
}

function morph(node, wanted) {
  if (node.isEqualNode(wanted)) return;
  if (node.nodeType === Node.TEXT_NODE && wanted.nodeType === Node.TEXT_NODE) {
    changeText(node, wanted.data);
  } else if (isLike(node, wanted)) {
    morphChildren(node, 0, wanted);
  } else {
    node.replaceWith(wanted);
  }
}

function changeText(node, data) {
  if (data.startsWith(node.data)) node.appendData(data.slice(node.data.length));
  else node.data = data;
}

function isLike(node, wanted) {
  return node.nodeType === Node.ELEMENT_NODE && wanted.nodeType === Node.ELEMENT_NODE
    && node.cloneNode(false).isEqualNode(wanted.cloneNode(false));
}
