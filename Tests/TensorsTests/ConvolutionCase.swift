import TestSupport
import Testing

@testable import Tensors

/// A convolution of an input with a kernel, whose spatial sizes are given.
struct ConvolutionCase: Sendable, CustomTestStringConvertible {
  var input = [5, 6]
  var kernel = [3, 3]
  var channels = (input: 2, output: 4)
  var window: ConvolutionWindow

  var testDescription: String {
    let padding = window.padding.map { "\($0.low)-\($0.high)" }
    return "\(input) * \(kernel) strides \(window.strides) padding \(padding) "
      + "dilation \(window.dilation) groups \(window.groups)"
  }

  init(
    _ input: [Int] = [5, 6], _ kernel: [Int] = [3, 3], strides: [Int] = [1, 1],
    padding: [(Int, Int)] = [(0, 0), (0, 0)], dilation: [Int] = [1, 1], groups: Int = 1,
    channels: (input: Int, output: Int) = (2, 4)
  ) {
    (self.input, self.kernel, self.channels) = (input, kernel, channels)
    window = ConvolutionWindow(rank: input.count, groups: groups)
    window.strides = strides
    window.padding = padding.map { .init($0.0, $0.1) }
    window.dilation = dilation
  }

  var x: Numbers { .random([2] + input + [channels.input]) }
  var weights: Numbers {
    .random(kernel + [channels.input / window.groups, channels.output], seed: 2)
  }

  /// How far the taps of the kernel reach along an axis.
  func extent(_ axis: Int) -> Int { (kernel[axis] - 1) * window.dilation[axis] + 1 }

  /// Calls `body` with the offsets of every input element, kernel element and output element whose
  /// products a convolution sums.
  func forEachProduct(
    input: [Int], kernel weights: [Int], output: [Int], _ body: (Int, Int, Int) -> Void
  ) {
    let rank = kernel.count
    let (inputs, outputs) = (weights[rank], weights[rank + 1])
    for place in Numbers.places(Array(output.dropLast())) {
      let start = place.reduce((0, 0)) { ($0.0 * output[$0.1] + $1, $0.1 + 1) }.0 * outputs
      for (t, tap) in Numbers.places(kernel).enumerated() {
        var source = place[0]
        var isInside = true
        for axis in 0..<rank {
          let at = place[axis + 1] * window.strides[axis] + tap[axis] * window.dilation[axis]
          let moved = at - window.padding[axis].low
          isInside = isInside && moved >= 0 && moved < input[axis + 1]
          source = source * input[axis + 1] + moved
        }
        guard isInside else { continue }
        for o in 0..<outputs {
          let group = o / (outputs / window.groups)
          for i in 0..<inputs {
            body(
              source * input[rank + 1] + group * inputs + i, (t * inputs + i) * outputs + o,
              start + o)
          }
        }
      }
    }
  }

  /// The shape that comes out.
  var output: [Int] {
    let spatial = input.indices.map { axis -> Int in
      let padded = input[axis] + window.padding[axis].low + window.padding[axis].high
      return (padded - extent(axis)) / window.strides[axis] + 1
    }
    return [2] + spatial + [channels.output]
  }

  static let table: [ConvolutionCase] = [
    ConvolutionCase(),
    ConvolutionCase(padding: [(1, 1), (1, 1)]),
    ConvolutionCase([4, 7], [1, 1]),
    ConvolutionCase([4, 7], [1, 1], strides: [2, 2]),
    ConvolutionCase([4, 7], [1, 1], strides: [3, 2], padding: [(1, 0), (2, 2)]),
    ConvolutionCase([7, 6], strides: [2, 2], padding: [(1, 1), (1, 1)]),
    ConvolutionCase([8, 5], strides: [2, 2]),
    ConvolutionCase([6, 6], [4, 4], strides: [2, 2], padding: [(1, 1), (1, 1)]),
    ConvolutionCase([6, 8], [2, 2], strides: [2, 2]),
    ConvolutionCase([7, 9], [2, 2], strides: [2, 2]),
    ConvolutionCase([7, 5], [2, 3], strides: [3, 1], padding: [(0, 2), (2, 0)]),
    ConvolutionCase([9, 7], [5, 2], strides: [2, 3], padding: [(2, 2), (0, 1)]),
    ConvolutionCase([9, 8], [2, 2], strides: [4, 3]),
    ConvolutionCase([5, 5], [5, 5], strides: [2, 2], padding: [(4, 4), (3, 4)]),
    ConvolutionCase([3, 3], [3, 3], padding: [(3, 3), (4, 2)]),
    ConvolutionCase([2, 2], [2, 2], strides: [2, 2], padding: [(3, 3), (3, 3)]),
    ConvolutionCase([7, 7], dilation: [2, 3]),
    ConvolutionCase([7, 7], padding: [(2, 2), (1, 3)], dilation: [2, 1]),
    ConvolutionCase([9, 9], strides: [2, 1], padding: [(2, 2), (1, 1)], dilation: [2, 2]),
    ConvolutionCase(padding: [(1, 1), (1, 1)], groups: 2, channels: (4, 6)),
    ConvolutionCase(
      [7, 6], strides: [2, 2], padding: [(1, 1), (1, 1)], groups: 2, channels: (4, 2)),
    ConvolutionCase([5, 5], padding: [(1, 1), (1, 1)], groups: 4, channels: (4, 4)),
    ConvolutionCase([5, 5], padding: [(1, 1), (1, 1)], groups: 2, channels: (2, 6)),
    ConvolutionCase([4, 4], padding: [(1, 1), (1, 1)], channels: (9, 3)),
    ConvolutionCase([9], [4], strides: [2], padding: [(1, 2)], dilation: [1]),
    ConvolutionCase(
      [4, 3, 5], [2, 3, 2], strides: [1, 1, 2], padding: [(1, 0), (1, 1), (0, 0)],
      dilation: [1, 1, 1]),
    ConvolutionCase([6, 6], padding: [(-1, 0), (-1, -1)]),
    // Causal in time, as in autoencoders of videos.
    ConvolutionCase(
      [5, 4, 3], [3, 3, 3], strides: [1, 1, 1], padding: [(2, 0), (1, 1), (1, 1)],
      dilation: [1, 1, 1]),
    ConvolutionCase(
      [5, 4, 4], [3, 3, 3], strides: [2, 2, 2], padding: [(2, 0), (0, 1), (0, 1)],
      dilation: [1, 1, 1]),
    ConvolutionCase(
      [4, 3, 5], [2, 3, 2], strides: [1, 1, 1], padding: [(2, 0), (1, 1), (0, 0)],
      dilation: [2, 1, 3], groups: 2, channels: (4, 6)),
    ConvolutionCase(
      [9], [3], strides: [2], padding: [(4, 0)], dilation: [2], groups: 3, channels: (3, 6)),
  ]
}
