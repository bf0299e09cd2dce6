extension Tensor {
  /// The convolution of each channel of `[batch, height, width, channels]` with a kernel of its own, of the
  /// same size: zeros surround the input.
  ///
  /// It is the sum of the shifted inputs, one a tap, each times a weight a channel: compilers fuse them into
  /// one pass over memory, and know no fast convolution with as many groups as channels.
  ///
  /// - Parameter kernel: `[rows, columns, channels]`, of odd rows and columns.
  public func depthwiseConvolution(_ kernel: Tensor) -> Tensor {
    precondition(
      rank == 4 && kernel.rank == 3 && kernel.shape[2] == shape[3] && kernel.shape[0] % 2 == 1
        && kernel.shape[1] % 2 == 1,
      "\(type) cannot be convolved with a kernel \(kernel.type) for each channel")
    let (rows, columns) = (kernel.shape[0], kernel.shape[1])
    let padded = pad([(0, 0), (rows / 2, rows / 2), (columns / 2, columns / 2), (0, 0)])
    let taps = (0..<rows).flatMap { row in
      (0..<columns).map { column in
        padded.slice(1, row..<row + shape[1]).slice(2, column..<column + shape[2])
          * kernel[row][column]
      }
    }
    return taps.dropFirst().reduce(taps[0], +)
  }
}
