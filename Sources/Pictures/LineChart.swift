import Foundation

/// A line chart over a few named positions, such as distances over numbers of steps.
public struct LineChart: Sendable {
  /// How values become heights.
  public enum Scale: Sendable {
    /// Equal ratios are equally far apart; values that are not positive are left out.
    case logarithmic
    /// From 0 up.
    case linear
  }

  /// The title.
  public var title: String
  /// The text beside the vertical axis.
  public var axis: String
  /// The names of the positions from left to right.
  public var places: [String]
  /// The lines: a name, and a value for each position; values that are negative or not finite are left out.
  public var lines: [(name: String, values: [Double])]
  /// A value that is drawn as a horizontal line.
  public var level: (name: String, value: Double)?
  /// The scale of the vertical axis.
  public var scale: Scale

  /// Makes a chart.
  public init(
    title: String, axis: String, places: [String], lines: [(name: String, values: [Double])],
    level: (name: String, value: Double)? = nil, scale: Scale = .logarithmic
  ) {
    self.title = title
    self.axis = axis
    self.places = places
    self.lines = lines
    self.level = level
    self.scale = scale
  }

  /// The chart as a picture.
  ///
  /// - Throws: `PictureError.impossiblePage`.
  public var picture: Picture {
    get throws(PictureError) { try draw() }
  }

  private func draw() throws(PictureError) -> Picture {
    let (width, left, right, top, bottom) = (860, 70.0, 250.0, 70.0, 46.0)
    let height = max(440, 120 + 22 * (lines.count + 2))
    let canvas = try Canvas(width: width, height: height)
    canvas.text(title, x: 20, y: 30, size: 18, bold: true)
    canvas.text(
      axis + (scale == .logarithmic ? ", logarithmic" : ""), x: 20, y: 52, size: 12, gray: 0.35)
    let all = (lines.flatMap(\.values) + [level?.value].compactMap { $0 }).filter(isDrawn)
    guard let least = all.min(), let greatest = all.max() else { return canvas.picture }
    let highest = min(greatest * 1.15, .greatestFiniteMagnitude)
    let range =
      scale == .logarithmic
      ? max(least / 1.15, .leastNormalMagnitude)...highest : 0...max(highest, 1e-9)
    let (plotWidth, plotHeight) = (
      Double(width) - left - right, Double(height) - top - bottom
    )
    func y(_ value: Double) -> Double {
      top + plotHeight * (position(of: range.upperBound) - position(of: value))
        / (position(of: range.upperBound) - position(of: range.lowerBound))
    }
    func x(_ place: Int) -> Double {
      left + plotWidth * (Double(place) + 0.5) / Double(max(1, places.count))
    }
    for value in ticks(in: range) {
      canvas.line([(left, y(value)), (left + plotWidth, y(value))], color: .gray(0.88))
      canvas.text(
        String(format: "%g", value), x: left - 8, y: y(value) + 4, size: 11, gray: 0.35,
        alignment: .right)
    }
    for (i, name) in places.enumerated() {
      canvas.text(
        name, x: x(i), y: top + plotHeight + 22, size: 12, gray: 0.25, alignment: .center)
    }
    let legend = Double(width) - right + 20
    for (i, line) in lines.enumerated() {
      let color = Canvas.Color.palette[i % Canvas.Color.palette.count]
      let points = line.values.enumerated().filter { isDrawn($1) }
        .map { (x: x($0), y: y($1)) }
      // When the colors repeat, lines are dashed and dots are smaller.
      let round = i / Canvas.Color.palette.count
      let dashes = [[], [7.0, 4], [2, 3]][min(round, 2)]
      let radius = round == 0 ? 4.0 : 3
      canvas.line(points, color: color, width: 2, dashes: dashes)
      for point in points { canvas.dot(x: point.x, y: point.y, radius: radius, color: color) }
      let place = top + 10 + 22 * Double(i)
      canvas.line(
        [(legend, place), (legend + 32, place)], color: color, width: 2, dashes: dashes)
      canvas.dot(x: legend + 16, y: place, radius: radius, color: color)
      canvas.text(line.name, x: legend + 40, y: place + 4, size: 12)
    }
    if let level, isDrawn(level.value) {
      canvas.line(
        [(left, y(level.value)), (left + plotWidth, y(level.value))], color: .gray(0.45))
      canvas.text(
        level.name, x: left + plotWidth, y: y(level.value) - 5, size: 11, gray: 0.45,
        alignment: .right)
    }
    return canvas.picture
  }

  private func isDrawn(_ value: Double) -> Bool {
    value.isFinite && (scale == .logarithmic ? value > 0 : value >= 0)
  }

  private func position(of value: Double) -> Double { scale == .logarithmic ? log10(value) : value }

  /// The values of the grid: 1, 2 and 5 times powers of ten, or, where few of these are in the range, multiples of
  /// one of them.
  func ticks(in range: ClosedRange<Double>) -> [Double] {
    if scale == .logarithmic {
      let exponents = (
        Int(log10(range.lowerBound).rounded(.down)), Int(log10(range.upperBound).rounded(.up))
      )
      let found = (exponents.0...exponents.1).flatMap { exponent in
        [1.0, 2, 5].map { $0 * pow(10, Double(exponent)) }
      }.filter(range.contains)
      if found.count > 2 { return found }
    }
    let exact = (range.upperBound - range.lowerBound) / 6
    let unit = pow(10, log10(exact).rounded(.down))
    let step = unit * ([1.0, 2, 5].first { $0 * unit >= exact } ?? 10)
    let first = (range.lowerBound / step).rounded(.up)
    return (0...6).map { (first + Double($0)) * step }.filter(range.contains)
  }
}
