/// What all pages about runs share.
enum PageStyle {
  /// The style, light and dark.
  static let css = """
    :root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1a1d21; --dim: #626a73;
      --line: #e2e5e9; --accent: #0072b2;
      --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b37d00; --c5: #3a9bd9;
      --c6: #444; --c7: #8a8023; }
    @media (prefers-color-scheme: dark) { :root { --page: #14171a; --card: #1d2125; --text: #e6e9ec;
      --dim: #99a2ab; --line: #32383e; --accent: #56b4e9;
      --c0: #56b4e9; --c1: #f0904a; --c2: #3fcf9f; --c3: #e39cc4; --c4: #e6b033; --c5: #7fa8ff;
      --c6: #cfd4d9; --c7: #c5b94d; } }
    * { box-sizing: border-box; }
    body { margin: 0; background: var(--page); color: var(--text);
      font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
    header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
    header { padding-top: 28px; }
    h1 { font-size: 26px; margin: 0 0 12px; display: flex; gap: 14px; align-items: center; }
    h2 { font-size: 17px; margin: 0 0 12px; }
    h2 output { color: var(--dim); font-weight: normal; margin-left: 8px; }
    .state { font-size: 13px; font-weight: 600; padding: 2px 10px; border-radius: 12px;
      background: var(--line); color: var(--text); }
    .state.running, .state.finished { background: var(--accent); color: var(--card); }
    .state.failed, .state.damaged, .state.killed { background: var(--c1); color: var(--card); }
    .progress { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
    .progress div { height: 100%; background: var(--accent); }
    .facts { color: var(--dim); margin: 10px 0 0; }
    .facts b { color: var(--text); }
    .problem { border-left: 3px solid var(--c1); padding-left: 12px; }
    section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
      padding: 18px 20px; margin: 20px 0; }
    .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr));
      gap: 18px 28px; }
    figure { margin: 0; position: relative; min-width: 0; }
    figcaption small { color: var(--dim); margin-left: 6px; }
    svg { width: 100%; height: auto; display: block; touch-action: pan-y; }
    .grid { stroke: var(--line); }
    .tick { fill: var(--dim); font-size: 12px; }
    polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
    .cursor { stroke: var(--dim); visibility: hidden; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--dim); font-size: 13px; }
    .legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px;
      margin-right: 6px; vertical-align: middle; }
    .tip { position: absolute; pointer-events: none; background: var(--card); color: var(--text);
      border: 1px solid var(--line); border-radius: 6px; padding: 6px 10px; font-size: 13px;
      box-shadow: 0 2px 8px #0003; white-space: nowrap; z-index: 1; }
    .tip td { padding: 0 0 0 12px; text-align: right; font-variant-numeric: tabular-nums; }
    .tip th { text-align: left; font-weight: normal; }
    .c0 { stroke: var(--c0); } i.c0, circle.c0 { background: var(--c0); fill: var(--c0); }
    .c1 { stroke: var(--c1); } i.c1, circle.c1 { background: var(--c1); fill: var(--c1); }
    .c2 { stroke: var(--c2); } i.c2, circle.c2 { background: var(--c2); fill: var(--c2); }
    .c3 { stroke: var(--c3); } i.c3, circle.c3 { background: var(--c3); fill: var(--c3); }
    .c4 { stroke: var(--c4); } i.c4, circle.c4 { background: var(--c4); fill: var(--c4); }
    .c5 { stroke: var(--c5); } i.c5, circle.c5 { background: var(--c5); fill: var(--c5); }
    .c6 { stroke: var(--c6); } i.c6, circle.c6 { background: var(--c6); fill: var(--c6); }
    .c7 { stroke: var(--c7); } i.c7, circle.c7 { background: var(--c7); fill: var(--c7); }
    .samples input { width: 100%; accent-color: var(--accent); }
    .sheet { overflow-x: auto; border-radius: 6px; background: #fff; text-align: center; }
    .sheet img { display: block; max-width: 100%; margin: 0 auto; }
    .sheet img[hidden] { display: none; }
    table { border-collapse: collapse; }
    section > table th { text-align: left; font-weight: normal; color: var(--dim);
      padding: 3px 24px 3px 0; }
    pre { margin: 0; overflow-x: auto; font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
    footer { color: var(--dim); font-size: 13px; padding-bottom: 28px; }
    """

  /// The slider of samples, and what a pointer shows in charts.
  static let script = """
    for (const section of document.querySelectorAll('.samples')) {
      const images = [...section.querySelectorAll('img')];
      const output = section.querySelector('output');
      section.querySelector('input').addEventListener('input', event => {
        const shown = Number(event.target.value);
        images.forEach((image, i) => { image.hidden = i !== shown; });
        output.textContent = 'after step ' + images[shown].dataset.step;
      });
    }
    function nearest(steps, step) {
      let low = 0, high = steps.length - 1;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (steps[middle] < step) low = middle + 1; else high = middle;
      }
      return low > 0 && step - steps[low - 1] < steps[low] - step ? low - 1 : low;
    }
    for (const figure of document.querySelectorAll('.chart')) {
      const lines = JSON.parse(figure.querySelector('script').textContent);
      const [svg, tip, cursor] = ['svg', '.tip', '.cursor'].map(name => figure.querySelector(name));
      const [left, width, right, first, last, percent] =
        ['left', 'width', 'right', 'first', 'last', 'percent'].map(key => Number(figure.dataset[key]));
      const hide = () => { tip.hidden = true; cursor.style.visibility = 'hidden'; };
      svg.addEventListener('pointerleave', hide);
      svg.addEventListener('pointermove', event => {
        const box = svg.getBoundingClientRect();
        const x = (event.clientX - box.left) / box.width * width;
        const part = Math.min(1, Math.max(0, (x - left) / (width - left - right)));
        const wanted = first + part * (last - first);
        const longest = lines.reduce((a, b) => b.steps.length > a.steps.length ? b : a);
        const step = longest.steps[nearest(longest.steps, wanted)];
        const place = left + (step - first) / (last - first) * (width - left - right);
        for (const end of ['x1', 'x2']) cursor.setAttribute(end, place);
        cursor.style.visibility = 'visible';
        tip.replaceChildren();
        const table = document.createElement('table');
        const row = (name, value) => {
          const line = table.insertRow();
          const head = document.createElement('th');
          head.textContent = name;
          line.append(head);
          line.insertCell().textContent = value;
        };
        row('step', step);
        for (const line of lines) {
          const value = line.values[nearest(line.steps, step)];
          row(line.name, percent ? (100 * value).toFixed(1) + ' %' : value.toPrecision(4));
        }
        tip.append(table);
        tip.hidden = false;
        const at = place / width * box.width;
        tip.style.left = (at > box.width / 2 ? at - tip.offsetWidth - 12 : at + 12) + 'px';
        tip.style.top = (event.clientY - figure.getBoundingClientRect().top - 16) + 'px';
      });
    }
    """
}
