import Pictures

extension RGBImage {
  /// Images of one size as the grid of a benchmark, row by row; places that are left over are black.
  init(grid images: [RGBImage]) {
    let (width, height) = (images[0].width, images[0].height)
    let (columns, rows) = BenchmarkLayout.grid(images.count)
    var values = [UInt8](repeating: 0, count: rows * columns * width * height * 3)
    for (number, image) in images.enumerated() {
      let (left, top) = (number % columns * width, number / columns * height)
      for row in 0..<height {
        let start = ((top + row) * columns * width + left) * 3
        values.replaceSubrange(
          start..<start + width * 3, with: image.values[row * width * 3..<(row + 1) * width * 3])
      }
    }
    self.init(width: columns * width, height: rows * height, values: values)
  }

  /// A picture of a benchmark's grid.
  ///
  /// - Parameter count: the number of pictures in the grid.
  public func gridPart(_ number: Int, of count: Int) -> RGBImage {
    let (columns, rows) = BenchmarkLayout.grid(count)
    let (width, height) = (width / columns, height / rows)
    return cropped(
      x: number % columns * width, y: number / columns * height, width: width, height: height)
  }
}
