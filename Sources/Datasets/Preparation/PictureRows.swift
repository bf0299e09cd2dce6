/// The rows of a data set of pictures, each with its texts, read one by one from any form on disk.
public protocol PictureRows: Sendable {
  /// The folder or file that they come from, for messages.
  var path: String { get }

  /// The hash of their content, independent of its location.
  var content: String { get }

  /// The number of rows.
  var count: Int { get }

  /// What is wrong with rows, as far as it shows without decoding pictures.
  var problems: DataProblems { get }

  /// The name of a row in messages.
  func name(_ row: Int) -> String

  /// The prompts of a row.
  ///
  /// - Throws: `DatasetError` and `FileError`.
  func texts(_ row: Int) throws -> [String]

  /// The file of a row's picture.
  ///
  /// - Parameter reference: the number of a reference image from 0; nil for the picture itself.
  /// - Throws: `DatasetError` and `FileError`.
  func file(_ row: Int, reference: Int?) throws -> PictureFile

  /// The file of the mask of a row's picture; nil without one.
  ///
  /// - Throws: `DatasetError` and `FileError`.
  func mask(_ row: Int) throws -> PictureFile?
}

extension PictureRows {
  /// Most data have no masks.
  func mask(_ row: Int) throws -> PictureFile? { nil }
}
