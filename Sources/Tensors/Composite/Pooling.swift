extension Tensor {
  /// The elements under each tap of a window, one tensor per tap; `[batch, spatial…, channels]`.
  private func taps(_ size: Int, stride: Int, padding: Int, border: Double) -> [Tensor] {
    let spatial = Array(1..<rank - 1)
    var padded = self
    if padding > 0 {
      let inner = shape.sizes.indices.map { spatial.contains($0) ? padding : 0 }
      let inside = Tensor.ones(shape, .float32).pad(inner.map { ($0, $0) }).greater(0.5)
      let wide = pad(inner.map { ($0, $0) })
      padded = inside.select(wide, .constant(border, dtype))
    }
    return spatial.reduce([padded]) { slices, axis in
      slices.flatMap { slice in
        let count = (slice.shape.sizes[axis] - size) / stride + 1
        return (0..<size).map {
          slice.slice(axis, $0..<($0 + (count - 1) * stride + 1), stride: stride)
        }
      }
    }
  }

  /// The largest element of each window over the spatial axes of `[batch, spatial…, channels]`.
  public func maxPool(_ size: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
    let taps = taps(size, stride: stride ?? size, padding: padding, border: -Double.infinity)
    return taps.dropFirst().reduce(taps[0]) { $0.maximum($1) }
  }

  /// The mean of each window over the spatial axes; the padding's zeros are included.
  public func averagePool(_ size: Int, stride: Int? = nil, padding: Int = 0) -> Tensor {
    let taps = taps(size, stride: stride ?? size, padding: padding, border: 0)
    return taps.dropFirst().reduce(taps[0]) { $0 + $1 } / Double(taps.count)
  }

  /// Each pixel repeated `factor` times along every spatial axis.
  public func upsampledNearest(_ factor: Int) -> Tensor {
    var sizes = [shape[0]]
    var places: [Int] = []
    for axis in 1..<rank - 1 {
      sizes += [shape.sizes[axis], factor]
      places.append(2 * axis)
    }
    let wide = expanded(places).broadcast(to: Shape(sizes + [shape[-1]]))
    let spatial = (1..<rank - 1).map { shape.sizes[$0] * factor }
    return wide.reshape([shape[0]] + spatial + [shape[-1]])
  }
}
