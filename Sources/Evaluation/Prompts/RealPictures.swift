import Files
import Models
import Pictures
import Runtime

/// The features of the real pictures of prompts, each distinct picture once.
public struct RealPictures: Sendable {
  /// The features.
  public let features: FeatureSet
  /// For each line of the file the number of its picture; nil for lines without one.
  public let numbers: [Int?]

  /// The number of pictures whose features are computed together.
  private static let batch = 64

  /// Reads the pictures of all lines of a file, brings them to the size of generated ones, and computes
  /// their features. Files of the same content in that size are one picture.
  ///
  /// - Parameters:
  ///   - cache: where features are looked up, and written to; nil for none.
  ///   - progress: called with the number of files read.
  /// - Throws: `EvaluationError.damagedLine` for a picture that cannot be read, and the plugin's errors.
  public init(
    _ set: PromptSet, size: ImageSize, by network: any PictureFeatures,
    cache: FeatureCache? = nil,
    progress: (Int) -> Void = { _ in }
  ) throws {
    let place = try cache?.place(set, size, network)
    if let place, let known = cache?.read(place, lines: set.lines.count, width: network.width) {
      (features, numbers) = known
      return
    }
    var features = FeatureSet(width: network.width)
    var (ofPath, ofContent): ([String: Int], [String: Int]) = ([:], [:])
    var pending: [RGBImage] = []
    func flush() throws {
      features.append(try network.features(of: pending).values)
      pending = []
    }
    numbers = try set.lines.map { line in
      guard let path = line.picture else { return nil }
      if let known = ofPath[path] { return known }
      let picture = try Self.read(line, in: set, size)
      let content = ContentHash.of(picture.values).text
      let number = ofContent[content] ?? ofContent.count
      if ofContent.updateValue(number, forKey: content) == nil { pending.append(picture) }
      ofPath[path] = number
      if pending.count == Self.batch { try flush() }
      progress(ofPath.count)
      return number
    }
    try flush()
    self.features = features
    if let place { cache?.write(features, numbers, to: place) }
  }

  /// The picture of a line in the size of generated ones: resized to cover it, of which the centre is cut
  /// out, as for training. Transparent pixels lie over white.
  ///
  /// - Throws: `EvaluationError.damagedLine`.
  static func read(
    _ line: PromptSet.Line, in set: PromptSet, _ size: ImageSize
  ) throws -> RGBImage {
    do {
      return try RGBImage(contentsOf: line.picture!)
        .covering(width: size.width, height: size.height)
    } catch {
      throw EvaluationError.damagedLine(
        path: set.path, line: line.number, reason: "its picture cannot be used: \(error)")
    }
  }
}
