import Tensors

/// An optimizer whose state is kept in 8 bits, with an f32 scale for each block of 256 numbers: Dettmers
/// et al., "8-bit optimizers via block-wise quantization", 2022.
///
/// A number x of a block whose largest magnitude is s is stored as the code q with
/// `|x| ≈ s·(q / n)⁴`, where n is 127 with a sign for the first moment, and 255 for the second, which has
/// none. Like the paper's dynamic codes these are dense near 0. Codes are rounded up or down at random,
/// so that the stored numbers are right on average: a decay of 0.1 % a step would be lost otherwise. A
/// second moment above 0 is never stored as 0, because steps divide by its root.
///
/// Arrays of fewer than 4096 numbers stay in f32.
public struct BlockwiseMoments: Optimizer {
  /// The optimizer, which computes in f32.
  public var base: any Optimizer

  /// The numbers in a block.
  static let block = 256
  /// The smallest array that is kept in 8 bits.
  static let smallest = 4096
  private static let scalePrefix = "scale"

  /// Makes the optimizer.
  public init(_ base: any Optimizer) { self.base = base }

  /// The state of the base in 8 bits, and the scales of each array's blocks as `scale.NAME`.
  public func state(for weights: Named<ArraySpec>) -> Named<ArraySpec> {
    var state = Named<ArraySpec>()
    for (name, spec) in base.state(for: weights).pairs {
      guard let layout = BlockLayout(spec.type.shape) else {
        state[name] = spec
        continue
      }
      state[name] = spec.cast(to: Self.codes(name))
      state["\(Self.scalePrefix).\(name)"] = ArraySpec(
        TensorType(layout.scales, .float32),
        Sharding(Array(spec.sharding.axes.prefix(layout.leading.count))))
    }
    return state
  }

  /// See `Optimizer.update`.
  public func update(
    _ weights: Named<Tensor>, _ gradients: Named<Tensor>, _ state: Named<Tensor>,
    learningRate: Tensor, step: Tensor
  ) -> (weights: Named<Tensor>, state: Named<Tensor>) {
    let scales = state.group(Self.scalePrefix)
    let wide = state.filter { !$0.hasPrefix("\(Self.scalePrefix).") }.map { name, codes in
      guard let scale = scales[name], let layout = BlockLayout(codes.shape) else { return codes }
      return layout.decoded(codes, scale, levels: Self.levels(name))
    }
    let updated = base.update(
      weights, gradients, wide, learningRate: learningRate, step: step)
    var next = Named<Tensor>()
    for (number, (name, value)) in updated.state.pairs.enumerated() {
      guard scales[name] != nil, let layout = BlockLayout(value.shape) else {
        next[name] = value
        continue
      }
      // The numbers that decide how codes are rounded, other ones for each array and step.
      let key = Key(seed: UInt64(number)).folded(step.cast(to: .int32))
      let (codes, scale) = layout.encoded(
        value, levels: Self.levels(name), isSigned: Self.codes(name) == .int8, key)
      next[name] = codes.cast(to: Self.codes(name))
      next["\(Self.scalePrefix).\(name)"] = scale
    }
    return (updated.weights, next)
  }

  /// Second moments are squares.
  private static func codes(_ name: String) -> DType {
    name.hasPrefix("second.") ? .uint8 : .int8
  }

  private static func levels(_ name: String) -> Double { codes(name) == .uint8 ? 255 : 127 }
}

/// How an array is divided into blocks: along its last axes, as few of them as hold a block.
struct BlockLayout {
  /// The axes that are not divided.
  let leading: [Int]
  private let tail: Int
  private let shape: Shape

  /// The layout of an array, nil for a small one.
  init?(_ shape: Shape) {
    guard shape.count >= BlockwiseMoments.smallest else { return nil }
    var split = shape.rank
    var tail = 1
    while split > 0, tail < BlockwiseMoments.block {
      split -= 1
      tail *= shape[split]
    }
    (leading, self.tail, self.shape) = (Array(shape.sizes.prefix(split)), tail, shape)
  }

  private var blocks: Int { (tail + BlockwiseMoments.block - 1) / BlockwiseMoments.block }

  /// The shape of the scales.
  var scales: Shape { Shape(leading + [blocks]) }

  /// `[leading, blocks, block]`, with zeros at the end of the last block.
  private func divided(_ x: Tensor) -> Tensor {
    let missing = blocks * BlockwiseMoments.block - tail
    var rows = x.reshape(Shape(leading + [tail]))
    if missing > 0 {
      rows = rows.pad(leading.map { _ in (low: 0, high: 0) } + [(low: 0, high: missing)])
    }
    return rows.reshape(Shape(leading + [blocks, BlockwiseMoments.block]))
  }

  private func joined(_ x: Tensor) -> Tensor {
    let rows = x.reshape(Shape(leading + [blocks * BlockwiseMoments.block]))
    return rows.slice(leading.count, 0..<tail).reshape(shape)
  }

  /// A number for each element of its block.
  private func spread(_ scales: Tensor) -> Tensor {
    scales.reshape(Shape(leading + [blocks, 1]))
      .broadcast(to: Shape(leading + [blocks, BlockwiseMoments.block]))
  }

  /// The numbers, f32.
  func decoded(_ codes: Tensor, _ scales: Tensor, levels: Double) -> Tensor {
    let ratio = divided(codes.cast(to: .float32)) / levels
    return joined(ratio.sign() * ratio.squared().squared() * spread(scales))
  }

  /// The codes as f32, rounded at random, and the scales.
  func encoded(
    _ x: Tensor, levels: Double, isSigned: Bool, _ key: Key
  ) -> (codes: Tensor, scales: Tensor) {
    let rows = divided(x)
    let magnitudes = rows.abs()
    let scales = magnitudes.max([leading.count + 1])
    // The smallest normal number of f32; a block of zeros has the codes 0.
    let ratio = magnitudes / spread(scales.maximum(1.2e-38))
    let low = (ratio.sqrt().sqrt() * levels).floor().minimum(levels - 1)
    func value(_ code: Tensor) -> Tensor { (code / levels).squared().squared() }
    let (below, above) = (value(low), value(low + 1))
    let share = (ratio - below) / (above - below)
    let random = divided(key.uniform(shape))
    var codes = low + random.less(share).cast(to: .float32)
    if isSigned {
      codes = codes * rows.sign()
    } else {
      codes = codes.maximum(ratio.greater(0).cast(to: .float32))
    }
    return (joined(codes), scales)
  }
}
