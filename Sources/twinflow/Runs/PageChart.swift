import Foundation
import Training

/// A chart of lines over steps in a page: an SVG picture, with the numbers for what a pointer shows.
struct PageChart {
  /// The title.
  let title: String
  /// The lines.
  let lines: [Line]
  /// Whether values are fractions, shown in percent.
  var isPercent = false

  /// One line.
  struct Line {
    /// Its name.
    let name: String
    /// The steps, rising.
    let steps: [Int]
    /// The values.
    let values: [Double]
  }

  /// The most points of a line; longer ones are averaged.
  private static let mostPoints = 600
  private static let (width, height) = (640.0, 260.0)
  private static let (left, right, top, bottom) = (64.0, 12.0, 12.0, 28.0)

  /// Makes a chart of figures of a log; nil without points.
  init?(_ title: String, _ series: [RunLog.Series], isPercent: Bool = false) {
    lines = series.compactMap { series in
      let pairs = zip(series.steps, series.values).filter { $0.1.isFinite }
      let thinned = Self.thinned(pairs)
      return thinned.isEmpty
        ? nil
        : Line(
          name: series.name.replacing("_", with: " "), steps: thinned.map(\.0),
          values: thinned.map(\.1))
    }
    guard !lines.isEmpty else { return nil }
    (self.title, self.isPercent) = (title, isPercent)
  }

  /// Neighbouring points averaged, so that not too many remain.
  private static func thinned(_ points: [(Int, Double)]) -> [(Int, Double)] {
    let share = (points.count + mostPoints - 1) / mostPoints
    guard share > 1 else { return points }
    return stride(from: 0, to: points.count, by: share).map { start in
      let part = points[start..<min(start + share, points.count)]
      return (part[part.endIndex - 1].0, part.reduce(0) { $0 + $1.1 } / Double(part.count))
    }
  }

  /// The chart as HTML.
  var html: String {
    let axis = Axis(lines.flatMap(\.values), isPercent: isPercent)
    let steps = lines.flatMap(\.steps)
    let (first, last) = (steps.min()!, max(steps.max()!, steps.min()! + 1))
    let (plotWidth, plotHeight) = (
      Self.width - Self.left - Self.right, Self.height - Self.top - Self.bottom
    )
    let x = { (step: Int) in
      Self.left + plotWidth * Double(step - first) / Double(last - first)
    }
    let y = { (value: Double) in Self.top + plotHeight * (1 - axis.part(value)) }
    var svg = ""
    for tick in axis.ticks {
      svg +=
        "<line class=grid x1=\(Self.left) x2=\(Self.width - Self.right) "
        + "y1=\(number(y(tick))) y2=\(number(y(tick)))></line>"
      svg +=
        "<text class=tick text-anchor=end x=\(Self.left - 8) y=\(number(y(tick) + 4))>"
        + "\(axis.text(tick))</text>"
    }
    for (step, anchor) in [(first, "start"), ((first + last) / 2, "middle"), (last, "end")] {
      svg +=
        "<text class=tick text-anchor=\(anchor) x=\(number(x(step))) "
        + "y=\(Self.height - 8)>\(step)</text>"
    }
    for (place, line) in lines.enumerated() {
      let points = zip(line.steps, line.values).map { "\(number(x($0))),\(number(y($1)))" }
      svg +=
        points.count == 1
        ? "<circle class=c\(place % 8) cx=\(number(x(line.steps[0]))) "
          + "cy=\(number(y(line.values[0]))) r=4></circle>"
        : "<polyline class=c\(place % 8) points=\"\(points.joined(separator: " "))\"></polyline>"
    }
    let legend = lines.enumerated().map { place, line in
      "<span><i class=c\(place % 8)></i>\(line.name.html)</span>"
    }
    let scale = axis.isLogarithmic ? " <small>logarithmic</small>" : ""
    return """
      <figure class=chart data-left=\(Self.left) data-width=\(Self.width) data-right=\(Self.right)
       data-first=\(first) data-last=\(last) data-percent=\(isPercent ? 1 : 0)>
      <figcaption><b>\(title.html)</b>\(scale)</figcaption>
      <svg viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role=img aria-label="\(title.html)">\
      \(svg)<line class=cursor y1=\(Self.top) y2=\(Self.height - Self.bottom)></line></svg>
      <div class=legend>\(lines.count > 1 ? legend.joined() : "")</div>
      <div class=tip hidden></div>
      <script type="application/json">\(data)</script>
      </figure>
      """
  }

  /// The numbers of the lines as JSON.
  private var data: String {
    let rows = lines.map { line in
      let values = line.values.map { String(format: "%.5g", $0) }.joined(separator: ",")
      return "{\"name\":\(line.name.json),\"steps\":\(line.steps),\"values\":[\(values)]}"
    }
    return "[\(rows.joined(separator: ","))]"
  }

  private func number(_ value: Double) -> String { String(format: "%.1f", value) }

  /// A vertical axis.
  private struct Axis {
    let isLogarithmic: Bool
    let ticks: [Double]
    private let low: Double
    private let high: Double
    private let isPercent: Bool

    init(_ values: [Double], isPercent: Bool) {
      let (least, greatest) = (values.min()!, values.max()!)
      self.isPercent = isPercent
      isLogarithmic = !isPercent && least > 0 && greatest > 20 * least
      guard !isLogarithmic else {
        (low, high) = (log10(least) - 0.05, log10(greatest) + 0.05)
        let (low, high) = (low, high)
        let decades = Int(low.rounded(.down))...Int(high.rounded(.up))
        let digits: [Double] = decades.count > 4 ? [1] : [1, 2, 5]
        ticks = decades.flatMap { decade in digits.map { $0 * pow(10, Double(decade)) } }
          .filter { (low...high).contains(log10($0)) }
        return
      }
      let start = isPercent || least >= 0 && least < 0.5 * greatest ? 0 : least
      let span = max(greatest - start, abs(greatest) * 1e-3, 1e-9)
      (low, high) = (start == 0 ? 0 : start - 0.05 * span, start + 1.05 * span)
      let rough = span / 4
      let power = pow(10, log10(rough).rounded(.down))
      let unit = [1.0, 2, 5, 10].first { $0 * power >= rough }! * power
      ticks = Array(stride(from: (low / unit).rounded(.up) * unit, through: high, by: unit))
    }

    /// The place of a value from 0 to 1.
    func part(_ value: Double) -> Double {
      ((isLogarithmic ? log10(value) : value) - low) / (high - low)
    }

    func text(_ value: Double) -> String {
      isPercent ? String(format: "%.3g %%", 100 * value) : String(format: "%.4g", value)
    }
  }
}

extension String {
  /// The text with HTML's characters escaped.
  var html: String {
    replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }

  /// The text as a JSON string that may stand in a script.
  var json: String {
    let data = (try? JSONEncoder().encode(self)) ?? Data("\"\"".utf8)
    return String(decoding: data, as: UTF8.self).replacing("<", with: "\\u003c")
  }
}
