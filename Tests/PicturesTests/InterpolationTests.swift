import Testing

@testable import Pictures

/// Resizing without a filter, and of transparent pictures.
@Suite struct InterpolationTests {
  private func gray(_ width: Int, _ height: Int, _ values: [UInt8]) -> RGBImage {
    RGBImage(width: width, height: height, values: values.flatMap { [$0, $0, $0] })
  }

  @Test func linearBetweenCentres() {
    let image = gray(2, 2, [0, 100, 200, 40])
    #expect(image.interpolated(width: 2, height: 2) == image)
    // The places along each axis are 0, ¼, ¾ and 1.
    let wide = image.interpolated(width: 4, height: 2)
    #expect(wide == gray(4, 2, [0, 25, 75, 100, 200, 160, 80, 40]))
    let tall = image.interpolated(width: 2, height: 4)
    #expect(tall == gray(2, 4, [0, 100, 50, 85, 150, 55, 200, 40]))
    // Only the pixels around a centre count, however much smaller the image becomes.
    #expect(gray(5, 1, [0, 0, 9, 250, 250]).interpolated(width: 1, height: 1) == gray(1, 1, [9]))
  }

  /// By `resize` and `convert` of Pillow 13.
  @Test func transparentPixelsWeighLess() {
    let picture = Picture(
      width: 3, height: 2, channels: 4,
      values: [
        10, 20, 30, 255, 200, 100, 50, 0, 90, 80, 70, 128, 0, 255, 0, 64, 255, 0, 255, 255, 5, 6, 7,
        8,
      ])
    let large = RGBImage(resizing: picture, width: 5, height: 4, filter: .bicubic)
    #expect(
      large.values == [
        12, 18, 35, 0, 12, 17, 0, 0, 0, 85, 99, 51, 88, 79, 69, 10, 38, 29, 39, 27, 57, 255, 0, 255,
        143, 65, 124, 88, 79, 70, 5, 163, 19, 141, 62, 146, 255, 0, 255, 226, 13, 220, 87, 79, 70,
        0, 255, 0, 200, 81, 196, 255, 0, 255, 255, 0, 255, 0, 0, 0,
      ])
    let small = RGBImage(resizing: picture, width: 2, height: 1, filter: .bicubic)
    #expect(small.values == [87, 45, 99, 185, 37, 176])
    // Without a new size, opacity is dropped alone.
    let same = RGBImage(resizing: picture, width: 3, height: 2, filter: .bicubic)
    #expect(same == RGBImage(picture, transparency: .ignored))
  }
}
