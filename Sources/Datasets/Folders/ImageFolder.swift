import Files
import Foundation

/// The pictures of a folder and its subfolders in the order of their paths, with their captions or with the
/// names of the subfolders as prompts.
struct ImageFolder: PictureRows {
  let path: String
  let content: String
  let problems: DataProblems
  /// The paths of the pictures within the folder.
  let pictures: [String]
  /// Whether the prompts are the names of the subfolders.
  let hasClasses: Bool
  /// The numbers of the classes where these are the prompts.
  private let numbers: [String: Int]?
  /// The paths of the masks by those of their pictures.
  private var masks: [String: String] = [:]

  var count: Int { pictures.count }

  /// The endings of pictures.
  static let endings = ["png", "jpg", "jpeg", "webp"]

  /// Lists a folder, reads the captions and hashes the pictures.
  ///
  /// - Parameters:
  ///   - references: the number of reference images of each picture.
  ///   - masks: whether masks are part of the content.
  ///   - classes: the number of classes where the prompt of a picture is the number of its class.
  /// - Throws: `FileError.unreadable`, and `DatasetError` for pictures without class or of another number
  ///   of classes.
  init(
    _ path: String, _ references: Int, masks: Bool = false, classes: Int? = nil
  ) throws {
    self.path = path
    let listing = try FolderListing(path)
    hasClasses = listing.hasClasses
    let numbers = try classes.map { try listing.classNumbers(of: path, count: $0) }
    self.numbers = numbers
    var problems = listing.problems
    var pictures: [String] = []
    let hash = ContentHash()
    for picture in listing.pictures {
      let place = "\(path)/\(picture)"
      let beside = listing.beside(picture, references: references)
      for name in beside.missing {
        problems.add(.missingBeside(path: place, missing: name))
      }
      guard beside.missing.isEmpty else { continue }
      let texts: [String]
      do {
        texts = try Self.texts(picture, isClass: hasClasses, numbers, in: path)
      } catch let error as DatasetError {
        problems.add(error)
        continue
      }
      for file in [place] + beside.references.map({ "\(path)/\($0)" }) {
        hash.add(try ContentHash.ofFile(file))
      }
      if masks, let mask = listing.mask(of: picture) {
        self.masks[picture] = mask
        hash.add(try ContentHash.ofFile("\(path)/\(mask)"))
      }
      for text in texts { hash.add(text) }
      pictures.append(picture)
    }
    content = hash.text
    self.pictures = pictures
    self.problems = problems
  }

  func name(_ row: Int) -> String { "\(path)/\(pictures[row])" }

  func texts(_ row: Int) throws -> [String] {
    try Self.texts(pictures[row], isClass: hasClasses, numbers, in: path)
  }

  /// The lines of a picture's caption, or the number or the name of its class.
  private static func texts(
    _ picture: String, isClass: Bool, _ numbers: [String: Int]?, in folder: String
  ) throws -> [String] {
    if let number = numbers?[className(picture)] { return ["\(number)"] }
    guard isClass else { return try PromptFile.lines(of: "\(folder)/\(stem(picture)).txt") }
    return [className(picture).replacing("_", with: " ")]
  }

  /// The first folder on the path of a picture within the data's folder.
  static func className(_ picture: String) -> String { String(picture.prefix { $0 != "/" }) }

  func file(_ row: Int, reference: Int?) throws -> PictureFile {
    guard let reference else { return try PictureFile(name(row)) }
    let stem = "\(Self.stem(name(row))).ref\(reference + 1)"
    let found = Self.endings.lazy.flatMap { ["\(stem).\($0)", "\(stem).\($0.uppercased())"] }
      .first { FileManager.default.fileExists(atPath: $0) }
    guard let found else {
      throw DatasetError.missingBeside(path: name(row), missing: "\(stem).png")
    }
    return try PictureFile(found)
  }

  func mask(_ row: Int) throws -> PictureFile? {
    try masks[pictures[row]].map { try PictureFile("\(path)/\($0)") }
  }

  /// A path without its ending.
  static func stem(_ path: String) -> String { (path as NSString).deletingPathExtension }
}
