extension CPULowering {
  func attended(_ attention: Attention, _ operands: [Tensor]) -> [Tensor]? {
    guard has(.attention), computes(attention, operands) else { return nil }
    return KernelCall.results(
      of: .attention, values(attention, operands), operands,
      types: attention.results(operands.map(\.type)))
  }

  func attentionGradient(_ gradient: AttentionGradient, _ operands: [Tensor]) -> [Tensor]? {
    let attention = gradient.attention
    // Once a bias is added, the capped scores can no longer be recovered from the result.
    guard has(.attentionGradient), gradient.part == .inputs, computes(attention, operands),
      attention.softCap == nil || !attention.hasBias
    else { return nil }
    // The kernel takes lengths, mask and bias last.
    let (inputs, given) = (
      operands.prefix(attention.inputs), operands.dropFirst(attention.inputs).dropLast(3)
    )
    return KernelCall.results(
      of: .attentionGradient, values(attention, operands), inputs + operands.suffix(3) + given,
      types: gradient.results(operands.map(\.type)))
  }

  /// Whether the kernels compute in the operands' element types.
  private func computes(_ attention: Attention, _ operands: [Tensor]) -> Bool {
    let bias = attention.given(operands).bias
    return isPlan || operands[0].dtype == .float32 && (bias?.dtype ?? .float32) == .float32
  }

  private func values(
    _ attention: Attention, _ operands: [Tensor]
  ) -> [String: KernelCall.Attribute] {
    let (lengths, mask, bias) = attention.given(operands)
    return [
      "scale": .float(attention.scale), "soft_cap": .float(attention.softCap ?? 0),
      "band": .numbers([attention.before ?? -1, attention.after ?? -1]),
      "given": .numbers([lengths, mask, bias].map { $0 == nil ? 0 : 1 }),
      "mask": .numbers(strides(mask)), "bias": .numbers(strides(bias)),
    ]
  }

  /// The elements from one index to the next along each axis, 0 where it is broadcast.
  private func strides(_ tensor: Tensor?) -> [Int] {
    guard let sizes = tensor?.shape.sizes else { return [0, 0, 0, 0] }
    return sizes.indices.map { sizes[$0] > 1 ? sizes[($0 + 1)...].reduce(1, *) : 0 }
  }
}
