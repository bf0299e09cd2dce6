/// How a camera was held: the tag `Orientation` of EXIF, which says how the stored rows and columns lie
/// in the picture.
enum Orientation: Int {
  case upright = 1
  case mirrored, upsideDown, flipped, transposed, clockwise, transversed, counterclockwise

  /// Reads the tag of an EXIF block, a TIFF header with a directory; upright without one.
  init(exif: [UInt8]) {
    self = Self.tag(exif).flatMap(Orientation.init) ?? .upright
  }

  /// The value of the tag 0x0112 in the first directory, nil where there is none.
  private static func tag(_ exif: [UInt8]) -> Int? {
    let isLittle: Bool
    switch exif.prefix(4) {
    case [0x49, 0x49, 0x2A, 0]: isLittle = true
    case [0x4D, 0x4D, 0, 0x2A]: isLittle = false
    default: return nil
    }
    func number(_ place: Int, _ size: Int) -> Int? {
      guard place >= 0, place + size <= exif.count else { return nil }
      let digits = exif[place..<place + size]
      return (isLittle ? Array(digits.reversed()) : Array(digits)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
    let entry = (0..<count).lazy.map { directory + 2 + 12 * $0 }.first { number($0, 2) == 0x0112 }
    // One number of 16 bits.
    guard let entry, number(entry + 2, 2) == 3, number(entry + 4, 4) == 1 else { return nil }
    return number(entry + 8, 2)
  }

  /// Whether rows become columns.
  var swapsAxes: Bool { rawValue >= Self.transposed.rawValue }

  /// The stored pixel that is shown at a place.
  ///
  /// - Parameters:
  ///   - width: the width as stored.
  ///   - height: the height as stored.
  func source(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
    switch self {
    case .upright: (x, y)
    case .mirrored: (width - 1 - x, y)
    case .upsideDown: (width - 1 - x, height - 1 - y)
    case .flipped: (x, height - 1 - y)
    case .transposed: (y, x)
    case .clockwise: (y, height - 1 - x)
    case .transversed: (width - 1 - y, height - 1 - x)
    case .counterclockwise: (width - 1 - y, x)
    }
  }
}
