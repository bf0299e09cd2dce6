extension RGBImage {
  /// A part of the image, resized so that it just covers a size: what image data sets are commonly trained
  /// on.
  ///
  /// The filter is bilinear, and the centre that of torchvision's `CenterCrop`.
  ///
  /// - Parameters:
  ///   - x: where the part lies between the left end, 0, and the right one, 1.
  ///   - y: where the part lies between the upper end, 0, and the lower one, 1.
  public func covering(
    width: Int, height: Int, x: Double = 0.5, y: Double = 0.5
  ) -> RGBImage {
    let scale = max(Double(width) / Double(self.width), Double(height) / Double(self.height))
    func scaled(_ side: Int, atLeast least: Int) -> Int {
      max(least, Int((Double(side) * scale).rounded()))
    }
    let whole = resized(
      width: scaled(self.width, atLeast: width), height: scaled(self.height, atLeast: height),
      filter: .bilinear)
    func start(_ side: Int, _ kept: Int, _ place: Double) -> Int {
      Int((Double(side - kept) * place).rounded(.toNearestOrEven))
    }
    return whole.cropped(
      x: start(whole.width, width, x), y: start(whole.height, height, y), width: width,
      height: height)
  }

  /// The image with left and right exchanged.
  public func mirrored() -> RGBImage {
    let mirrored = [UInt8](unsafeUninitializedCapacity: values.count) { mirrored, count in
      values.withUnsafeBufferPointer { values in
        for row in 0..<height {
          let (first, last) = (row * width * 3, ((row + 1) * width - 1) * 3)
          for column in stride(from: 0, to: width * 3, by: 3) {
            for channel in 0..<3 {
              mirrored[first + column + channel] = values[last - column + channel]
            }
          }
        }
      }
      count = values.count
    }
    return RGBImage(width: width, height: height, values: mirrored)
  }

  /// A rectangle of the image, whose left upper corner is at `x` and `y`.
  public func cropped(x: Int, y: Int, width: Int, height: Int) -> RGBImage {
    guard (x, y, width, height) != (0, 0, self.width, self.height) else { return self }
    var kept: [UInt8] = []
    kept.reserveCapacity(width * height * 3)
    for row in y..<y + height {
      let start = (row * self.width + x) * 3
      kept += values[start..<start + width * 3]
    }
    return RGBImage(width: width, height: height, values: kept)
  }
}
