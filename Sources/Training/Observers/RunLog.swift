import Files
import Foundation

/// The figures in a run's `log.jsonl`.
public struct RunLog: Sendable {
  /// A figure over the steps at which it was written.
  public struct Series: Sendable {
    /// Its name in the log.
    public let name: String
    /// The steps, rising.
    public fileprivate(set) var steps: [Int] = []
    /// The values, one for each step.
    public fileprivate(set) var values: [Double] = []
  }

  /// The figures in the order in which they first appear.
  public private(set) var series: [Series] = []
  /// The number of lines that cannot be read.
  public private(set) var damaged = 0

  /// The name of the file.
  static let name = "log.jsonl"

  /// Makes an empty log.
  public init() {}

  /// Reads the log of a folder; an empty one where there is none.
  ///
  /// - Throws: `FileError.unreadable`.
  public init(of folder: String) throws {
    let path = "\(folder)/\(Self.name)"
    guard FileManager.default.fileExists(atPath: path) else { return }
    let file = try MappedFile(path)
    var places: [String: Int] = [:]
    withExtendedLifetime(file) {
      for line in file.bytes.split(separator: UInt8(ascii: "\n")) {
        guard let fields = Self.fields(of: line), let step = fields["step"] as? Int else {
          damaged += 1
          continue
        }
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) where name != "step" {
          guard let value = (value as? NSNumber)?.doubleValue else { continue }
          let place = places[name] ?? series.count
          if place == series.count {
            places[name] = place
            series.append(Series(name: name))
          }
          series[place].steps.append(step)
          series[place].values.append(value)
        }
      }
    }
  }

  private static func fields(of line: Slice<UnsafeRawBufferPointer>) -> [String: Any]? {
    try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
  }

  /// A figure by its name, nil where it was not written.
  public subscript(name: String) -> Series? { series.first { $0.name == name } }

  /// The last step that was written, 0 for an empty log.
  public var lastStep: Int { series.compactMap(\.steps.last).max() ?? 0 }
}
