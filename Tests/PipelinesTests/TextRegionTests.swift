import Pictures
import Testing

@testable import Pipelines

/// How maps of probabilities become lines of text, and lines become texts; numbers are those of OpenCV 5,
/// pyclipper 1.4 and rapidocr-onnxruntime 1.4.4.
@Suite struct TextRegionTests {
  @Test func theLeastRectangleIsFound() throws {
    let points: [SIMD2<Int>] = [
      [3, 4], [10, 7], [22, 9], [21, 14], [8, 12], [5, 9], [12, 10],
    ]
    let found = try #require(MinimumAreaRectangle(around: points))
    let expected: [SIMD2<Double>] = [
      [3, 4], [22.295_335_8, 9.077_719_7], [20.650_259, 15.329_014_8], [1.354_921, 10.251_295_1],
    ]
    for (own, other) in zip(found.corners, expected) {
      #expect(abs(own.x - other.x) < 1e-5 && abs(own.y - other.y) < 1e-5, "\(own) \(other)")
    }
    #expect(abs(found.shorterSide - 6.464_129_4) < 1e-5)
    let upright = try #require(
      MinimumAreaRectangle(around: [[2, 9], [7, 1], [2, 1], [7, 9], [4, 5]]))
    #expect(upright.corners == [[2, 1], [7, 1], [7, 9], [2, 9]] && upright.shorterSide == 5)
    for line: [SIMD2<Int>] in [[], [[1, 1]], [[1, 1], [1, 1]], [[0, 0], [2, 2], [1, 1]]] {
      #expect(MinimumAreaRectangle(around: line) == nil)
    }
  }

  @Test func rectanglesGrowWithRoundCorners() {
    let box: [SIMD2<Int>] = [[10, 10], [60, 14], [59, 26], [9, 22]]
    let expected: Set<SIMD2<Int>> = [
      [2, 21], [2, 25], [3, 9], [4, 6], [5, 28], [7, 3], [8, 29], [11, 3], [58, 33], [61, 7],
      [62, 33], [64, 8], [65, 30], [66, 27], [67, 11], [67, 15],
    ]
    let found = RoundedOffset.points(around: box, distance: 7.3)
    // pyclipper leaves out points on straight lines.
    #expect(expected.isSubset(of: found))
    #expect(
      Set(MinimumAreaRectangle.hull(found)) == Set(MinimumAreaRectangle.hull(Array(expected))))
    #expect(RoundedOffset.points(around: [[1, 1], [1, 1], [4, 4]], distance: 2).isEmpty)
  }

  /// A mask of rows of text.
  private func mask(_ rows: String) -> (mask: [Bool], width: Int, height: Int) {
    let lines = rows.split(separator: "\n")
    return (lines.joined().map { $0 == "#" }, lines[0].count, lines.count)
  }

  @Test func regionsTouchByCornersAndHolesBySides() {
    let (all, width, height) = mask(
      """
      ##....#..
      ..#..#.#.
      .....###.
      #.....#..
      #.####...
      ..#..#...
      ..#.#....
      ..###...#
      """)
    let found = MaskRegions(all, width: width, height: height).regions
    // From below; holes come after the region around them, whose first pixel is above.
    let points = found.map { Set(MinimumAreaRectangle.hull(MaskRegions.points($0))) }
    #expect(points.count == 6)
    #expect(points[0] == [[8, 7]])
    #expect(points.contains([[0, 3], [0, 4]]))
    #expect(points.contains([[0, 0], [1, 0], [2, 1]]))
    // The ring and what hangs on it by a corner.
    #expect(points.contains([[6, 0], [7, 1], [7, 2], [4, 7], [2, 7], [2, 4]]))
    // The edges of its holes.
    #expect(points.contains([[6, 0], [7, 1], [6, 2], [5, 1]]))
    #expect(points.contains([[3, 4], [4, 4], [5, 5], [3, 7], [2, 6], [2, 5]]))
  }

  @Test func polygonsAreFilled() {
    let rows = PolygonRows([[0, 2], [3, 0], [6, 3], [2, 5]]).rows
    #expect(rows.count == 6 && rows[0] == .init(first: 3, last: 3))
    #expect(rows[2]?.first == 0 && rows[3]?.last == 6 && rows[5]?.first == 2)
  }

  private func map(_ width: Int, _ height: Int, _ value: (Int, Int) -> Float) -> [Float] {
    (0..<width * height).map { value($0 % width, $0 / width) }
  }

  @Test func mapsBecomeLines() {
    let slanted = { (x: Int, y: Int) in
      (30..<54).contains(x) && (30 + (x - 30) / 2 / 2..<38 + (x - 30) / 2 / 2).contains(y)
    }
    let own = map(64, 48) { x, y in
      if (5..<12).contains(y), (6..<40).contains(x) { return 0.9 }
      // Too faint, and too small.
      if (20..<27).contains(y), (10..<30).contains(x) { return 0.45 }
      if (33..<35).contains(y), (5..<12).contains(x) { return 0.9 }
      return slanted(x, y) ? 0.8 : 0
    }
    let found = TextRegions()(own, size: [64, 48], picture: [128, 96])
    #expect(
      found == [
        [[52, 46], [122, 62], [114, 96 - 1], [44, 82]], [[2, 0], [90, 0], [90, 34], [2, 34]],
      ])
    // A frame; the edge of the hole in it is no line.
    let frame = map(60, 40) { x, y in
      guard (4..<36).contains(y), (4..<56).contains(x) else { return 0 }
      return (14..<26).contains(y) && (14..<46).contains(x) ? 0.05 : 0.7
    }
    #expect(
      TextRegions()(frame, size: [60, 40], picture: [60, 40])
        == [[[0, 0], [59, 0], [59, 39], [0, 39]]])
    #expect(TextRegions()(map(8, 8) { _, _ in 0 }, size: [8, 8], picture: [8, 8]).isEmpty)
    // The lowest one, which is too small, counts as well.
    #expect(TextRegions(limit: 2)(own, size: [64, 48], picture: [128, 96]).count == 1)
  }

  @Test func linesAreReadFromAboveAndTheLeft() {
    func box(_ x: Int, _ y: Int) -> [SIMD2<Int>] {
      [[x, y], [x + 9, y], [x + 9, y + 5], [x, y + 5]]
    }
    let order = TextQuadrilateral.inReadingOrder(
      [box(50, 12), box(5, 40), box(30, 8), box(2, 17), box(60, 0)])
    // Each goes left of those above that are less than 10 pixels away, until one is further.
    #expect(order.map { $0[0] } == [[30, 8], [60, 0], [2, 17], [50, 12], [5, 40]])
  }

  @Test func highLinesAreTurned() {
    let image = RGBImage(
      width: 20, height: 40, values: (0..<2400).map { UInt8(truncatingIfNeeded: $0 / 60 * 6) })
    let wide = TextQuadrilateral.picture([[2, 3], [16, 3], [16, 13], [2, 13]], of: image)
    #expect((wide.width, wide.height) == (14, 10))
    let high = TextQuadrilateral.picture([[2, 3], [12, 3], [12, 33], [2, 33]], of: image)
    #expect((high.width, high.height) == (30, 10))
    // What was on the right is above.
    #expect(high.values[0] == image.values[3 * 60] && high.values[29 * 3] > high.values[0])
  }

  @Test func repetitionsAndBlanksAreLeftOut() {
    let characters = CTCCharacters("a\nb\n字\n")
    #expect(characters.classes == 5 && CTCCharacters("a\nb").classes == 4)
    func row(_ best: Int, _ value: Float) -> [Float] {
      (0..<5).map { $0 == best ? value : 0.01 }
    }
    let places = [
      row(0, 0.9), row(1, 0.5), row(1, 0.9), row(0, 0.9), row(1, 0.7), row(4, 0.8), row(3, 0.6),
      row(2, 0.4), row(2, 0.4),
    ]
    let (text, score) = characters.decode(places.flatMap { $0 }[...])
    #expect(text == "aa 字b" && abs(score - (0.5 + 0.7 + 0.8 + 0.6 + 0.4) / 5) < 1e-6)
    let empty = characters.decode([row(0, 1), row(0, 1)].flatMap { $0 }[...])
    #expect(empty.text.isEmpty && empty.score == 0)
  }

  @Test func picturesAreBroughtWithinLimits() {
    func prepared(_ width: Int, _ height: Int) -> [Double] {
      let image = RGBImage(
        width: width, height: height, values: [UInt8](repeating: 9, count: width * height * 3))
      let (seen, scale, stripe) = TextReading.prepared(image)
      return [Double(seen.width), Double(seen.height), scale.x, scale.y, Double(stripe)]
    }
    #expect(prepared(640, 480) == [640, 480, 1, 1, 0])
    #expect(prepared(4000, 3000) == [1984, 1504, 4000.0 / 1984, 3000.0 / 1504, 0])
    // 20 pixels become 32.
    #expect(prepared(60, 20) == [96, 32, 60.0 / 96, 20.0 / 32, 0])
    // Twice an eighth of the width.
    #expect(prepared(1200, 100) == [1200, 300, 1, 1, 100])
    #expect(prepared(100, 30) == [100, 60, 1, 1, 15])
  }
}
