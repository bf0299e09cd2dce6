extension RGBImage {
  /// The image in another size, by linear interpolation between the centres of pixels, without a filter
  /// against aliasing: what OpenCV's `resize` computes, which rounds the weights to 11 bits and may differ
  /// by a gray level.
  public func interpolated(width: Int, height: Int) -> RGBImage {
    precondition(width > 0 && height > 0, "an image cannot be resized to \(width) × \(height)")
    guard (width, height) != (self.width, self.height) else { return self }
    let (columns, rows) = (Self.places(self.width, width), Self.places(self.height, height))
    let result = [UInt8](unsafeUninitializedCapacity: width * height * 3) { result, count in
      values.withUnsafeBufferPointer { values in
        for (y, row) in rows.enumerated() {
          for (x, column) in columns.enumerated() {
            for channel in 0..<3 {
              func value(_ row: Int, _ column: Int) -> Float {
                Float(values[(row * self.width + column) * 3 + channel])
              }
              let upper =
                value(row.first, column.first) * (1 - column.share)
                + value(row.first, column.second) * column.share
              let lower =
                value(row.second, column.first) * (1 - column.share)
                + value(row.second, column.second) * column.share
              let mixed = upper * (1 - row.share) + lower * row.share
              result[(y * width + x) * 3 + channel] = UInt8(mixed.rounded())
            }
          }
        }
      }
      count = width * height * 3
    }
    return RGBImage(width: width, height: height, values: result)
  }

  /// For each new pixel along an axis, the two old ones around its place, and the share of the second.
  private static func places(
    _ old: Int, _ new: Int
  ) -> [(first: Int, second: Int, share: Float)] {
    let scale = Double(old) / Double(new)
    return (0..<new).map { pixel in
      let place = min(Double(old - 1), max(0, (Double(pixel) + 0.5) * scale - 0.5))
      let first = Int(place)
      return (first, min(first + 1, old - 1), Float(place - Double(first)))
    }
  }
}
