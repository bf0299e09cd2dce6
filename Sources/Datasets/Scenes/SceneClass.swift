/// A class of objects in scenes of emoji.
public struct SceneClass: Hashable, Sendable {
  /// The singular, which is the name of the class.
  public let name: String
  /// The plural.
  public let plural: String
  /// The picture of an object without a color, and of one in its first color.
  let picture: String
  /// The colors that prompts may ask for, the most common one first; empty where there is no choice.
  public let colors: [String]
  /// The pictures of colors of which Noto has one; the other colors are made from `picture`.
  let pictures: [String: String]

  private init(
    _ name: String, plural: String? = nil, _ picture: String, colors: [String] = [],
    _ pictures: [String: String] = [:]
  ) {
    (self.name, self.plural) = (name, plural ?? name + "s")
    (self.picture, self.colors, self.pictures) = (picture, colors, pictures)
  }

  /// The colors of objects that come in several.
  public static let colors = ["red", "orange", "yellow", "green", "blue", "purple"]

  /// The classes, whose places are the classes of the detector.
  public static let all: [SceneClass] = [
    SceneClass("cat", "cat-face"),
    SceneClass("dog", "dog-face"),
    SceneClass("rabbit", "rabbit-face"),
    SceneClass("pig", "pig-face"),
    SceneClass("frog", "frog"),
    SceneClass("panda", "panda"),
    SceneClass("penguin", "penguin"),
    SceneClass("butterfly", plural: "butterflies", "butterfly"),
    SceneClass("banana", "banana"),
    SceneClass("carrot", "carrot"),
    SceneClass("pizza", "pizza"),
    SceneClass("burger", "hamburger"),
    SceneClass("cake", "birthday-cake"),
    SceneClass("bicycle", "bicycle"),
    SceneClass("airplane", "airplane"),
    SceneClass("rocket", "rocket"),
    SceneClass("house", "house"),
    SceneClass("tree", "evergreen-tree"),
    SceneClass("star", "star"),
    SceneClass("moon", "crescent-moon"),
    SceneClass("robot", "robot"),
    SceneClass("clock", "alarm-clock"),
    SceneClass(
      "heart", "red-heart", colors: colors(first: "red"),
      [
        "red": "red-heart", "yellow": "yellow-heart", "green": "green-heart",
        "blue": "blue-heart", "purple": "purple-heart",
      ]),
    SceneClass(
      "circle", "red-circle", colors: colors(first: "red"),
      ["red": "red-circle", "blue": "blue-circle"]),
    SceneClass(
      "diamond", "large-blue-diamond", colors: colors(first: "blue"),
      ["blue": "large-blue-diamond", "orange": "large-orange-diamond"]),
    SceneClass(
      "book", "closed-book", colors: colors(first: "red"),
      [
        "red": "closed-book", "orange": "orange-book", "green": "green-book",
        "blue": "blue-book",
      ]),
    SceneClass(
      "apple", "red-apple", colors: ["red", "yellow", "green"],
      ["red": "red-apple", "green": "green-apple"]),
    SceneClass("balloon", "balloon", colors: colors(first: "red"), ["red": "balloon"]),
    SceneClass("car", "automobile", colors: colors(first: "red"), ["red": "automobile"]),
    SceneClass("umbrella", "umbrella", colors: colors(first: "purple")),
    SceneClass("shirt", "t-shirt", colors: colors(first: "blue")),
    SceneClass(
      "dress", plural: "dresses", "dress", colors: colors(first: "blue"), ["blue": "dress"]),
    SceneClass("backpack", "backpack", colors: colors(first: "red"), ["red": "backpack"]),
    SceneClass("flag", "triangular-flag", colors: colors(first: "red"), ["red": "triangular-flag"]),
  ]

  private static func colors(first: String) -> [String] {
    [first] + colors.filter { $0 != first }
  }

  /// The place of a class, nil for an unknown one.
  public static func index(of name: String) -> Int? { all.firstIndex { $0.name == name } }

  /// One object in words, such as "an orange car".
  func one(_ color: String?) -> String {
    let words = (color.map { "\($0) " } ?? "") + name
    return ("aeiou".contains(words.first!) ? "an " : "a ") + words
  }

  /// Several objects in words, such as "three orange cars".
  func several(_ count: Int, _ color: String?) -> String {
    "\(Self.numbers[count - 1]) \(color.map { "\($0) " } ?? "")\(count == 1 ? name : plural)"
  }

  private static let numbers = ["one", "two", "three", "four"]
}

extension SceneClass {
  /// The color that this class has in no training scene of text-to-scene models, nil for none: never the
  /// first one.
  var heldOutColor: String? {
    guard colors.count > 2 else { return nil }
    return colors[1 + Int(Self.chance("color of \(name)") % UInt64(colors.count - 1))]
  }

  /// The number of objects of this class that no training scene has, nil for none.
  var heldOutCount: Int? {
    let chance = Self.chance("number of \(name)")
    return chance % 2 == 0 ? 2 + Int(chance / 2 % 3) : nil
  }

  /// Whether no training scene has objects of both classes: one pair of six.
  static func isHeldOut(_ a: SceneClass, with b: SceneClass) -> Bool {
    chance([a.name, b.name].sorted().joined(separator: " and ")) % 6 == 0
  }

  /// A number that depends on a text alone.
  private static func chance(_ text: String) -> UInt64 {
    // FNV-1a, mixed.
    let hash = text.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { hash, byte in
      (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }
    var random = SplitMix64(hash)
    return random.next()
  }
}
