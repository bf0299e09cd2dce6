import Pictures

/// How an object is cut out of a picture to be classified: GenEval's `ImageCrops`, Ghosh and others, "GenEval",
/// 2023.
public struct ObjectCrop: Hashable, Sendable {
  /// The color of pixels outside of the object's mask; nil to leave them as they are.
  public var background: [UInt8]?
  /// Whether the picture is cut to the object's box.
  public var cutsBox: Bool

  /// Makes the options; by default those that are published.
  public init(background: [UInt8]? = [0x99, 0x99, 0x99], cutsBox: Bool = true) {
    (self.background, self.cutsBox) = (background, cutsBox)
  }

  /// An object of a picture.
  ///
  /// - Parameters:
  ///   - box: its left, upper, right and lower edge in pixels, rounded with halves to even numbers; what is
  ///     beyond the picture is black, and a box without area is one pixel.
  ///   - mask: its pixels, row by row; nil for all.
  public func callAsFunction(
    _ picture: RGBImage, box: [Float], mask: [Bool]? = nil
  ) -> RGBImage {
    precondition(
      box.count >= 4 && (mask.map { $0.count == picture.width * picture.height } ?? true),
      "a box of \(box) or a mask of \(mask?.count ?? 0) pixels does not fit the picture")
    var values = picture.values
    if let mask, let background {
      for (pixel, isInside) in mask.enumerated() where !isInside {
        values.replaceSubrange(3 * pixel..<3 * pixel + 3, with: background)
      }
    }
    let whole = RGBImage(width: picture.width, height: picture.height, values: values)
    guard cutsBox else { return whole }
    let edges = box.prefix(4).map { Int($0.rounded(.toNearestOrEven)) }
    let (width, height) = (max(1, edges[2] - edges[0]), max(1, edges[3] - edges[1]))
    var cut = [UInt8](repeating: 0, count: 3 * width * height)
    let columns = max(0, edges[0])..<max(0, edges[0], min(picture.width, edges[0] + width))
    for row in max(0, edges[1])..<max(0, edges[1], min(picture.height, edges[1] + height)) {
      guard !columns.isEmpty else { break }
      let source = 3 * (row * picture.width + columns.lowerBound)
      let target = 3 * ((row - edges[1]) * width + columns.lowerBound - edges[0])
      cut.replaceSubrange(
        target..<target + 3 * columns.count, with: values[source..<source + 3 * columns.count])
    }
    return RGBImage(width: width, height: height, values: cut)
  }
}

extension CLIPJudge {
  /// The texts by which GenEval asks for the color of an object.
  ///
  /// - Parameters:
  ///   - color: the color's name.
  ///   - name: the object's, as its detector calls it.
  public static func colorTexts(_ color: String, of name: String) -> [String] {
    [
      "a photo of a \(color) \(name)", "a photo of a \(color)-colored \(name)",
      "a photo of a \(color) object",
    ]
  }

  /// The scores of colors for objects of one name, `[object][color]`; GenEval takes the best one.
  ///
  /// - Parameters:
  ///   - colors: the names of the colors.
  ///   - name: the name of the objects.
  ///   - objects: pictures of the objects, see `ObjectCrop`.
  /// - Throws: as `classifier(_:)`.
  public func colorScores(
    _ colors: [String], of name: String, in objects: [RGBImage]
  ) throws -> [[Float]] {
    try scores(of: objects, classifier(colors.map { Self.colorTexts($0, of: name) }))
  }
}
