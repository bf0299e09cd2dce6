/// The convolution (without flipping, as in deep learning) of an input with a kernel.
struct Convolution: Operation {
  let window: ConvolutionWindow

  var opcode: String { "stablehlo.convolution" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (input, kernel) = (operands[0], operands[1])
    let rank = window.strides.count
    precondition(
      input.shape.rank == rank + 2 && kernel.shape.rank == rank + 2 && input.dtype == kernel.dtype
        && input.shape[-1] == kernel.shape[-2] * window.groups
        && kernel.shape[-1] % window.groups == 0,
      "a convolution of \(input) with a kernel \(kernel) in \(window.groups) groups has mismatched shapes"
    )
    let spatial = window.output(
      Array(input.shape.sizes[1...rank]), kernel: Array(kernel.shape.sizes[..<rank]))
    return [TensorType(Shape([input.shape[0]] + spatial + [kernel.shape[-1]]), input.dtype)]
  }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    window.attributes(operands[0].dtype, inputDilation: window.strides.map { _ in 1 })
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (x, kernel) = (at.operands[0], at.operands[1])
    return [
      Tensor(ConvolutionInputGradient(window: window, input: x.shape), [at.dy, kernel]),
      Tensor(ConvolutionKernelGradient(window: window, kernel: kernel.shape), [x, at.dy]),
    ]
  }
}

/// The gradient of a convolution with respect to its input: the transposed convolution.
struct ConvolutionInputGradient: Operation {
  let window: ConvolutionWindow
  let input: Shape

  var opcode: String { "convolution_input_gradient" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = TensorType(input, operands[0].dtype)
    let forward = Convolution(window: window).results([type, operands[1]])
    precondition(forward == [operands[0]], "\(operands[0]) does not come from \(type)")
    return [type]
  }

  /// A convolution of the cotangent, dilated by the forward strides, with the flipped kernel.
  func plain(_ operands: [Tensor]) -> [Tensor]? {
    let (dy, kernel) = (operands[0], transposed(operands[1]))
    if window.isPlain { return [unstrided(dy, kernel)] }
    return [Tensor(ConvolutionDilated(window: window, input: input), [dy, kernel])]
  }

  /// The kernel with its taps reversed and its channels exchanged within each group.
  func transposed(_ kernel: Tensor) -> Tensor {
    let rank = window.strides.count
    let flipped = kernel.reversed(Array(0..<rank))
    if window.groups == 1 { return flipped.swapAxes() }
    let (i, o) = (kernel.shape[-2], kernel.shape[-1] / window.groups)
    let spatial = Array(kernel.shape.sizes[..<rank])
    let grouped = flipped.reshape(spatial + [i, window.groups, o])
    return grouped.swapAxes(-3, -1).reshape(spatial + [o, window.groups * i])
  }

  /// The gradient of an unstrided convolution, which is one itself.
  func unstrided(_ dy: Tensor, _ flipped: Tensor) -> Tensor {
    var plain = window
    for i in window.strides.indices {
      let reach = window.extent(i, flipped.shape.sizes[i]) - 1
      let low = reach - window.padding[i].low
      plain.padding[i] = .init(low, input.sizes[i + 1] + reach - dy.shape.sizes[i + 1] - low)
    }
    return dy.croppedConvolution(flipped, plain)
  }
}

/// The transposed convolution as one operation with a dilated input.
struct ConvolutionDilated: Operation {
  let window: ConvolutionWindow
  let input: Shape

  var opcode: String { "stablehlo.convolution" }
  func results(_ operands: [TensorType]) -> [TensorType] { [TensorType(input, operands[0].dtype)] }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let padding = window.strides.indices.map { i in
      let reach = window.extent(i, operands[1].shape.sizes[i]) - 1
      let low = reach - window.padding[i].low
      let size = (operands[0].shape.sizes[i + 1] - 1) * window.strides[i] + 1
      return ConvolutionWindow.Range(low, input.sizes[i + 1] + reach - size - low)
    }
    return window.attributes(
      operands[0].dtype, inputDilation: window.strides, padding: padding,
      strides: window.strides.map { _ in 1 })
  }
}

extension ConvolutionInputGradient {
  func pullback(_ at: Application) -> [Tensor?] {
    let (dy, kernel) = (at.operands[0], at.operands[1])
    return [
      Tensor(Convolution(window: window), [at.dy, kernel]),
      Tensor(ConvolutionKernelGradient(window: window, kernel: kernel.shape), [at.dy, dy]),
    ]
  }
}

