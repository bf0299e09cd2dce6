import Testing

@testable import Pictures

@Suite struct CoveringCropTests {
  /// A picture whose red is the column and whose green is the row.
  private func ramp(_ width: Int, _ height: Int) -> RGBImage {
    RGBImage(
      width: width, height: height,
      values: (0..<height).flatMap { row in
        (0..<width).flatMap { [UInt8($0), UInt8(row), 7] }
      })
  }

  /// Where one side is as it should be, the other is cut at both ends.
  @Test(arguments: [
    (10, 4, 4, 4, 3, 0), (4, 11, 4, 4, 0, 4), (9, 4, 4, 4, 2, 0), (5, 5, 5, 5, 0, 0),
  ])
  func keepsTheCentre(width: Int, height: Int, toWidth: Int, toHeight: Int, x: Int, y: Int) {
    let image = ramp(width, height).covering(width: toWidth, height: toHeight)
    #expect((image.width, image.height) == (toWidth, toHeight))
    #expect(image.values[0] == UInt8(x) && image.values[1] == UInt8(y))
    let last = image.values.suffix(3)
    #expect(Array(last) == [UInt8(x + toWidth - 1), UInt8(y + toHeight - 1), 7])
  }

  /// The shorter side decides the scale, up and down.
  @Test(arguments: [(100, 50, 20, 20), (20, 40, 60, 30), (64, 48, 16, 32)])
  func resizesToCover(width: Int, height: Int, toWidth: Int, toHeight: Int) {
    let source = ramp(width, height)
    let image = source.covering(width: toWidth, height: toHeight)
    #expect((image.width, image.height) == (toWidth, toHeight))
    // The centre stays the centre.
    let scale = max(Double(toWidth) / Double(width), Double(toHeight) / Double(height))
    let middle = (toHeight / 2 * toWidth + toWidth / 2) * 3
    #expect(abs(Double(image.values[middle]) - Double(width) / 2) <= 1 + 1 / scale)
    #expect(abs(Double(image.values[middle + 1]) - Double(height) / 2) <= 1 + 1 / scale)
  }

  /// Ends and centre of a picture that is twice as wide as the part.
  @Test(arguments: [(0.0, 0), (0.5, 4), (1.0, 8)]) func cropsAtAnyPlace(x: Double, column: Int) {
    let image = ramp(16, 8).covering(width: 8, height: 8, x: x, y: 0.3)
    #expect(image.values[0] == UInt8(column) && image.values[1] == 0)
  }

  @Test func mirrors() {
    let image = ramp(3, 2).mirrored()
    #expect(image.values[..<6] == [2, 0, 7, 1, 0, 7] && image.mirrored() == ramp(3, 2))
  }
}
