import Pictures

/// Pixels as PP-OCR's networks take them: a plane each for blue, green and red, from −1 to 1.
enum PixelPlanes {
  /// The number of each value, computed in f64.
  static let wide = (0...255).map { value in
    Float((Double(Float(value) * Float(1.0 / 255)) - 0.5) / 0.5)
  }
  /// The number of each value, computed in f32.
  static let narrow = (0...255).map { (Float($0) / 255 - 0.5) / 0.5 }

  /// The numbers of pictures of a height, `[pictures, 3, height, width]`; 0 right of narrower ones.
  static func values(
    of pictures: [RGBImage], width: Int, height: Int, _ levels: [Float]
  ) -> [Float] {
    var values = [Float](repeating: 0, count: pictures.count * 3 * height * width)
    values.withUnsafeMutableBufferPointer { values in
      for (number, picture) in pictures.enumerated() {
        picture.values.withUnsafeBufferPointer { pixels in
          for channel in 0..<3 {
            for y in 0..<height {
              let start = ((number * 3 + channel) * height + y) * width
              let source = y * picture.width * 3 + 2 - channel
              for x in 0..<picture.width {
                values[start + x] = levels[Int(pixels[source + x * 3])]
              }
            }
          }
        }
      }
    }
    return values
  }
}
