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

/// By `resize` and `warpPerspective` of OpenCV 5.0.
@Suite struct OpenCVTests {
  private let image = RGBImage(
    width: 5, height: 4,
    values: (0..<60).map { index in
      let (x, y, c) = (index / 3 % 5, index / 15, index % 3)
      return UInt8((x * x * 37 + y * 91 + c * 53 + x * y * 17) % 256)
    })

  @Test func imagesAreInterpolatedAsByOpenCV() {
    #expect(
      image.interpolated(width: 7, height: 3).values == [
        15, 68, 121, 38, 91, 144, 75, 128, 181, 126, 179, 232, 108, 130, 183, 103, 113, 166, 106,
        117, 170, 137, 190, 115, 172, 152, 150, 165, 126, 179, 80, 133, 186, 138, 100, 153, 174, 99,
        152, 191, 116, 169, 44, 97, 108, 93, 122, 156, 102, 124, 177, 33, 86, 139, 169, 69, 122,
        154, 85, 138, 61, 114, 167,
      ])
    #expect(
      image.interpolated(width: 3, height: 9).values == [
        12, 65, 118, 148, 201, 254, 79, 132, 185, 28, 81, 134, 126, 179, 232, 104, 115, 168, 71,
        124, 177, 68, 121, 174, 173, 69, 122, 114, 162, 206, 24, 77, 130, 226, 38, 91, 157, 168,
        135, 80, 133, 186, 181, 106, 159, 200, 173, 64, 135, 188, 241, 135, 174, 227, 144, 144, 93,
        91, 144, 197, 123, 143, 196, 73, 112, 136, 33, 86, 139, 115, 97, 150, 46, 99, 152, 11, 64,
        117, 112, 80, 133,
      ])
    #expect(
      image.interpolated(width: 2, height: 2).values == [
        80, 133, 186, 151, 76, 129, 159, 116, 137, 155, 112, 165,
      ])
  }

  @Test func quadrilateralsAreStraightened() {
    let corners: [SIMD2<Double>] = [[0.5, 0.25], [4, 1], [3.5, 3], [0, 2.5]]
    #expect(
      image.straightened(corners, width: 3, height: 2).values == [
        32, 91, 148, 62, 138, 190, 189, 28, 81, 165, 189, 154, 169, 120, 191, 106, 159, 212,
      ])
    // A rectangle is a part of the image, also beyond its edges.
    let part = image.straightened([[1, 1], [4, 1], [4, 3], [1, 3]], width: 3, height: 2)
    #expect(part == image.cropped(x: 1, y: 1, width: 3, height: 2))
    let beyond = image.straightened([[-2, 0], [1, 0], [1, 2], [-2, 2]], width: 3, height: 2)
    let edge = image.cropped(x: 0, y: 0, width: 1, height: 2)
    #expect(beyond == edge.interpolated(width: 3, height: 2))
    // Corners on a line are no reason to stop.
    let line = image.straightened([[1, 1], [1, 1], [1, 1], [1, 1]], width: 2, height: 1)
    #expect(
      line == image.cropped(x: 1, y: 1, width: 1, height: 1).interpolated(width: 2, height: 1))
  }

  @Test func imagesAreTurned() {
    let image = RGBImage(width: 2, height: 1, values: [1, 2, 3, 4, 5, 6])
    let turned = image.turnedCounterclockwise()
    #expect(turned == RGBImage(width: 1, height: 2, values: [4, 5, 6, 1, 2, 3]))
    #expect(image.turnedUpsideDown().values == [4, 5, 6, 1, 2, 3])
  }
}
