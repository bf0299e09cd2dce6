import Foundation
import Training

/// Lines over steps, drawn in a terminal with the dots of braille letters, 2 × 4 in each place.
struct TerminalChart {
  /// The title.
  var title: String
  /// The steps and values of the line.
  var points: [(step: Int, value: Double)]
  /// The columns of letters.
  var width = 72
  /// The rows of letters.
  var height = 10

  /// The chart of a run's losses; nil where none was logged.
  ///
  /// The loss is drawn, and its terms are listed with their first and last values.
  static func losses(of log: RunLog) -> String? {
    guard let loss = log["loss"], loss.values.count > 1 else { return nil }
    var lines = [
      TerminalChart(title: "loss", points: Array(zip(loss.steps, loss.values))).text
    ]
    let terms = log.series.filter { MetricGroup(of: $0.name) == .loss && $0.name != "loss" }
    let width = terms.map(\.name.count).max() ?? 0
    for term in terms {
      guard let first = term.values.first, let last = term.values.last else { continue }
      lines.append(
        term.name + String(repeating: " ", count: width - term.name.count)
          + String(format: "  %.4g → %.4g", first, last))
    }
    return lines.joined(separator: "\n")
  }

  /// The chart as lines of text. Many points are averaged where they share a column of dots.
  var text: String {
    let finite = points.filter { $0.value.isFinite }
    guard let first = finite.first, let last = finite.last else { return title }
    let columns = averaged(finite, from: first.step, to: last.step)
    let values = columns.compactMap { $0 }
    let isLogarithmic = values.allSatisfy { $0 > 0 } && values.max()! > 20 * values.min()!
    let scale = { (value: Double) in isLogarithmic ? log10(value) : value }
    let (low, high) = (scale(values.min()!), scale(values.max()!))
    var dots = [[UInt32]](
      repeating: [UInt32](repeating: 0, count: width), count: height)
    var before: Int?
    for (column, value) in columns.enumerated() {
      guard let value else { continue }
      let part = high > low ? (scale(value) - low) / (high - low) : 0.5
      let row = Int(((1 - part) * Double(height * 4 - 1)).rounded())
      // Steep parts are connected.
      let from = before ?? row
      for y in min(row, from)...max(row, from) {
        dots[y / 4][column / 2] |= Self.bit(x: column % 2, y: y % 4)
      }
      before = row
    }
    let names = [values.max()!, values.min()!].map { String(format: "%.4g", $0) }
    let margin = names.map(\.count).max()!
    var lines = [title + (isLogarithmic ? ", logarithmic" : "")]
    for (row, letters) in dots.enumerated() {
      let name = row == 0 ? names[0] : row == height - 1 ? names[1] : ""
      let text = letters.map { Character(Unicode.Scalar(0x2800 + $0)!) }
      lines.append(String(repeating: " ", count: margin - name.count) + name + " ┤" + String(text))
    }
    let (start, end) = ("\(first.step)", "\(last.step)")
    let space = max(1, width - start.count - end.count)
    lines.append(
      String(repeating: " ", count: margin + 2) + start + String(repeating: " ", count: space)
        + end)
    return lines.joined(separator: "\n")
  }

  /// The mean of the values in each column of dots; columns between points are interpolated.
  private func averaged(
    _ points: [(step: Int, value: Double)], from first: Int, to last: Int
  ) -> [Double?] {
    let count = width * 2
    var (sums, counts) = ([Double](repeating: 0, count: count), [Int](repeating: 0, count: count))
    for (step, value) in points {
      let part = last > first ? Double(step - first) / Double(last - first) : 0
      let column = min(count - 1, Int(part * Double(count)))
      sums[column] += value
      counts[column] += 1
    }
    var means = zip(sums, counts).map { $1 > 0 ? $0 / Double($1) : nil }
    let known = means.indices.filter { means[$0] != nil }
    for (a, b) in zip(known, known.dropFirst()) where b > a + 1 {
      for column in a + 1..<b {
        let part = Double(column - a) / Double(b - a)
        means[column] = means[a]! + (means[b]! - means[a]!) * part
      }
    }
    return means
  }

  /// The bit of a dot in a braille letter.
  private static func bit(x: Int, y: Int) -> UInt32 {
    [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]][y][x]
  }
}

/// What a figure of the log is about.
enum MetricGroup: String, CaseIterable {
  case loss = "Losses"
  case evaluation = "Evaluation"
  case optimizer = "Optimizer"
  case speed = "Speed"

  /// The group of a figure.
  init(of name: String) {
    self =
      switch name {
      case "gradient_norm", "learning_rate": .optimizer
      case "images_per_second", "peak_share", "data_wait": .speed
      case "accuracy": .evaluation
      case _ where name.contains("/"): .evaluation
      default: .loss
      }
  }
}
