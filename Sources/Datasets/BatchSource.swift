import Tensors

/// An endless, reproducible stream of batches.
public protocol BatchSource: Sendable {
  /// The hash of the data's content, independent of its location.
  var content: String { get }

  /// The next batch: its arrays by name, rows first.
  ///
  /// - Parameter rows: the rows of the batch to return; the others are skipped.
  mutating func next(rows: Range<Int>) throws -> Named<HostArray>

  /// The current position, as text for a checkpoint.
  func saved() throws -> String

  /// Moves to a saved position.
  ///
  /// - Throws: `DatasetError.wrongPosition` for a position in another stream.
  mutating func restore(_ saved: String) throws
}

/// The position of a stream whose batches are numbered.
struct BatchNumber {
  private(set) var number = 0

  /// The number of the next batch, which is then incremented.
  mutating func next() -> Int {
    defer { number += 1 }
    return number
  }

  var saved: String { "\(number)" }

  mutating func restore(_ saved: String) throws {
    guard let number = Int(saved), (0..<1 << 62).contains(number) else {
      throw DatasetError.wrongPosition(reason: "\(saved) is not a number of batches")
    }
    self.number = number
  }
}
