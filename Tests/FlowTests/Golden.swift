import Flow
import Foundation
import Tensors
import TestSupport
import Testing
import Weights

/// A case of the published code: its settings, its inputs with every random draw, its outputs.
struct Golden: Sendable {
  let name: String
  let config: Config
  let inputs: Named<Numbers>
  let expected: Named<Numbers>

  /// What `config.json` says.
  struct Config: Decodable, Sendable {
    let model: Sizes
    let method: Method?
    let steps: Int?
    let noiseFloors: [String: Double]?
    let runs: [Run]?

    enum CodingKeys: String, CodingKey {
      case model, method, steps, runs
      case noiseFloors = "float32_vs_float64_maxabs"
    }
  }

  /// The sizes of the case's network.
  struct Sizes: Decodable, Sendable {
    let dim: Int
    let cdim: Int
    let hidden: Int
  }

  init(_ name: String) throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/golden/\(name)")
    self.name = name
    config = try JSONDecoder().decode(
      Config.self, from: Data(contentsOf: folder.appending(path: "config.json")))
    inputs = try Self.read(folder.appending(path: "inputs.safetensors"))
    expected = try Self.read(folder.appending(path: "expected.safetensors"))
  }

  private static func read(_ file: URL) throws -> Named<Numbers> {
    let tensors = try SafeTensors(path: file.path)
    return withExtendedLifetime(tensors.owner) {
      tensors.types.map { name, type in
        let bytes = tensors.bytes(name)!
        func all<T>(_: T.Type) -> [T] {
          (0..<type.shape.count).map {
            bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self)
          }
        }
        let values: [Double] =
          switch type.dtype {
          case .float32: all(Float.self).map { Double($0) }
          case .float64: all(Double.self)
          case .uint8: all(UInt8.self).map { Double($0) }
          default: preconditionFailure("\(file.path): \(name) is \(type)")
          }
        return Numbers(values, type.shape.sizes, type.dtype)
      }
    }
  }

  /// Expects an output within ten times its noise floor, or within a part of the norm.
  func expect(
    _ actual: Numbers, _ name: String, rows: Range<Int>? = nil, relative: Double = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    guard var wanted = expected[name] else {
      Issue.record("\(self.name) has no \(name)", sourceLocation: sourceLocation)
      return
    }
    var actual = actual
    if let rows { (actual, wanted) = (actual.rows(rows), wanted.rows(rows)) }
    expectNear(
      actual, wanted, absolute: 10 * (config.noiseFloors?[name] ?? 0), relative: relative,
      "\(self.name): \(name)", sourceLocation: sourceLocation)
  }
}

/// Expects the greatest difference within `absolute`, or that of the norms within a part of the
/// expected norm; shapes may differ.
func expectNear(
  _ actual: Numbers, _ expected: Numbers, absolute: Double = 0, relative: Double = 1e-5,
  _ what: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record(
      "\(what()): \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
    return
  }
  let differences = zip(actual.values, expected.values).map { abs($0 - $1) }
  let (difference, norm) = (root(differences), root(expected.values))
  if differences.allSatisfy({ $0 <= absolute }) || difference <= relative * norm { return }
  Issue.record(
    """
    \(what()): the greatest difference is \(differences.max() ?? 0), that of the norms \
    \(difference / norm) of the expected one
    """, sourceLocation: sourceLocation)
}

private func root(_ values: [Double]) -> Double {
  values.reduce(0) { $0 + $1 * $1 }.squareRoot()
}

extension Numbers {
  /// Rows of the first axis.
  func rows(_ range: Range<Int>) -> Numbers {
    let width = count / shape[0]
    return Numbers(
      Array(values[range.lowerBound * width..<range.upperBound * width]),
      [range.count] + shape.dropFirst(), dtype)
  }

  /// One row of the first axis.
  func row(_ row: Int) -> Numbers { rows(row..<row + 1) }

  /// The same elements on one axis.
  var flat: Numbers { Numbers(values, [count], dtype) }
}
