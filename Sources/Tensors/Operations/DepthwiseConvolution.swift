/// The convolution of each channel of `[batch, height, width, channels]` with a kernel of its own,
/// `[rows, columns, channels]`, of the same size.
///
/// It is the sum of the shifted inputs, one a tap, each times a weight a channel: compilers fuse them into one
/// pass over memory, and know no fast convolution with as many groups as channels. Its gradients have the same
/// form, so that nothing of the input's size is kept for each tap.
struct DepthwiseConvolution: Operation {
  var opcode: String { "depthwise_convolution" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (input, kernel) = (operands[0], operands[1])
    precondition(
      input.shape.rank == 4 && kernel.shape.rank == 3 && input.dtype == kernel.dtype
        && kernel.shape[2] == input.shape[3] && kernel.shape[0] % 2 == 1
        && kernel.shape[1] % 2 == 1,
      "\(input) cannot be convolved with a kernel \(kernel) for each channel")
    return [input]
  }

  func plain(_ operands: [Tensor]) -> [Tensor]? {
    let (x, kernel) = (operands[0], operands[1])
    let taps = Self.shifted(x, by: kernel.shape).map { $0.part * kernel[$0.row][$0.column] }
    return [taps.dropFirst().reduce(taps[0], +)]
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (x, kernel) = (at.operands[0], at.operands[1])
    let weights = Self.shifted(x, by: kernel.shape).map { ($0.part * at.dy).sum([0, 1, 2]) }
    return [
      at.dy.depthwiseConvolution(kernel.reversed([0, 1])),
      Tensor.stack(weights).reshape(kernel.shape),
    ]
  }

  /// The input as each tap of a kernel sees it, row by row.
  private static func shifted(
    _ x: Tensor, by kernel: Shape
  ) -> [(row: Int, column: Int, part: Tensor)] {
    let (rows, columns) = (kernel[0], kernel[1])
    let padded = x.pad([(0, 0), (rows / 2, rows / 2), (columns / 2, columns / 2), (0, 0)])
    return (0..<rows).flatMap { row in
      (0..<columns).map { column in
        let part = padded.slice(1, row..<row + x.shape[1]).slice(2, column..<column + x.shape[2])
        return (row, column, part)
      }
    }
  }
}

extension Tensor {
  /// The convolution of each channel of `[batch, height, width, channels]` with a kernel of its own, of the
  /// same size: zeros surround the input.
  ///
  /// - Parameter kernel: `[rows, columns, channels]`, of odd rows and columns.
  public func depthwiseConvolution(_ kernel: Tensor) -> Tensor {
    Tensor(DepthwiseConvolution(), [self, kernel])
  }
}
