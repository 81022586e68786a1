// Runs in the page, as the value of an expression: what test_markdown.py needs of the view.
async () => {
  const { createMarkdownView, renderMarkdown } = await import("/static/js/markdown/markdown-view.js");
  const TAGS = {
    A: ["href", "rel", "target", "dir", "title"], BDI: ["class"], BLOCKQUOTE: ["dir"], BR: [], BUTTON: ["type", "class"],
    CODE: ["dir", "translate", "data-language"], DIV: ["class", "tabindex", "role", "aria-label"], EM: [], H3: ["dir"], H4: ["dir"],
    H5: ["dir"], H6: ["dir"], HR: [], INPUT: ["type", "disabled", "checked", "aria-label"], LI: [], OL: ["dir", "start"],
    P: ["dir"], PRE: ["dir", "translate", "tabindex"], S: [], SPAN: ["class", "dir", "translate", "role", "data-name"], STRONG: [], TABLE: [],
    TBODY: [], TD: ["dir", "class"], TH: ["dir", "class"], THEAD: [], TR: [], UL: ["dir"],
  };
  const violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = "/static/css/markdown.css";
  document.head.append(link);

  const host = () => {
    const element = document.createElement("div");
    document.querySelector("main").append(element);
    return element;
  };

  const faultsOf = (element) => [...element.querySelectorAll("*")].flatMap((node) => {
    const allowed = TAGS[node.nodeName];
    if (!allowed) return [`<${node.nodeName}>`];
    const faults = [...node.attributes].map(({ name }) => name).filter((name) => !allowed.includes(name));
    if (node.localName === "a") {
      if (!/^(https?:|mailto:)$/.test(node.protocol)) faults.push(node.href);
      if (node.rel !== "noopener noreferrer nofollow" || node.target !== "_blank") faults.push("rel");
    }
    if (node.localName === "input" && !(node.type === "checkbox" && node.disabled)) faults.push("input");
    return faults;
  });

  const plain = (element) => {
    const copy = element.cloneNode(true);
    for (const span of copy.querySelectorAll("pre :is([class^=hljs], [class^=language], .md-lines)")) span.replaceWith(...span.childNodes);
    copy.normalize();
    return copy.innerHTML;
  };

  const streamed = async (element, pieces) => {
    const view = createMarkdownView(element);
    for (const piece of pieces) {
      view.append(piece);
      view.flush();
    }
    await view.finish();
    view.close();
    return element.innerHTML;
  };

  window.markdown = {
    host, createMarkdownView, violations,

    /** Returns the texts whose pieces do not give the DOM of the whole. */
    async unequal(texts) {
      const bad = [];
      const [element, other] = [host(), host()];
      for (const pieces of texts) {
        const text = pieces.join("");
        const html = await streamed(element, pieces);
        const whole = await streamed(other, [text]);
        const rendered = document.createElement("div");
        rendered.append(renderMarkdown(text));
        if (html !== whole) bad.push([pieces, html, whole]);
        else if (plain(element) !== plain(rendered)) bad.push([pieces, plain(element), plain(rendered)]);
      }
      element.remove();
      other.remove();
      return bad.slice(0, 3);
    },

    /** Returns what an output leads to that it must not, whole, cut anywhere, and while it comes. */
    async faults(text) {
      const [whole, coming] = [host(), host()];
      const view = createMarkdownView(whole);
      const open = createMarkdownView(coming);
      const faults = [];
      for (let end = 1; end <= text.length; end += 1) {
        view.set(text.slice(0, end));
        open.append(text[end - 1]);
        open.flush();
        const finished = view.finish();
        for (const element of [whole, coming]) faults.push(...faultsOf(element).map((fault) => [end, fault]));
        if (end === text.length) await finished;
      }
      await open.finish();
      faults.push(...faultsOf(whole), ...faultsOf(coming));
      whole.remove();
      coming.remove();
      return faults;
    },

    /** Feeds pieces as a stream would, so many a second; returns the long tasks in between. */
    async measure(pieces, perSecond) {
      const tasks = [];
      const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration)));
      observer.observe({ type: "longtask" });
      const view = createMarkdownView(host());
      window.markdown.shown = view;
      const began = performance.now();
      let next = 0;
      await new Promise((done) => {
        const timer = setInterval(() => {
          const due = Math.min(pieces.length, ((performance.now() - began) / 1000) * perSecond);
          while (next < due) view.append(pieces[next++]);
          if (next >= pieces.length) done(clearInterval(timer));
        }, 5);
      });
      await view.finish();
      await new Promise((done) => setTimeout(done, 200));
      observer.disconnect();
      return { tasks: tasks.map(Math.round), seconds: Math.round((performance.now() - began) / 1000), characters: view.text.length };
    },
  };
}
