import Files
import Foundation
import Pictures
import Recipe

/// A folder of pictures with captions, as recipes name it.
public struct ImageData: PromptDataSet {
  /// The name in recipes.
  public static let kinds = ["images"]

  /// The folder.
  public var folder = ""
  /// The height and width that pictures are brought to, in pixels.
  public var size = [512, 512]
  /// The number of reference images of a picture, for editing.
  public var references = 0
  /// The height and width that reference images are brought to, in pixels.
  public var referenceSize = [512, 512]
  /// The tokens that texts are padded to.
  public var textTokens: Int?

  /// Names no folder.
  private init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    A folder of PNG, JPEG and WebP pictures. The prompts of `NAME.png` are in `NAME.txt` beside it, one a
    line; one is drawn each time that the picture is used. Pictures are resized to cover `size`, and
    their centre is cut out. For editing, `NAME.ref1.png`, `NAME.ref2.png` … beside a picture are the
    images that it is made from, and the prompt says how.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("folder", path: \.folder, "folder of the pictures and their captions").required
      .mayDiffer(.always),
    PictureField.size(\.size, "height and width that pictures are brought to, in pixels"),
    Field("references", \.references, in: 0...8, "reference images of each picture, for editing"),
    Field(
      "reference_size", \.referenceSize, where: PictureField.isSize, else: PictureField.sizeRule,
      "height and width that reference images are brought to, multiples of 32"
    ).otherwise("`size`") { $0.referenceSize = $0.size },
    PictureField.textTokens(\.textTokens),
  ]

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// There are.
  public var hasPictures: Bool { true }

  /// Lists the pictures and reads their captions.
  public func samples() throws -> any PromptSamples { try ImageFolder(self) }
}

/// The pictures of a folder with their captions, in the order of their names.
struct ImageFolder: PromptSamples {
  let content: String
  private let data: ImageData
  private let pictures: [Entry]

  /// The files of one sample.
  private struct Entry {
    let picture: String
    let caption: String
    let references: [String]
  }

  var path: String { data.folder }
  var count: Int { pictures.count }

  init(_ data: ImageData) throws {
    self.data = data
    let names = try namesInFolder(data.folder)
    let images = Dictionary(
      grouping: names.filter { Self.endings.contains(Self.parts(of: $0).ending) },
      by: { Self.parts(of: $0).stem })
    let place = { (name: String) in "\(data.folder)/\(name)" }
    var pictures: [Entry] = []
    let hash = ContentHash()
    for (stem, files) in images.sorted(by: { $0.key < $1.key }) where !Self.isReference(stem) {
      guard files.count == 1 else {
        throw DatasetError.inconsistent(
          path: data.folder, reason: "\(files.joined(separator: " and ")) have one name")
      }
      let picture = place(files[0])
      let caption = "\(stem).txt"
      guard names.contains(caption) else {
        throw DatasetError.missingBeside(path: picture, missing: caption)
      }
      let prompts = try PromptFile.lines(of: place(caption))
      let references = try (0..<data.references).map { number in
        let name = "\(stem).ref\(number + 1)"
        guard let found = images[name]?.first else {
          throw DatasetError.missingBeside(path: picture, missing: "\(name).png")
        }
        return place(found)
      }
      for file in [picture] + references { hash.add(try ContentHash.ofFile(file)) }
      for prompt in prompts { hash.add(prompt) }
      pictures.append(
        Entry(picture: picture, caption: place(caption), references: references))
    }
    guard !pictures.isEmpty else {
      throw DatasetError.noSamples(
        path: data.folder, expected: "PNG, JPEG or WebP picture with a caption")
    }
    content = hash.text
    self.pictures = pictures
  }

  private static let endings: Set = ["png", "jpg", "jpeg", "webp"]

  /// The name without its ending, and the ending in lower case.
  private static func parts(of name: String) -> (stem: String, ending: String) {
    let name = name as NSString
    return (name.deletingPathExtension, name.pathExtension.lowercased())
  }

  /// Whether a name without its ending is that of a reference image.
  private static func isReference(_ stem: String) -> Bool {
    let ending = parts(of: stem).ending
    return ending.hasPrefix("ref") && Int(ending.dropFirst(3)) != nil
  }

  func prompts(_ index: Int) throws -> [String] {
    try PromptFile.lines(of: pictures[index].caption)
  }

  func images(_ index: Int) throws -> SampleImages {
    let files = pictures[index]
    func image(_ path: String, _ size: [Int]) throws -> RGBImage {
      try RGBImage(contentsOf: path).covering(width: size[1], height: size[0])
    }
    return SampleImages(
      picture: try image(files.picture, data.size),
      references: try files.references.map { try image($0, data.referenceSize) })
  }

  func name(_ index: Int) -> String { pictures[index].picture }
}
