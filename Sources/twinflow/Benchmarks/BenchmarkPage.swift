import Evaluation
import Files
import Foundation
import Pictures

/// A page about the scores of benchmarks, models side by side: one HTML file without links to others.
struct BenchmarkPage {
  private let report: BenchmarkReport
  private let folders: [BenchmarkRun: String]

  /// Makes a page.
  ///
  /// - Parameter folders: the folders of the runs, of whose pictures some are shown.
  init(_ report: BenchmarkReport, folders: [BenchmarkRun: String]) {
    (self.report, self.folders) = (report, folders)
  }

  /// The page.
  var html: String {
    let names = report.groups.map { $0[0].run.benchmark.title }
    return """
      <!doctype html>
      <html lang=en>
      <meta charset=utf-8>
      <meta name=viewport content="width=device-width, initial-scale=1">
      <title>\(names.joined(separator: ", ").html)</title>
      <style>\(PageStyle.css)\(BenchmarkPageStyle.css)</style>
      <header>
      <h1>Benchmarks</h1>
      <p class=facts>\(headline)</p>
      </header>
      <main>
      \(report.groups.map(section).joined(separator: "\n"))
      \(notes)
      </main>
      <footer>twinflow score</footer>
      <script>\(BenchmarkPageStyle.script)</script>
      </html>

      """
  }

  private var headline: String {
    report.runs.map { scores in
      "\(scores.run.benchmark.title.html), \(scores.run.title.html) "
        + "<b>\(String(format: "%.3f", scores.overall.value))</b>"
    }.joined(separator: " · ")
  }

  private var notes: String {
    let items = report.notes.map { "<li>\($0.html)" }
    return "<section><h2>Notes</h2><ul class=notes>\(items.joined())</ul></section>"
  }

  private func section(_ group: [BenchmarkScores]) -> String {
    """
    <section class=benchmark>
    <h2>\(group[0].run.benchmark.title.html)</h2>
    \(legend(group))
    \(bars(group))
    <details><summary>All figures</summary>\(table(group))</details>
    </section>
    \(BenchmarkGallery(group, folders: folders).html)
    """
  }

  /// The colors of the runs.
  private func legend(_ group: [BenchmarkScores]) -> String {
    let entries = group.enumerated().map { number, scores in
      let run = scores.run
      var facts = ["\(scores.pictures.count) pictures of \(scores.prompts) prompts"]
      if let size = run.size { facts.append("\(size[0]) × \(size[1])") }
      if let guidance = run.guidance, guidance != 0 { facts.append("guidance \(guidance)") }
      if let seed = run.seed { facts.append("seed \(seed)") }
      facts += scores.judges.map { "judged by \($0)" }
      return "<span><i class=\"\(BenchmarkPageStyle.mark(number))\"></i><b>\(run.title.html)</b> "
        + "<small>\(facts.joined(separator: ", ").html)</small></span>"
    }
    return "<div class=\"legend runs\">\(entries.joined())</div>"
  }

  /// A bar for each figure and run, with its interval.
  private func bars(_ group: [BenchmarkScores]) -> String {
    let names = BenchmarkReport.names(group) { [$0.overall] + $0.categories }
    let rows = names.map { name in
      let bars = group.enumerated().map { number, scores -> String in
        let figure = ([scores.overall] + scores.categories).first { $0.name == name }
        guard let figure else { return "<div class=bar><span class=value>–</span></div>" }
        return bar(figure, mark: BenchmarkPageStyle.mark(number))
      }
      let isOverall = name == group[0].overall.name
      return "<div class=\"figure\(isOverall ? " overall" : "")\"><span class=name>"
        + "\(name.replacing("_", with: " ").html)</span><div>\(bars.joined())</div></div>"
    }
    return "<div class=figures>\(rows.joined(separator: "\n"))</div>"
  }

  private func bar(_ figure: BenchmarkScores.Figure, mark: String) -> String {
    func percent(_ value: Double) -> String {
      String(format: "%.2f%%", 100 * min(1, max(0, value)))
    }
    var interval = ""
    if let low = figure.low, let high = figure.high {
      interval =
        "<u style=\"left:\(percent(low));width:calc(\(percent(high)) - \(percent(low)))\"></u>"
    }
    return "<div class=bar title=\"\(figure.text.html), of \(figure.count)\"><div class=track>"
      + "<i class=\"\(mark)\" style=\"width:\(percent(figure.value))\"></i>\(interval)</div>"
      + "<span class=value>\(String(format: "%.3f", figure.value))</span></div>"
  }

  private func table(_ group: [BenchmarkScores]) -> String {
    let figures = { (scores: BenchmarkScores) in
      [scores.overall] + scores.categories + scores.further
    }
    let rows = BenchmarkReport.names(group, figures).map { name in
      let cells = group.map { scores in
        "<td>\(figures(scores).first { $0.name == name }.map { "\($0.text) of \($0.count)" } ?? "–")"
      }
      return "<tr><th>\(name.html)\(cells.joined())"
    }
    let heads = group.map { "<th>\($0.run.title.html)" }
    return "<table><tr><th>\(heads.joined())\(rows.joined())</table>"
  }
}
