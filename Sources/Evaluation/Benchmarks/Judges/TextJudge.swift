import Pictures
import Pipelines

/// PP-OCR as the reader of LongText-Bench and OneIG-Bench. The published reader is a Qwen2.5-VL, so that figures
/// are comparable only with others of the same networks.
public struct TextJudge: TextReader {
  /// The name, with what identifies the weights.
  public let name: String
  private let reading: TextReading

  /// Makes a judge.
  ///
  /// - Throws: the errors of files.
  public init(_ reading: TextReading) throws {
    self.reading = reading
    name = "\(reading.name) \(try HashCache().shortHash(ofAll: reading.files))"
  }

  /// The lines of text in reading order, with a blank between them.
  ///
  /// - Throws: the errors of the networks.
  public func text(in picture: RGBImage) throws -> String {
    try reading.lines(in: picture).map(\.text).joined(separator: " ")
  }
}
