import Flow
import Tensors
import TestSupport
import Testing

/// A compiled function of named arrays.
struct NamedFunction {
  private let function: HostFunction
  private let inputs: [String]
  private let outputs: [String]

  /// Compiles a function of arrays like these.
  init(_ like: Named<Numbers>, _ body: (Named<Tensor>) -> Named<Tensor>) throws {
    var names: [String] = []
    function = try HostFunction(like.values.map(\.type)) { tensors in
      let results = body(Named(zip(like.names, tensors)))
      names = results.names
      return results.values
    }
    inputs = like.names
    outputs = names
  }

  func callAsFunction(_ arguments: Named<Numbers>) throws -> Named<Numbers> {
    Named(zip(outputs, try function(inputs.map { arguments[$0]! })))
  }
}

/// A network that records its arguments.
final class Recorder: VelocityModel {
  private let network: any VelocityModel
  private(set) var x: [Tensor] = []
  private(set) var times: [Tensor] = []
  private(set) var targets: [Tensor] = []

  init(_ network: any VelocityModel) { self.network = network }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    self.x.append(x)
    times.append(time)
    targets.append(target)
    return network(x, time: time, target: target, condition: condition)
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
