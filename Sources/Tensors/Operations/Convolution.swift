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
      "a convolution of \(input) with a kernel \(kernel) in \(window.groups) groups does not fit")
    let spatial = window.output(
      Array(input.shape.sizes[1...rank]), kernel: Array(kernel.shape.sizes[..<rank]))
    return [TensorType(Shape([input.shape[0]] + spatial + [kernel.shape[-1]]), input.dtype)]
  }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    window.attributes(operands[0].dtype, inputDilation: window.strides.map { _ in 1 })
  }

  func lowered(_ operands: [Tensor], for target: Target) -> [Tensor]? {
    let type = results(operands.map(\.type))[0]
    if window.isThin(operands[1].shape, for: target) { return [thin(operands[0], operands[1])] }
    // The kernel shares samples out amongst the cores, XLA also parts of one.
    let products = type.shape.count * operands[1].shape.count / operands[1].shape[-1]
    if type.shape[0] < 8, products > 1 << 26 { return nil }
    return window.kernelCall(.convolution, operands, type, for: target)
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (x, kernel) = (at.operands[0], at.operands[1])
    return [
      Tensor(ConvolutionInputGradient(window: window, input: x.shape), [at.dy, kernel]),
      Tensor(ConvolutionKernelGradient(window: window, kernel: kernel.shape), [x, at.dy]),
    ]
  }
}

/// What a convolution's output cotangent makes of its input: the transposed convolution.
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

  func lowered(_ operands: [Tensor], for target: Target) -> [Tensor]? {
    let type = TensorType(input, operands[0].dtype)
    // With few channels it is a thin convolution itself, of the cotangent.
    if !window.isThin(operands[1].shape, transposed: true, for: target),
      let call = window.kernelCall(.convolutionInputGradient, operands, type, for: target)
    {
      return call
    }
    let (dy, kernel) = (operands[0], transposed(operands[1]))
    // Phases of a dilated kernel are not spelled out: nobody trains such networks on a CPU.
    let hasPhases = target.platform == .cpu && window.dilation.allSatisfy { $0 == 1 }
    if window.isPlain || hasPhases { return [polyphase(dy, kernel)] }
    return [Tensor(ConvolutionDilated(window: window, input: input), [dy, kernel])]
  }

  /// The kernel with its taps in opposite order and its channels exchanged within each group.
  private func transposed(_ kernel: Tensor) -> Tensor {
    let rank = window.strides.count
    let flipped = kernel.reversed(Array(0..<rank))
    if window.groups == 1 { return flipped.swapAxes() }
    let (i, o) = (kernel.shape[-2], kernel.shape[-1] / window.groups)
    let spatial = Array(kernel.shape.sizes[..<rank])
    let parts = flipped.reshape(spatial + [i, window.groups, o])
    return parts.swapAxes(-3, -1).reshape(spatial + [o, window.groups * i])
  }

  /// One plain convolution for each place of the output relative to the stride, interleaved.
  ///
  /// Along an axis with stride s, kernel taps k and padding p, output element s·n + φ takes the
  /// taps r, r + s, r + 2s … with r = (φ + p) mod s, from the elements n + ⌊(φ + p)/s⌋ downwards.
  private func polyphase(_ dy: Tensor, _ flipped: Tensor) -> Tensor {
    let rank = window.strides.count
    if window.isPlain {
      var plain = window
      for i in 0..<rank {
        let reach = window.extent(i, flipped.shape.sizes[i]) - 1
        let low = reach - window.padding[i].low
        plain.padding[i] = .init(
          low, input.sizes[i + 1] + reach - dy.shape.sizes[i + 1] - low)
      }
      return dy.croppedConvolution(flipped, plain)
    }
    return interleave(dy, flipped, axis: 0, phases: [])
  }

  private func interleave(
    _ dy: Tensor, _ flipped: Tensor, axis: Int, phases: [Int]
  ) -> Tensor {
    let rank = window.strides.count
    guard axis < rank else { return phase(dy, flipped, phases) }
    let s = window.strides[axis]
    let parts = (0..<s).map { interleave(dy, flipped, axis: axis + 1, phases: phases + [$0]) }
    guard s > 1 else { return parts[0] }
    var sizes = parts[0].shape.sizes
    sizes[axis + 1] *= s
    return Tensor.stack(parts, axis: axis + 2).reshape(sizes)
      .slice(axis + 1, 0..<input.sizes[axis + 1])
  }

  private func phase(_ dy: Tensor, _ flipped: Tensor, _ phases: [Int]) -> Tensor {
    let rank = window.strides.count
    var kernel = flipped
    var plain = ConvolutionWindow(rank: rank, groups: window.groups)
    for i in 0..<rank {
      let (s, p) = (window.strides[i], window.padding[i].low)
      let (taps, size) = (flipped.shape.sizes[i], dy.shape.sizes[i + 1])
      let (r, shift) = ((phases[i] + p) % s, (phases[i] + p) / s)
      let count = (input.sizes[i + 1] + s - 1) / s
      let used = taps > r ? (taps - r + s - 1) / s : 0
      if used == 0 {
        var sizes = [input.sizes[0]]
        for j in 0..<rank {
          sizes.append((input.sizes[j + 1] + window.strides[j] - 1) / window.strides[j])
        }
        return .zeros(Shape(sizes + [input.sizes.last!]), dy.dtype)
      }
      // In the flipped kernel tap r + s·j lies at taps − 1 − r − s·j.
      let last = taps - 1 - r
      kernel = kernel.slice(i, (last - s * (used - 1))..<(last + 1), stride: s)
      let low = used - 1 - shift
      plain.padding[i] = .init(low, count - size - low + used - 1)
    }
    return dy.croppedConvolution(kernel, plain)
  }
}

