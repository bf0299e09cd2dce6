import Pictures
import Tensors

/// What the checks of networks that judge pictures share.
extension GoldenCase {
  /// A picture of the case.
  func picture(_ file: String) throws -> Picture {
    try naming { try Picture.read("\(path)/\(file)").picture }
  }

  /// The comparisons of all expected outputs with those that were computed.
  ///
  /// - Parameters:
  ///   - names: the outputs that are compared.
  ///   - exact: whether an output holds whole numbers or truths.
  /// - Throws: `GoldenError.wrongCase` for an output that is not known, or of another shape.
  func comparisons(
    _ names: [String], _ found: Named<HostArray>, exact: (String) -> Bool
  ) throws -> [Comparison] {
    try names.map { name in
      let wanted = expected[name]!
      guard let actual = found[name] else {
        throw fail("its expected.safetensors has \(name), which is not a known output")
      }
      guard actual.shape == wanted.shape else {
        throw fail("its expected \(name) is \(wanted.shape), and \(actual.shape) was computed")
      }
      if exact(name) { return Comparison(name, actual, wanted, absolute: 0, relative: 1e-12) }
      if name.contains("pixel_values") || name.hasSuffix(".crops") {
        return Comparison(name, actual, wanted, absolute: 2e-6, relative: 1e-6)
      }
      return Comparison(
        name, actual, wanted, absolute: 10 * (config.noiseFloors?[name] ?? 0), relative: 1e-4)
    }
  }
}

extension HostArray {
  /// Rows of equal length as an array of a shape.
  init<T: BinaryInteger>(_ rows: [[T]], _ shape: [Int]) {
    self.init(rows.flatMap { $0.map { Float($0) } }, shape)
  }

  /// Rows of equal length, `[rows, columns]`.
  init(_ rows: [[Float]]) { self.init(rows.flatMap { $0 }, [rows.count, rows.first?.count ?? 0]) }

  /// Images with interleaved channels as `[images, 3, height, width]`.
  init(images: [[Float]], height: Int, width: Int) {
    self = HostArray(images.flatMap { $0 }, [images.count, height, width, 3]).channelsFirst
  }
}
