/// What the page about benchmarks has besides `PageStyle`.
enum BenchmarkPageStyle {
  /// The classes of a run's color: eight colors, then the same with stripes in three directions.
  static func mark(_ run: Int) -> String {
    "c\(run % 8)" + (run < 8 ? "" : " stripes\((run / 8 - 1) % 3)")
  }

  /// The style.
  static let css = """
    .runs { gap: 4px 24px; margin-bottom: 14px; font-size: 14px; }
    .runs b { color: var(--text); }
    .runs i, .who i { height: 10px; width: 10px; }
    i.stripes0 { background-image: repeating-linear-gradient(45deg, transparent 0 3px,
      var(--stripe) 3px 6px); }
    i.stripes1 { background-image: repeating-linear-gradient(-45deg, transparent 0 3px,
      var(--stripe) 3px 6px); }
    i.stripes2 { background-image: repeating-linear-gradient(90deg, transparent 0 3px,
      var(--stripe) 3px 6px); }
    .runs, .figures, .who { --stripe: rgb(255 255 255 / .6); }
    .figures { display: grid; gap: 8px; }
    .figure { display: grid; grid-template-columns: minmax(84px, 22%) 1fr; gap: 14px;
      align-items: center; }
    .figure.overall { padding-bottom: 10px; border-bottom: 1px solid var(--line); }
    .figure.overall .name, .figure.overall .value { font-weight: 600; }
    .bar { display: flex; align-items: center; gap: 10px; margin: 2px 0; }
    .track { position: relative; flex: 1; height: 12px; border-radius: 3px; background: var(--line); }
    .track i { display: block; height: 100%; border-radius: 3px; }
    .track u { position: absolute; top: 50%; height: 2px; margin-top: -1px; background: var(--text);
      opacity: .75; }
    .track u::before, .track u::after { content: ""; position: absolute; top: -3px; width: 2px;
      height: 8px; background: var(--text); }
    .track u::after { right: 0; }
    .value { width: 4em; text-align: right; font-variant-numeric: tabular-nums; font-size: 14px; }
    details { margin-top: 14px; overflow-x: auto; }
    summary { color: var(--dim); cursor: pointer; }
    details table { margin-top: 8px; font-variant-numeric: tabular-nums; }
    details td, details th { padding: 3px 24px 3px 0; text-align: left; font-weight: normal; }
    details tr:first-child th { font-weight: 600; }
    .notes { margin: 0; padding-left: 20px; color: var(--dim); }
    .filters { margin: 0 0 6px; color: var(--dim); }
    .filters select { font: inherit; color: inherit; background: var(--page); padding: 3px 6px;
      border: 1px solid var(--line); border-radius: 6px; margin-right: 14px; }
    article { border-top: 1px solid var(--line); padding: 14px 0; }
    article h3 { font-size: 15px; font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
    article h3 small, .legend small, figcaption small { color: var(--dim); font-weight: normal; }
    figcaption small { display: block; margin: 0; overflow-wrap: anywhere; }
    .side { display: grid; gap: 14px 28px; margin-top: 8px;
      grid-template-columns: repeat(auto-fit, minmax(min(500px, 100%), 1fr)); }
    .who { font-size: 13px; color: var(--dim); }
    .who i { display: inline-block; border-radius: 2px; margin-right: 6px; }
    .pictures { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 4px; }
    .pictures figure { width: 118px; font-size: 12px; line-height: 1.35; }
    .pictures img, .gone { display: block; width: 118px; min-height: 24px; border-radius: 6px;
      border: 3px solid var(--line); }
    .gone { padding: 40px 8px; text-align: center; color: var(--dim); }
    .frame { position: relative; }
    .frame svg { position: absolute; inset: 0; width: 100%; height: 100%; }
    .frame rect { fill: none; stroke: var(--c3); stroke-width: 1.5px; vector-effect: non-scaling-stroke; }
    .right img { border-color: var(--c2); } .wrong img { border-color: var(--c1); }
    .partly img { border-color: var(--c4); }
    .pictures p { margin: 3px 0 0; white-space: pre-line; overflow-wrap: anywhere; max-height: 9em;
      overflow-y: auto; }
    .found { color: var(--dim); }
    article[hidden] { display: none; }
    """

  /// The filters of the pictures.
  static let script = """
    for (const gallery of document.querySelectorAll('.gallery')) {
      const select = gallery.querySelector('select');
      const box = gallery.querySelector('input');
      const show = () => {
        for (const article of gallery.querySelectorAll('article')) {
          const other = select && select.value && article.dataset.category !== select.value;
          article.hidden = other || (box.checked && 'right' in article.dataset);
        }
      };
      if (select) select.addEventListener('change', show);
      box.addEventListener('change', show);
    }
    """
}
