import Files
import Foundation
import Recipe

/// Prompts without pictures, as recipes name them, for training on a network's own samples.
public struct PromptData: PromptDataSet, LabelledDataSet {
  /// The name in recipes.
  public static let kinds = ["prompts"]

  /// The file.
  public var file = ""
  /// The height and width of the pictures that the network learns to make, in pixels.
  public var size = [512, 512]
  /// The tokens that texts are padded to.
  public var textTokens: Int?

  /// Names no file.
  private init() {}

  /// The values of absent keys.
  public static let defaults = Self()

  /// The description in the reference.
  public static let summary = """
    Prompts alone, for an objective with `data_free`: the network's own samples take the place of
    pictures.
    """

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("file", path: \.file, "text file with one prompt a line").required.mayDiffer(.always),
    PictureField.size(\.size, "height and width of the samples, in pixels"),
    PictureField.textTokens(\.textTokens),
  ]

  /// The name in recipes.
  public var kind: String { Self.kinds[0] }

  /// The same lines, as numbers or names of classes.
  public var labelled: any PromptDataSet { self }

  /// There are none.
  public var hasPictures: Bool { false }

  /// There are none.
  public var references: Int { 0 }

  /// There are none.
  public var referenceSize: [Int] { size }

  /// Reads the prompts.
  public func samples() throws -> any PromptSamples { try PromptFile(file) }
}

/// The prompts of a text file, each a sample.
struct PromptFile: PromptSamples {
  let path: String
  let content: String
  private let lines: [String]

  var count: Int { lines.count }

  init(_ path: String) throws {
    self.path = path
    guard FileManager.default.fileExists(atPath: path) else {
      throw DatasetError.missing(path: path, package: nil)
    }
    lines = try Self.lines(of: path)
    let hash = ContentHash()
    for line in lines { hash.add(line) }
    content = hash.text
  }

  /// The lines of a text file that are not blank, without blanks at their ends.
  ///
  /// - Throws: `DatasetError.noPrompt` where there are none, `FileError.unreadable`.
  static func lines(of path: String) throws -> [String] {
    let file = try MappedFile(path)
    return try withExtendedLifetime(file) { try lines(of: file.bytes, path: path) }
  }

  /// The lines of a text, see above.
  static func lines(of bytes: UnsafeRawBufferPointer, path: String) throws -> [String] {
    let text = String(validating: bytes, as: UTF8.self)
    // A mark of the byte order is no part of a prompt.
    let lines = (text ?? "").trimmingPrefix("\u{FEFF}").split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    guard !lines.isEmpty else { throw DatasetError.noPrompt(path: path) }
    return lines
  }

  func prompts(_ index: Int) -> [String] { [lines[index]] }

  func identity(_ index: Int) -> SampleIdentity {
    SampleIdentity(picture: nil, references: [])
  }

  func images(_ index: Int) -> SampleImages { SampleImages(picture: nil, references: []) }

  func name(_ index: Int) -> String { "\(path), prompt \(index + 1)" }
}
