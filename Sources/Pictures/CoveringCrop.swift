extension RGBImage {
  /// The centre of the image, resized so that it just covers a size: what image data sets are commonly
  /// trained on.
  ///
  /// The filter is bilinear, and the centre that of torchvision's `CenterCrop`.
  public func covering(width: Int, height: Int) -> RGBImage {
    let scale = max(Double(width) / Double(self.width), Double(height) / Double(self.height))
    func scaled(_ side: Int, atLeast least: Int) -> Int {
      max(least, Int((Double(side) * scale).rounded()))
    }
    let whole = resized(
      width: scaled(self.width, atLeast: width), height: scaled(self.height, atLeast: height),
      filter: .bilinear)
    func start(_ side: Int, _ kept: Int) -> Int {
      Int((Double(side - kept) / 2).rounded(.toNearestOrEven))
    }
    return whole.cropped(
      x: start(whole.width, width), y: start(whole.height, height), width: width, height: height)
  }

  /// A rectangle of the image.
  private func cropped(x: Int, y: Int, width: Int, height: Int) -> RGBImage {
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
