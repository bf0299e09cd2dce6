import ONNXRuntime
import Pictures

/// The network of PP-OCR that says whether a line of text is upside down.
struct TextDirection {
  private let network: ONNXSession

  private static let height = 48
  private static let width = 192
  private static let batch = 6
  /// The probability above which a line is turned.
  private static let threshold: Float = 0.9

  /// Opens a network.
  ///
  /// - Throws: `ONNXError`, and `PipelineError.unableNetwork` for one of other inputs or outputs.
  init(_ path: String, by library: ONNXLibrary) throws {
    network = try ONNXSession(path, by: library)
    try network.check(
      takes: [nil, 3, Self.height, Self.width], gives: [nil, 2], "tells the direction of lines")
  }

  /// The lines upright.
  ///
  /// - Throws: `ONNXError.failure`.
  func callAsFunction(_ lines: [RGBImage]) throws -> [RGBImage] {
    var upright = lines
    for start in stride(from: 0, to: lines.count, by: Self.batch) {
      let part = lines[start..<min(start + Self.batch, lines.count)].map {
        $0.ofHeight(Self.height, widthUpTo: Self.width)
      }
      let pixels = PixelPlanes.values(
        of: part, width: Self.width, height: Self.height, PixelPlanes.narrow)
      let found = try network(
        ONNXSession.Array(shape: [part.count, 3, Self.height, Self.width], values: pixels))
      for number in part.indices where found.values[number * 2 + 1] > Self.threshold {
        upright[start + number] = lines[start + number].turnedUpsideDown()
      }
    }
    return upright
  }
}

extension RGBImage {
  /// The image in a height, with its ratio of sides unless it were wider than a limit.
  func ofHeight(_ height: Int, widthUpTo limit: Int) -> RGBImage {
    let ratio = Double(width) / Double(self.height)
    let width = Int((Double(height) * ratio).rounded(.up))
    return interpolated(width: min(width, limit), height: height)
  }
}