/// The transposed convolution as one operation with a dilated input, for devices that like it.
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

/// What a convolution's output cotangent makes of its kernel.
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

  /// How many samples the blocks have that fit into a processor's cache.
  private static let block = 8

  /// Block by block a convolution in which samples and channels change places: its image has a sample
  /// for each channel of the input, and its kernel is the cotangent.
  private func blocked(_ x: Tensor, _ dy: Tensor) -> Tensor {
    var plain = ConvolutionWindow(rank: 2)
    (plain.strides, plain.dilation) = (window.dilation, window.strides)
    for i in 0..<2 {
      let low = window.padding[i].low
      let reach =
        (kernel[i] - 1) * window.dilation[i]
        + (dy.shape[i + 1] - 1) * window.strides[i] + 1
      plain.padding[i] = .init(low, reach - x.shape[i + 1] - low)
    }
    let blocks = [x, dy].map { tensor in
      let sizes = tensor.shape.sizes
      return tensor.reshape(
        Shape([sizes[0] / Self.block, Self.block] + sizes.dropFirst()))
    }
    return scan([Tensor.zeros(kernel, x.dtype)], blocks) { state, parts in
      let image = parts[0].transpose([3, 1, 2, 0])
      let product = image.croppedConvolution(parts[1].transpose([1, 2, 0, 3]), plain)
      return ([state[0] + product.transpose([1, 2, 0, 3])], [])
    }.carry[0]
  }

  /// One product for each tap: the input's elements that the tap meets with the cotangent.
  func lowered(_ operands: [Tensor], for target: Target) -> [Tensor]? {
    let (x, dy) = (operands[0], operands[1])
    let type = TensorType(kernel, x.dtype)
    if window.isThin(kernel, for: target), let thin = thin(x, dy) { return [thin] }
    if let call = window.kernelCall(.convolutionKernelGradient, operands, type, for: target) {
      return call
    }
    let rank = window.strides.count
    if target.platform == .cpu, rank == 2, window.groups == 1, x.shape[0] % Self.block == 0,
      x.shape[0] >= 4 * Self.block, kernel[2] >= 32
    {
      return [blocked(x, dy)]
    }
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
      // A few channels make thin products; they are joined to one.
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

  /// The transposed convolution, whose window is that of the convolution that it transposes.
  ///
  /// - Parameters:
  ///   - kernel: `[spatial…, channels out / groups, channels in]`, the layout of that convolution.
  ///   - outputPadding: elements added after the output where several sizes would fit.
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

  /// A convolution whose padding may be negative, which cuts the input instead.
  fileprivate func croppedConvolution(_ kernel: Tensor, _ window: ConvolutionWindow) -> Tensor {
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
