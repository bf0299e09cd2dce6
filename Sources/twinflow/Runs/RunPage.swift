import Files
import Foundation
import Training

/// A page about a run: one HTML file without links to others.
struct RunPage {
  private let run: RunSummary
  private let samples: [Sample]

  /// A sample grid as a PNG file.
  private struct Sample {
    let step: Int
    let data: Data
  }

  /// The most sample grids in a page; of more, some are left out evenly.
  private static let mostSamples = 60

  /// Reads the sample grids of a run.
  ///
  /// - Throws: `FileError.unreadable`.
  init(_ run: RunSummary) throws {
    self.run = run
    let all = SampleFolder(of: run.path).steps
    let count = min(all.count, Self.mostSamples)
    let picked = (0..<count).map { all[count == 1 ? 0 : $0 * (all.count - 1) / (count - 1)] }
    samples = try picked.map { step in
      let file = try MappedFile(SampleFolder(of: run.path).path(step))
      return Sample(step: step, data: withExtendedLifetime(file) { Data(file.bytes) })
    }
  }

  private var name: String { URL(fileURLWithPath: run.path).lastPathComponent }

  /// The page.
  var html: String {
    let share = run.steps.map { min(1, Double(run.step) / Double(max(1, $0))) } ?? 0
    return """
      <!doctype html>
      <html lang=en>
      <meta charset=utf-8>
      <meta name=viewport content="width=device-width, initial-scale=1">
      <title>\(name.html)</title>
      <style>\(PageStyle.css)</style>
      <header>
      <h1>\(name.html) <span class="state \(run.state.word)">\(run.state.word)</span></h1>
      <div class=progress><div style="width:\(String(format: "%.2f", 100 * share))%"></div></div>
      <p class=facts>\(headline)</p>
      \(problem)
      </header>
      <main>
      \(sampleSection)
      \(chartSections)
      \(planSection)
      \(recipeSection)
      </main>
      <footer>\(run.path.html)</footer>
      <script>\(PageStyle.script)</script>
      </html>

      """
  }

  private var headline: String {
    var facts = ["step <b>\(run.step)</b>" + (run.steps.map { " of \($0)" } ?? "")]
    if let loss = run.loss { facts.append("loss <b>\(String(format: "%.4g", loss))</b>") }
    if let record = run.record {
      facts.append("<b>\(record.seconds.secondsText)</b> of training")
      facts.append("started \(record.started.html)")
    }
    return facts.joined(separator: " · ")
  }

  private var problem: String {
    switch run.state {
    case .failed(let text) where !text.isEmpty, .damaged(let text):
      "<p class=problem>\(text.html)</p>"
    default: ""
    }
  }

  private var sampleSection: String {
    guard let last = samples.last else { return "" }
    let images = samples.map { sample in
      "<img data-step=\(sample.step) alt=\"Samples after step \(sample.step)\" "
        + "\(sample.step == last.step ? "" : "hidden ")"
        + "src=\"data:image/png;base64,\(sample.data.base64EncodedString())\">"
    }
    return """
      <section class=samples>
      <h2>Samples <output>after step \(last.step)</output></h2>
      <input type=range min=0 max=\(samples.count - 1) value=\(samples.count - 1) \
      aria-label="Step of the samples"\(samples.count == 1 ? " disabled" : "")>
      <div class=sheet>\(images.joined(separator: "\n"))</div>
      </section>
      """
  }

  private var chartSections: String {
    let charts = PageCharts(run.log).groups.map { group, charts in
      "<section><h2>\(group.rawValue)</h2><div class=charts>"
        + charts.map(\.html).joined(separator: "\n") + "</div></section>"
    }
    return charts.isEmpty
      ? "<section><p>No figures were logged.</p></section>" : charts.joined(separator: "\n")
  }

  private var planSection: String {
    guard let facts = run.record?.facts else { return "" }
    var rows = [
      ("network", facts.network),
      ("parameters", "\(facts.parameters.shortText), \(facts.trained.shortText) of them trained"),
      ("devices", "\(facts.devices) × \(facts.device)"),
    ]
    if let memory = facts.memory {
      rows.append(("memory of a step, each device", memory.bytesText))
    }
    if let flops = facts.flops {
      rows.append(("computation of a step, each device", "\((flops / 1e9).shortText) GFLOP"))
    }
    if let peak = facts.peak {
      rows.append(
        ("peak of a device, matrix multiplications", "\((peak / 1e9).shortText) GFLOP/s"))
    }
    rows.append(("version", facts.version))
    let cells = rows.map { "<tr><th>\($0.0.html)<td>\($0.1.html)" }
    return "<section><h2>Plan</h2><table>\(cells.joined())</table></section>"
  }

  private var recipeSection: String {
    guard let recipe = run.record?.recipe else { return "" }
    return "<section><h2>Recipe</h2><pre>\(recipe.html)</pre></section>"
  }
}

extension Int {
  /// A human-readable count: `4.21 M`.
  var shortText: String {
    switch self {
    case 1_000_000_000...: String(format: "%.3g G", Double(self) / 1e9)
    case 1_000_000...: String(format: "%.3g M", Double(self) / 1e6)
    case 10_000...: String(format: "%.3g k", Double(self) / 1e3)
    default: "\(self)"
    }
  }
}

/// The charts of a log by group.
struct PageCharts {
  private let log: RunLog

  init(_ log: RunLog) { self.log = log }

  /// The groups that have charts.
  var groups: [(group: MetricGroup, charts: [PageChart])] {
    MetricGroup.allCases.map { ($0, charts(of: $0)) }.filter { !$0.1.isEmpty }
  }

  private func charts(of group: MetricGroup) -> [PageChart] {
    let series = log.series.filter { MetricGroup(of: $0.name) == group }
    let charts: [PageChart?] =
      switch group {
      case .loss:
        [
          PageChart("Loss", series.filter { $0.name == "loss" }),
          PageChart("Terms and groups", series.filter { $0.name != "loss" }),
        ]
      case .evaluation: series.map { PageChart(Self.title($0.name), [$0]) }
      case .optimizer: series.map { PageChart(Self.title($0.name), [$0]) }
      case .speed:
        [
          PageChart("Images per second", series.filter { $0.name == "images_per_second" }),
          PageChart(
            "Share of the peak, and of the time waiting for data",
            series.filter { $0.name != "images_per_second" }, isPercent: true),
        ]
      }
    return charts.compactMap { $0 }
  }

  /// A name with its first letter large and blanks.
  private static func title(_ name: String) -> String {
    let words = name.replacing("_", with: " ").replacing("/", with: ": ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }
}
