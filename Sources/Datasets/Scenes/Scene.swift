import Pictures

/// A picture of emoji at known boxes.
public struct Scene: Sendable {
  /// An emoji in the picture.
  public struct Object: Hashable, Sendable {
    /// The class.
    public let object: SceneClass
    /// The color, nil for classes without a choice.
    public let color: String?
    /// Left, top, right and bottom in pixels: the tight box of what is not transparent.
    public let box: [Int]
  }

  /// The picture.
  public let picture: RGBImage
  /// The emoji in it.
  public let objects: [Object]

  /// The height and width of scenes.
  public static let size = 64
}

/// The parts of a scene before it is drawn.
struct SceneLayout {
  /// A place for an object.
  struct Place {
    /// The center in pixels.
    var x, y: Int
    /// The longer side in pixels.
    var length: Int
  }

  /// The places of the objects of a request, in its order.
  let places: [Place]

  /// The distance of the centers of cells from the middle.
  private static let offset = 16

  /// Draws places: one object is around the middle, two lie side by side or one above the other, and
  /// three or four are in cells of their own.
  ///
  /// - Parameter hasAnySize: whether an object alone has any size, up to that of the picture, and any place.
  init(
    _ request: SceneRequest, hasAnySize: Bool = false,
    using random: inout some RandomNumberGenerator
  ) {
    let middle = Scene.size / 2
    let count = request.groups.reduce(0) { $0 + $1.count }
    func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    switch count {
    case 1 where hasAnySize:
      let length = draw(24...Scene.size)
      let side = length / 2...Scene.size - length / 2
      places = [Place(x: draw(side), y: draw(side), length: length)]
    case 1:
      places = [
        Place(x: middle + draw(-7...7), y: middle + draw(-7...7), length: draw(32...46))
      ]
    case 2:
      let asked = request.groups.last!.relation
      let relation = asked ?? SceneRequest.relations.randomElement(using: &random)!
      let common = draw(-6...6)
      places = [1, -1].map { sign in
        // The second object is at the side that the relation says.
        let along = (relation == "left of" || relation == "above" ? sign : -sign) * Self.offset
        let (a, b) = (middle + along + draw(-2...2), middle + common + draw(-3...3))
        let isRow = relation == "left of" || relation == "right of"
        return Place(x: isRow ? a : b, y: isRow ? b : a, length: draw(23...29))
      }
    default:
      let cells = [(-1, -1), (1, -1), (-1, 1), (1, 1)].shuffled(using: &random)
      places = cells.prefix(count).map { column, row in
        Place(
          x: middle + column * Self.offset + draw(-2...2),
          y: middle + row * Self.offset + draw(-2...2), length: draw(22...27))
      }
    }
  }
}
