import TestSupport
import Tensors
import Testing

@testable import Layers

@Suite struct QuantizedTensorTests {
  /// A matrix whose rows differ in magnitude by 10,000; the last is zero.
  static let matrix = Numbers([4, 6]) { place in
    let size = [100, 1, 0.01, 0][place[0]]
    return size * Numbers.random([4, 6])[place[0], place[1]]
  }

  /// What a number of a row becomes: 127 steps from zero to the row's largest magnitude.
  static func expected(_ row: Int, _ column: Int) -> Double {
    let largest = (0..<6).map { abs(matrix[row, $0]) }.max()!
    guard largest > 0 else { return 0 }
    let scale = largest / 127
    return (matrix[row, column] / scale).rounded(.toNearestOrEven) * scale
  }

  @Test func eachRowIsRoundedToStepsOfItsOwnScale() throws {
    let result = try evaluate([Self.matrix]) { [QuantizedTensor($0[0]).dequantized(to: .float64)] }
    for row in 0..<4 {
      let largest = (0..<6).map { abs(Self.matrix[row, $0]) }.max()!
      for column in 0..<6 {
        let found = result[0][row, column]
        #expect(abs(found - Self.expected(row, column)) <= 1e-5 * largest)
        #expect(abs(found - Self.matrix[row, column]) <= largest / 253)
      }
    }
  }

  @Test func aMapMultipliesByTheDequantizedMatrix() throws {
    let x = Numbers.random([3, 6], seed: 9)
    let result = try evaluate([x, Self.matrix]) { tensors in
      let base = LinearMap.Base.quantized(QuantizedTensor(tensors[1]))
      return [LinearMap(base: base, bias: nil, adapters: [], output: 4)(tensors[0])]
    }
    for row in 0..<3 {
      for output in 0..<4 {
        let exact = (0..<6).reduce(0) { $0 + x[row, $1] * Self.expected(output, $1) }
        #expect(abs(result[0][row, output] - exact) <= 1e-5 * (1 + abs(exact)))
      }
    }
  }
}
