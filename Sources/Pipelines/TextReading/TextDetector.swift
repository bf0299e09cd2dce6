import ONNXRuntime
import Pictures

/// The network of PP-OCR that finds lines of text in a picture.
struct TextDetector {
  private let network: ONNXSession
  private let regions = TextRegions()

  /// The least shorter side of what the network sees.
  private static let least = 736
  /// What the sides are multiples of.
  static let multiple = 32

  /// Opens a network.
  ///
  /// - Throws: `ONNXError`, and `PipelineError.unableNetwork` for one of other inputs or outputs.
  init(_ path: String, by library: ONNXLibrary) throws {
    network = try ONNXSession(path, by: library)
    try network.check(takes: [nil, 3, nil, nil], gives: [nil, 1, nil, nil], "finds lines of text")
  }

  /// The corners of the lines, in no particular order.
  ///
  /// - Throws: `ONNXError.failure`; `PipelineError.unableNetwork` for a map of another size.
  func callAsFunction(_ picture: RGBImage) throws -> [[SIMD2<Int>]] {
    let ratio = max(1, Double(Self.least) / Double(min(picture.width, picture.height)))
    func side(_ length: Int) -> Int { Self.whole(Int(Double(length) * ratio)) }
    let (width, height) = (side(picture.width), side(picture.height))
    let seen = picture.interpolated(width: width, height: height)
    let pixels = PixelPlanes.values(of: [seen], width: width, height: height, PixelPlanes.wide)
    let map = try network(ONNXSession.Array(shape: [1, 3, height, width], values: pixels))
    guard map.shape == [1, 1, height, width] else {
      throw PipelineError.unableNetwork(
        path: network.path,
        reason: "its map has the sizes \(map.shape), and \([1, 1, height, width]) were expected")
    }
    return regions(
      map.values, size: SIMD2(width, height), picture: SIMD2(picture.width, picture.height))
  }

  /// The nearest multiple that a side can have.
  static func whole(_ length: Int) -> Int {
    let count = (Double(length) / Double(multiple)).rounded(.toNearestOrEven)
    return max(1, Int(count)) * multiple
  }
}
