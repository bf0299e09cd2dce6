extension RGBImage {
  /// The image in another size, by linear interpolation between the centres of pixels, without a filter
  /// against aliasing; equal in every bit to that of `resize` of OpenCV 5.
  ///
  /// The weights have 11 bits, and what is between rows and columns 7 bits behind the point.
  public func interpolated(width: Int, height: Int) -> RGBImage {
    precondition(width > 0 && height > 0, "an image cannot be resized to \(width) × \(height)")
    guard (width, height) != (self.width, self.height) else { return self }
    let columns = (0..<width).map {
      InterpolatedPlace($0, from: self.width, to: width).within(self.width)
    }
    // The last two rows that were interpolated.
    var rows = [(number: -1, values: [Int32](repeating: 0, count: width * 3))]
    rows.append(rows[0])
    func row(_ number: Int) -> [Int32] {
      if let known = rows.first(where: { $0.number == number }) { return known.values }
      rows.swapAt(0, 1)
      rows[1].number = number
      let start = number * self.width * 3
      values.withUnsafeBufferPointer { values in
        rows[1].values.withUnsafeMutableBufferPointer { row in
          for (x, place) in columns.enumerated() {
            let first = start + place.pixel * 3
            let second = start + min(place.pixel + 1, self.width - 1) * 3
            for channel in 0..<3 {
              let sum =
                Int32(values[first + channel]) &* place.weights.first
                &+ Int32(values[second + channel]) &* place.weights.second
              row[x * 3 + channel] = sum >> 4
            }
          }
        }
      }
      return rows[1].values
    }
    let result = [UInt8](unsafeUninitializedCapacity: width * height * 3) { result, count in
      for y in 0..<height {
        let place = InterpolatedPlace(y, from: self.height, to: height)
        let upper = row(min(max(place.pixel, 0), self.height - 1))
        let lower = row(min(place.pixel + 1, self.height - 1))
        for x in 0..<width * 3 {
          let sum =
            (upper[x] &* place.weights.first) >> 16 &+ (lower[x] &* place.weights.second) >> 16
          result[y * width * 3 + x] = UInt8(clamping: (sum &+ 2) >> 2)
        }
      }
      count = width * height * 3
    }
    return RGBImage(width: width, height: height, values: result)
  }
}

/// Where a new pixel lies among the old ones along an axis.
private struct InterpolatedPlace {
  /// The old pixel at or before it; −1 before the first one.
  let pixel: Int
  /// The weights of this pixel and the next one, of 2048.
  let weights: (first: Int32, second: Int32)

  init(_ new: Int, from old: Int, to count: Int) {
    let place = Float((Double(new) + 0.5) * (Double(old) / Double(count)) - 0.5)
    self.init(Int(place.rounded(.down)), share: place - place.rounded(.down))
  }

  private init(_ pixel: Int, share: Float) {
    func weight(_ share: Float) -> Int32 { Int32((share * 2048).rounded(.toNearestOrEven)) }
    self.pixel = pixel
    weights = (weight(1 - share), weight(share))
  }

  /// The place on a pixel where it is beyond the first or the last one.
  func within(_ count: Int) -> InterpolatedPlace {
    pixel < 0 || pixel >= count - 1
      ? InterpolatedPlace(min(max(pixel, 0), count - 1), share: 0) : self
  }
}