/// The gradient of a convolution with respect to its kernel.
struct ConvolutionKernelGradient: Operation {
  let window: ConvolutionWindow
  let kernel: Shape

  var opcode: String { "convolution_kernel_gradient" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = TensorType(kernel, operands[0].dtype)
    let forward = Convolution(window: window).results([operands[0], type])
    precondition(forward == [operands[1]], "\(operands[1]) does not come from a kernel \(type)")
    return [type]
  }

  /// One matrix multiplication per tap: of the input's elements under the tap with the cotangent.
  func plain(_ operands: [Tensor]) -> [Tensor]? {
    let (x, dy) = (operands[0], operands[1])
    let border = window.padding.map { Pad.Amount(low: $0.low, high: $0.high) }
    let padded = x.pad([Pad.Amount()] + border + [Pad.Amount()])
    let taps = window.taps(kernel)
    let (groups, i, o) = (window.groups, kernel[-2], kernel[-1])
    let positions = dy.shape.count / o
    let seen = taps.map { tap in
      var part = padded
      for (axis, place) in tap.enumerated() {
        let start = place * window.dilation[axis]
        let reach = (dy.shape.sizes[axis + 1] - 1) * window.strides[axis] + 1
        part = part.slice(axis + 1, start..<(start + reach), stride: window.strides[axis])
      }
      return part.reshape([positions, groups * i])
    }
    let cotangent = dy.reshape([positions, o])
    if groups == 1 {
      // A few channels make thin matrices; they are concatenated to one.
      if i * taps.count <= 64 {
        let all = Tensor.concatenate(seen, axis: 1)
        return [all.dot(cotangent, contracting: ([0], [0])).reshape(kernel)]
      }
      let parts = seen.map { $0.dot(cotangent, contracting: ([0], [0])) }
      return [Tensor.stack(parts).reshape(kernel)]
    }
    let split = cotangent.reshape([positions, groups, o / groups])
    let parts = seen.map { part -> Tensor in
      let product = part.reshape([positions, groups, i])
        .dot(split, contracting: ([0], [0]), batch: ([1], [1]))
      return product.transpose([1, 0, 2]).reshape([i, o])
    }
    return [Tensor.stack(parts).reshape(kernel)]
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (x, dy) = (at.operands[0], at.operands[1])
    return [
      Tensor(ConvolutionInputGradient(window: window, input: x.shape), [dy, at.dy]),
      Tensor(Convolution(window: window), [x, at.dy]),
    ]
  }
}

extension Tensor {
  /// The convolution of `[batch, spatial…, channels]` with `[spatial…, channels in / groups, out]`.
  public func convolution(_ kernel: Tensor, _ window: ConvolutionWindow) -> Tensor {
    Tensor(Convolution(window: window), [self, kernel])
  }

  /// The transposed convolution; the window is that of the convolution it transposes.
  ///
  /// - Parameters:
  ///   - kernel: `[spatial…, channels out / groups, channels in]`, the layout of that convolution.
  ///   - outputPadding: elements added at the end of each axis where several output sizes are
  ///     possible.
  public func transposedConvolution(
    _ kernel: Tensor, _ window: ConvolutionWindow, outputPadding: Int = 0
  ) -> Tensor {
    let sizes = window.strides.indices.map { i in
      (shape.sizes[i + 1] - 1) * window.strides[i] + window.extent(i, kernel.shape.sizes[i])
        - window.padding[i].low - window.padding[i].high + outputPadding
    }
    let output = Shape([shape[0]] + sizes + [kernel.shape[-2] * window.groups])
    return Tensor(ConvolutionInputGradient(window: window, input: output), [self, kernel])
  }

  /// A convolution whose padding may be negative, which crops the input.
  func croppedConvolution(_ kernel: Tensor, _ window: ConvolutionWindow) -> Tensor {
    var window = window
    var input = self
    for i in window.padding.indices {
      let (low, high) = (window.padding[i].low, window.padding[i].high)
      let size = shape.sizes[i + 1]
      input = input.slice(i + 1, Swift.max(0, -low)..<(size - Swift.max(0, -high)))
      window.padding[i] = .init(Swift.max(0, low), Swift.max(0, high))
    }
    return input.convolution(kernel, window)
  }
}
