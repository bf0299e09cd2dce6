extension CPULowering {
  func attended(_ attention: Attention, _ operands: [Tensor]) -> [Tensor]? {
    let types = attention.results(operands.map(\.type))
    guard has(.attention), types[0].dtype == .float32 || isPlan else { return nil }
    let mask = operands.count > attention.inputs ? operands[attention.inputs] : nil
    return KernelCall.results(
      of: .attention, values(attention, mask: mask), operands, types: types)
  }

  func attentionGradient(_ gradient: AttentionGradient, _ operands: [Tensor]) -> [Tensor]? {
    guard has(.attentionGradient), operands[0].dtype == .float32 || isPlan else { return nil }
    let attention = gradient.attention
    let given = operands.dropLast(3)
    // The kernel takes the mask last.
    let (inputs, mask) = (given.prefix(attention.inputs), given.dropFirst(attention.inputs))
    return KernelCall.results(
      of: .attentionGradient, values(attention, mask: mask.first),
      inputs + operands.suffix(3) + mask, types: gradient.results(operands.map(\.type)))
  }

  private func values(_ attention: Attention, mask: Tensor?) -> [String: KernelCall.Attribute] {
    var strides = [0, 0, 0, 0]
    if let sizes = mask?.shape.sizes {
      for axis in 0..<4 where sizes[axis] > 1 {
        strides[axis] = sizes[(axis + 1)...].reduce(1, *)
      }
    }
    return ["scale": .float(attention.scale), "mask": .numbers(strides)]
  }
}
