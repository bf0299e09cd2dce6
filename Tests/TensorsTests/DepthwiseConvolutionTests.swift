import Tensors
import TestSupport
import Testing

@Suite struct DepthwiseConvolutionTests {
  @Test(arguments: [(3, 3, 4, 5), (1, 1, 2, 3), (5, 3, 2, 2), (5, 5, 1, 1)])
  func againstLoops(_ rows: Int, _ columns: Int, _ height: Int, _ width: Int) throws {
    let inputs: [Numbers] = [
      .random([2, height, width, 3]), .random([rows, columns, 3], seed: 2),
    ]
    let expected = Numbers([2, height, width, 3]) { place in
      var sum = 0.0
      for row in 0..<rows {
        for column in 0..<columns {
          let (y, x) = (place[1] + row - rows / 2, place[2] + column - columns / 2)
          guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
          sum +=
            inputs[0].values[((place[0] * height + y) * width + x) * 3 + place[3]]
            * inputs[1].values[(row * columns + column) * 3 + place[3]]
        }
      }
      return sum
    }
    let result = try evaluate(inputs) { [$0[0].depthwiseConvolution($0[1])] }[0]
    expectClose(result, expected, relative: 1e-12)
  }

  @Test func gradients() throws {
    try expectGradient(at: [.random([2, 3, 4, 2]), .random([3, 3, 2], seed: 2)]) {
      [$0[0].depthwiseConvolution($0[1])]
    }
  }
}
