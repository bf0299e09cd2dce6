import Tensors

/// An endless, repeatable stream of batches.
public protocol BatchSource: Sendable {
  /// The hash of the data's content, wherever it lies.
  var content: String { get }

  /// The next batch: its arrays by name, rows first.
  ///
  /// - Parameter rows: the rows of the batch that are wanted; the others are passed over.
  mutating func next(rows: Range<Int>) throws -> Named<HostArray>

  /// Where the stream stands, as text for a checkpoint.
  func saved() throws -> String

  /// Takes the stream to where it stood.
  ///
  /// - Throws: `DatasetError.wrongPosition` for a position in another stream.
  mutating func restore(_ saved: String) throws
}

/// The position of a stream whose batches are numbered.
struct BatchNumber {
  private(set) var number = 0

  /// The number of this batch; the next one has the next.
  mutating func next() -> Int {
    defer { number += 1 }
    return number
  }

  var saved: String { "\(number)" }

  mutating func restore(_ saved: String) throws {
    guard let number = Int(saved), (0..<1 << 62).contains(number) else {
      throw DatasetError.wrongPosition(reason: "\(saved) is no number of batches")
    }
    self.number = number
  }
}
