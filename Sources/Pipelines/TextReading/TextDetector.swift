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

extension ONNXSession {
  /// Checks that a network has one input and one output, arrays of f32.
  ///
  /// - Parameters:
  ///   - input: the sizes, nil for any.
  ///   - output: the sizes, nil for any.
  ///   - purpose: what the network should do.
  /// - Throws: `PipelineError.unableNetwork`.
  func check(takes input: [Int?], gives output: [Int?], _ purpose: String) throws {
    func fits(_ ports: [Port], _ sizes: [Int?]) -> Bool {
      guard ports.count == 1, let own = ports[0].shape, own.count == sizes.count else {
        return false
      }
      return zip(own, sizes).allSatisfy { $0 == nil || $1 == nil || $0 == $1 }
    }
    func text(_ sizes: [Int?]) -> String {
      "[" + sizes.map { $0.map(String.init) ?? "any" }.joined(separator: ", ") + "]"
    }
    func found(_ ports: [Port]) -> String {
      ports.map { $0.shape.map(text) ?? "another type" }.joined(separator: " and ")
    }
    guard fits(inputs, input), fits(outputs, output) else {
      throw PipelineError.unableNetwork(
        path: path,
        reason:
          "it turns \(found(inputs)) into \(found(outputs)), and a network that \(purpose) turns "
          + "\(text(input)) into \(text(output)), of f32")
    }
  }
}
