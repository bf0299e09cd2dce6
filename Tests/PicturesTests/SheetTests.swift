import Testing

@testable import Pictures

@Suite struct SheetTests {
  private static func sheet(title: String = "Title", rows: [String] = ["one", "two"]) -> Sheet {
    let pictures = (0..<5).map {
      Picture(width: 2, height: 2, channels: 1, values: [40, 80, 120, UInt8(10 + $0)])
    }
    return Sheet(title: title, caption: "FD 1.5", rows: rows, columns: 3, pictures: pictures)
  }

  /// The places of a gray value, so that text, which has many, does not count.
  private func boxes(_ picture: Picture, of value: UInt8) -> [(x: Int, y: Int)] {
    (0..<picture.width * picture.height).filter {
      picture.values[3 * $0..<3 * $0 + 3].allSatisfy { $0 == value }
    }.map { (x: $0 % picture.width, y: $0 / picture.width) }
  }

  @Test func drawsWhitePage() throws {
    let picture = try Canvas(width: 3, height: 2).picture
    #expect(
      picture
        == Picture(
          width: 3, height: 2, channels: 3, values: [UInt8](repeating: 255, count: 18)))
  }

  @Test func enlargesExactly() throws {
    let canvas = try Canvas(width: 8, height: 4)
    canvas.picture(
      Picture(width: 2, height: 1, channels: 3, values: [1, 2, 3, 4, 5, 6]), x: 3, y: 1, scale: 2)
    let (a, b, w): ([UInt8], [UInt8], [UInt8]) = ([1, 2, 3], [4, 5, 6], [255, 255, 255])
    let blank = Array(repeating: w, count: 8)
    let line = [w, w, w, a, a, b, b, w]
    #expect(canvas.picture.values == (blank + line + line + blank).flatMap { $0 })
  }

  /// What lies beyond the page is cut off.
  @Test func clipsPictures() throws {
    let canvas = try Canvas(width: 2, height: 2)
    let black = Picture(width: 2, height: 2, channels: 1, values: [0, 0, 0, 0])
    canvas.picture(black, x: -1, y: -1, scale: 1)
    canvas.picture(black, x: 5, y: 5, scale: 1)
    #expect(boxes(canvas.picture, of: 0).map { [$0.x, $0.y] } == [[0, 0]])
  }

  @Test func placesPicturesInRowsAndColumns() throws {
    let page = try Self.sheet(rows: []).picture
    // Each picture's last pixel has a value of its own, and is 2 × 2 on the page.
    let corners = try (0..<5).map { i in
      let box = boxes(page, of: UInt8(10 + i)).filter { $0.y > 60 }
      return try #require(box.count == 4 ? box.first : nil, "picture \(i): \(box)")
    }
    let step = corners[1].x - corners[0].x
    #expect(step > 4)
    #expect(corners[2].x - corners[1].x == step && corners[0].y == corners[2].y)
    #expect(corners[3].x == corners[0].x && corners[3].y - corners[0].y == step)
    #expect(corners[4].x == corners[1].x)
  }

  @Test(arguments: ["Title", "A title that is much longer than the pictures below it are wide"])
  func keepsTextWithinTheMargin(title: String) throws {
    var sheet = Self.sheet(title: title, rows: ["a", "a name of some length"])
    sheet.scale = 8
    let page = try sheet.picture
    for index in 0..<page.width * page.height {
      let (x, y) = (index % page.width, index / page.width)
      let isMargin = x < 16 || y < 16 || x >= page.width - 16 || y >= page.height - 16
      if isMargin, page.values[3 * index] != 255 {
        Issue.record("something is drawn at \(x), \(y) of \(page.width) × \(page.height)")
        return
      }
    }
  }

  @Test func setsSheetsSideBySide() throws {
    let one = try Self.sheet().picture
    let two = try Sheet.page([Self.sheet(), Self.sheet()])
    #expect(two.height == one.height)
    #expect(two.width > 2 * one.width - 40 && two.width < 2 * one.width)
    #expect(boxes(two, of: 14).count { $0.y > 60 } == 2 * boxes(one, of: 14).count { $0.y > 60 })
    #expect(try Sheet.page([Self.sheet(), Self.sheet()]) == two)
  }

  @Test(arguments: [(0, 1), (1, 0), (-1, 1), (32768, 1), (1, 32768), (Int.max, Int.max)])
  func refusesAnImpossiblePage(width: Int, height: Int) {
    let expected = PictureError.impossiblePage(width: width, height: height)
    #expect(throws: expected) { try Canvas(width: width, height: height) }
    #expect(expected.description.contains("\(width) × \(height)"))
  }

  @Test func saysThatASheetIsTooLarge() {
    let picture = Picture(width: 1, height: 1, channels: 1, values: [0])
    let sheet = Sheet(
      title: "", columns: 1, pictures: [Picture](repeating: picture, count: 6000))
    let error = #expect(throws: PictureError.self) { try sheet.picture }
    guard case .impossiblePage(_, let height) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(height > 6000 * 5)
  }

  /// Values that have no place on a logarithmic scale leave a gap, and the rest is drawn.
  @Test(arguments: [Double.nan, .infinity, -.infinity, 0, -1]) func aChartHasGaps(
    value: Double
  ) throws {
    func chart(_ values: [[Double]], level: Double?) throws -> Picture {
      try LineChart(
        title: "", axis: "", places: ["1", "2", "3"],
        lines: values.map { (name: "", values: $0) }, level: level.map { (name: "", value: $0) }
      ).picture
    }
    let whole = try chart([[1, 10], [2, 5, 4]], level: nil)
    #expect(try chart([[1, 10, value], [2, 5, 4]], level: value) == whole)
  }

  /// On a linear scale zero has a place.
  @Test func aLinearChartStartsAtZero() throws {
    func chart(_ values: [Double]) throws -> Picture {
      try LineChart(
        title: "", axis: "", places: ["1", "2", "3"], lines: [(name: "", values: values)],
        scale: .linear
      ).picture
    }
    let whole = try chart([0.5, 1])
    #expect(try chart([0.5, 1, .nan]) == whole)
    #expect(try chart([0.5, 1, -1]) == whole)
    #expect(try chart([0.5, 1, 0]) != whole)
  }

  /// The chart of a run that has diverged is drawn.
  @Test(arguments: [LineChart.Scale.logarithmic, .linear]) func extremeValuesAreDrawn(
    scale: LineChart.Scale
  ) throws {
    let chart = LineChart(
      title: "", axis: "", places: ["1", "2"],
      lines: [
        (name: "", values: [.leastNormalMagnitude, .greatestFiniteMagnitude])
      ], scale: scale)
    #expect(try chart.picture.width == 860)
  }

  /// Every chart has some lines to read values from, however narrow its range is.
  @Test(arguments: [
    (LineChart.Scale.logarithmic, 1.0...1000, [1.0, 2, 5, 10, 20, 50, 100, 200, 500, 1000]),
    (.logarithmic, 140...470, [200, 300, 400]),
    (.logarithmic, 0.051...0.054, [0.051, 0.052, 0.053, 0.054]),
    (.linear, 0...0.55, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    (.linear, 0...1.05, [0, 0.2, 0.4, 0.6, 0.8, 1]),
  ]) func chartsHaveAGrid(scale: LineChart.Scale, range: ClosedRange<Double>, expected: [Double]) {
    let chart = LineChart(title: "", axis: "", places: [], lines: [], scale: scale)
    let ticks = chart.ticks(in: range)
    #expect(ticks.count == expected.count)
    for (found, expected) in zip(ticks, expected) { #expect(abs(found - expected) < 1e-9) }
  }
}
