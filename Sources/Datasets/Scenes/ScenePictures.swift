import Files
import Foundation
import Pictures
import Synchronization

/// The pictures of emoji that scenes are made of, from the folder of `scripts/emoji-data`.
public final class ScenePictures: Sendable {
  /// The hash of all of them.
  public let content: String
  /// The pictures of objects, tight, by class and color.
  private let objects: [Key: Picture]
  /// Pictures of no class, which a detector must not take for one.
  let others: [Picture]
  private let sprites = Mutex<[SpriteKey: Sprite]>([:])

  private struct Key: Hashable {
    let name: String
    let color: String?
  }

  private struct SpriteKey: Hashable {
    let key: Key
    let length: Int
  }

  /// Reads the pictures.
  ///
  /// - Parameter folder: has `train` and `held-out`, as scripts/emoji-data writes them.
  /// - Throws: `DatasetError.missing` where a picture is not there, and the errors of reading it.
  public init(_ folder: String) throws {
    var files: [String: Picture] = [:]
    let hash = ContentHash()
    func read(_ stem: String) throws -> Picture {
      if let known = files[stem] { return known }
      let places = ["train", "held-out"].map { "\(folder)/\($0)/\(stem).png" }
      guard let path = places.first(where: FileManager.default.fileExists) else {
        throw DatasetError.missing(path: places[0], package: nil)
      }
      let picture = try Picture.read(path).picture
      guard picture.channels == 4 else {
        throw DatasetError.inconsistent(
          path: path, reason: "it has \(picture.channels) channels, and an emoji has 4")
      }
      picture.values.withUnsafeBytes { hash.add($0) }
      files[stem] = picture
      return picture
    }
    var objects: [Key: Picture] = [:]
    for object in SceneClass.all {
      let plain = try read(object.picture)
      guard !object.colors.isEmpty else {
        objects[Key(name: object.name, color: nil)] = plain.tight
        continue
      }
      for color in object.colors {
        let picture = try object.pictures[color].map(read) ?? SceneColoring.named[color]!(plain)
        objects[Key(name: object.name, color: color)] = picture.tight
      }
    }
    self.objects = objects
    others = try Self.others.map { try read($0).tight }
    content = hash.text
  }

  /// Emoji that are like none of the classes.
  private static let others = [
    "anchor", "cactus", "camera", "candy", "cloud", "crab", "doughnut", "droplet", "egg", "fire",
    "game-die", "ghost", "grapes", "guitar", "hammer", "key", "light-bulb", "maple-leaf",
    "octopus", "pear", "ring", "scissors", "skull", "snowman", "soccer-ball", "sunflower",
    "top-hat", "trophy", "turtle", "watch",
  ]

  /// The names of the pictures that are read, without their endings, each once.
  public static var stems: [String] {
    let own = SceneClass.all.flatMap { [$0.picture] + $0.pictures.values.sorted() } + others
    return own.reduce(into: []) { all, stem in if !all.contains(stem) { all.append(stem) } }
  }

  /// An object of a size.
  func sprite(_ object: SceneClass, _ color: String?, length: Int) -> Sprite {
    let key = Key(name: object.name, color: color)
    guard let picture = objects[key] else {
      preconditionFailure("there is no \(color ?? "") \(object.name)")
    }
    return sprites.withLock { sprites in
      let place = SpriteKey(key: key, length: length)
      if let known = sprites[place] { return known }
      let made = Sprite(picture, length: length)
      sprites[place] = made
      return made
    }
  }

  /// The scene of a request.
  ///
  /// - Parameters:
  ///   - ground: the red, green and blue of what is behind the emoji.
  ///   - hasAnySize: whether an object alone has any size, up to that of the picture, and any place.
  public func scene(
    _ request: SceneRequest, ground: [UInt8] = [255, 255, 255], hasAnySize: Bool = false,
    using random: inout some RandomNumberGenerator
  ) -> Scene {
    let layout = SceneLayout(request, hasAnySize: hasAnySize, using: &random)
    var canvas = SceneCanvas(ground: ground)
    var objects: [Scene.Object] = []
    var places = layout.places[...]
    for group in request.groups {
      for _ in 0..<group.count {
        let place = places.removeFirst()
        let sprite = sprite(group.object, group.drawnColor, length: place.length)
        let (left, top) = canvas.draw(sprite, x: place.x, y: place.y)
        objects.append(
          Scene.Object(
            object: group.object, color: group.drawnColor,
            box: [left, top, left + sprite.width, top + sprite.height]))
      }
    }
    return Scene(picture: canvas.picture, objects: objects)
  }
}

/// An emoji that is resized and ready to be drawn.
struct Sprite: Sendable {
  let width, height: Int
  /// The colors times the opacity, RGB.
  let colors: [UInt8]
  /// The opacity, three times for each pixel.
  let opacity: [UInt8]

  /// Resizes a picture.
  ///
  /// - Parameter length: the longer side.
  init(_ picture: Picture, length: Int) {
    let longest = max(picture.width, picture.height)
    func side(_ old: Int) -> Int { max(1, (old * length + longest / 2) / longest) }
    (width, height) = (side(picture.width), side(picture.height))
    let values = stride(from: 3, to: picture.values.count, by: 4).flatMap { place in
      [UInt8](repeating: picture.values[place], count: 3)
    }
    let masks = RGBImage(width: picture.width, height: picture.height, values: values)
    let premultiplied = RGBImage(picture, transparency: .over(red: 0, green: 0, blue: 0))
    opacity = masks.resized(width: width, height: height, filter: .bicubic).values
    colors = premultiplied.resized(width: width, height: height, filter: .bicubic).values
  }
}

/// A picture that sprites are drawn on.
struct SceneCanvas {
  var values: [UInt8]

  init(ground: [UInt8]) {
    values = (0..<Scene.size * Scene.size).flatMap { _ in ground }
  }

  var picture: RGBImage { RGBImage(width: Scene.size, height: Scene.size, values: values) }

  /// Draws a sprite around a center, moved so that it is within the picture.
  ///
  /// - Returns: its left and top.
  @discardableResult
  mutating func draw(
    _ sprite: Sprite, x: Int, y: Int, strength: Int = 255
  ) -> (left: Int, top: Int) {
    let left = min(max(0, x - sprite.width / 2), Scene.size - sprite.width)
    let top = min(max(0, y - sprite.height / 2), Scene.size - sprite.height)
    for row in 0..<sprite.height {
      let (source, target) = (row * sprite.width * 3, ((top + row) * Scene.size + left) * 3)
      for offset in 0..<sprite.width * 3 {
        let opacity = Int(sprite.opacity[source + offset]) * strength / 255
        let color = Int(sprite.colors[source + offset]) * strength / 255
        let behind = Int(values[target + offset])
        values[target + offset] = UInt8(min(255, color + (behind * (255 - opacity) + 127) / 255))
      }
    }
    return (left, top)
  }
}

extension Picture {
  /// The part of an RGBA picture that is not transparent.
  fileprivate var tight: Picture {
    let least = 25
    var (left, top, right, bottom) = (width, height, -1, -1)
    for y in 0..<height {
      for x in 0..<width where Int(values[(y * width + x) * 4 + 3]) >= least {
        (left, top, right, bottom) = (min(left, x), min(top, y), max(right, x), max(bottom, y))
      }
    }
    guard right >= left else { return self }
    var part: [UInt8] = []
    for y in top...bottom {
      let row = y * width
      part += values[4 * (row + left)..<4 * (row + right + 1)]
    }
    return Picture(
      width: right - left + 1, height: bottom - top + 1, channels: 4, values: part)
  }
}
