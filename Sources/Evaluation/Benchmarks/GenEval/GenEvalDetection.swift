import Datasets
import Files

/// An object that a detector found, in the coordinates of the picture.
public struct GenEvalDetection: Hashable, Sendable, Codable {
  /// The class.
  public var className: String
  /// Left, top, right and bottom in pixels.
  public var box: [Float]
  /// How sure the detector is, 0 to 1.
  public var score: Float
  /// The color, where it was looked at.
  public var color: String?

  enum CodingKeys: String, CodingKey {
    case className = "class"
    case box, score, color
  }

  /// Makes a detection.
  public init(className: String, box: [Float], score: Float, color: String? = nil) {
    precondition(box.count == 4, "a box has four sides")
    (self.className, self.box, self.score, self.color) = (className, box, score, color)
  }

  /// Reads a detection of a file.
  package init(_ value: JSON) throws(RowFault) {
    let members = try JSONMembers(value, "a detection")
    className = try members.string("class")
    let sides = try members.list("box").compactMap(\.double)
    guard sides.count == 4, sides.allSatisfy(\.isFinite) else {
      throw RowFault("the `box` of a \(className) is not four numbers")
    }
    box = sides.map { Float($0) }
    score = Float(try members.number("score"))
    color = try members["color"] == nil ? nil : members.string("color")
  }

  /// The center.
  var center: (x: Float, y: Float) { ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) }
  /// The width and height.
  public var size: (width: Float, height: Float) { (abs(box[2] - box[0]), abs(box[3] - box[1])) }

  /// The intersection of two boxes over their union, with sides that both count as pixels.
  func overlap(with other: GenEvalDetection) -> Float {
    func area(_ left: Float, _ top: Float, _ right: Float, _ bottom: Float) -> Float {
      max(right - left + 1, 0) * max(bottom - top + 1, 0)
    }
    let intersection = area(
      max(box[0], other.box[0]), max(box[1], other.box[1]), min(box[2], other.box[2]),
      min(box[3], other.box[3]))
    let union =
      area(box[0], box[1], box[2], box[3])
      + area(other.box[0], other.box[1], other.box[2], other.box[3]) - intersection
    return union == 0 ? 0 : intersection / union
  }

  /// Where this object is in relation to another one.
  ///
  /// The offset of the centers is shortened by a fraction of the sizes, and divided by the norm of the
  /// full offset; beyond one half along an axis is a relation.
  ///
  /// - Parameter slack: the fraction of the sum of both sizes that does not count.
  func relations(to other: GenEvalDetection, slack: Float) -> [String] {
    let (x, y) = (center.x - other.center.x, center.y - other.center.y)
    func shortened(_ offset: Float, _ sizes: Float) -> Float {
      let length = max(abs(offset) - slack * sizes, 0)
      return offset < 0 ? -length : offset > 0 ? length : 0
    }
    let dx = shortened(x, size.width + other.size.width)
    let dy = shortened(y, size.height + other.size.height)
    guard abs(dx) >= 1e-3 || abs(dy) >= 1e-3 else { return [] }
    let norm = (x * x + y * y).squareRoot()
    var relations: [String] = []
    if dx / norm < -0.5 { relations.append("left of") }
    if dx / norm > 0.5 { relations.append("right of") }
    if dy / norm < -0.5 { relations.append("above") }
    if dy / norm > 0.5 { relations.append("below") }
    return relations
  }
}
