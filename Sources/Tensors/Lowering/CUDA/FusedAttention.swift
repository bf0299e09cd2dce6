/// Attention as cuDNN computes it on an NVIDIA GPU, forwards or backwards, without a matrix of scores
/// in memory; in half precision.
///
/// The operands are queries `[batch, tokens, heads, width]`, keys and values, whose heads may be fewer;
/// backwards then the sums of exponentials, the cotangent and the output; a bias `[…, …, queries,
/// keys]` stands before the output, or last forwards. The results are `[batch, heads, tokens, width]`, in memory as the
/// operands are; forwards also the sums `[batch, heads, tokens]` in f32; last a workspace.
struct FusedAttention: Operation {
  let isGradient: Bool
  let hasBias: Bool
  let scale: Double
  /// Whether a query sees no key after its own index.
  let isCausal: Bool
  /// How many keys up to its own a query sees, nil for all.
  let window: Int?
  /// The sizes of queries and keys, `[batch, tokens, heads, width]`.
  let queries: [Int]
  let keys: [Int]

  var opcode: String { "stablehlo.custom_call" }

  private var target: String {
    "__cudnn$fmha" + (hasBias ? "ScaleBias" : "") + "Softmax" + (isGradient ? "Backward" : "")
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (batch, tokens, heads, width) = (queries[0], queries[1], queries[2], queries[3])
    let dtype = operands[0].dtype
    let own = TensorType([batch, heads, tokens, width], dtype)
    let workspace = TensorType([0], .uint8)
    if isGradient {
      let other = TensorType([batch, keys[2], keys[1], width], dtype)
      return [own, other, other, workspace]
    }
    return [own, TensorType([batch, heads, tokens], .float32), workspace]
  }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let order = { (type: TensorType, isTransposed: Bool) -> String in
      let rank = type.shape.rank
      let list = isTransposed ? [3, 1, 2, 0] : Array((0..<rank).reversed())
      return "dense<[\(Tensors.list(list))]> : tensor<\(rank)xindex>"
    }
    let operandOrders = operands.map { order($0, false) }.joined(separator: ", ")
    let resultOrders = results.map { order($0, $0.shape.rank == 4) }.joined(separator: ", ")
    let config = config(operands[0].dtype).replacing("\"", with: "\\\"")
    return "api_version = 2 : i32, backend_config = \"\(config)\", "
      + "call_target_name = \"\(target)\", operand_layouts = [\(operandOrders)], "
      + "result_layouts = [\(resultOrders)]"
  }

  /// What XLA's compiler for GPUs is told of the call, its GpuBackendConfig in JSON.
  private func config(_ dtype: DType) -> String {
    func product(
      _ name: String, _ left: Int, _ right: Int, _ leftBatch: [Int], _ rightBatch: [Int]
    ) -> String {
      let text = { (numbers: [Int]) in
        "[" + numbers.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
      }
      return "\"\(name)_dot_dimension_numbers\": {"
        + "\"lhs_contracting_dimensions\": \(text([left])), "
        + "\"rhs_contracting_dimensions\": \(text([right])), "
        + "\"lhs_batch_dimensions\": \(text(leftBatch)), "
        + "\"rhs_batch_dimensions\": \(text(rightBatch))}"
    }
    // Scores are [batch, heads, queries, keys], all else [batch, tokens, heads, width].
    let products =
      isGradient
      ? [
        product("bmm1_grad_gemm1", 2, 1, [0, 1], [0, 2]),
        product("bmm1_grad_gemm2", 3, 1, [0, 1], [0, 2]),
        product("bmm2_grad_gemm1", 2, 1, [0, 1], [0, 2]),
        product("bmm2_grad_gemm2", 3, 3, [0, 2], [0, 2]),
      ]
      : [product("bmm1", 3, 3, [0, 2], [0, 2]), product("bmm2", 3, 1, [0, 1], [0, 2])]
    let sizes = [queries[0], queries[2], queries[1], keys[1]]
      .map { "\"\($0)\"" }.joined(separator: ", ")
    let facts =
      [
        "\"algorithm\": {\"algo_id\": \"0\", \"math_type\": \"TENSOR_OP_MATH\", "
          + "\"tuning_knobs\": {\"17\": \"1\", \"24\": \"0\"}, \"is_cudnn_frontend\": true, "
          + "\"workspace_size\": \"0\"}",
        "\"fmha_scale\": \(scale)",
        "\"intermediate_tensor_shape\": {"
          + "\"element_type\": \"\(dtype == .bfloat16 ? "BF16" : "F16")\", "
          + "\"dimensions\": [\(sizes)], \"tuple_shapes\": [], "
          + "\"layout\": {\"minor_to_major\": [\"3\", \"2\", \"1\", \"0\"]}, "
          + "\"is_dynamic_dimension\": [false, false, false, false]}",
        "\"is_flash_attention\": true",
        "\"mask_type\": \"\(isCausal ? "CAUSAL" : "NO_MASK")\"",
      ] + products + [
        "\"dropout_rate\": 0.0", "\"seed\": 42", "\"sliding_window_length\": \(window ?? 0)",
        "\"max_seg_per_batch\": 1", "\"is_paged_attention\": false",
      ]
    return "{\"operation_queue_id\": \"0\", \"cudnn_fmha_backend_config\": {"
      + facts.joined(separator: ", ") + "}}"
  }
}

extension FusedAttention {
  /// Attention's results from its operands, nil where cuDNN does not compute it.
  static func forward(_ operands: [Tensor], of attention: Attention) -> [Tensor]? {
    guard let form = Form(attention, operands) else { return nil }
    let results = Node(form.call(isGradient: false), form.inputs + form.bias).tensors
    return [form.seeing(results[0].transpose([0, 2, 1, 3])), results[1]]
  }

  /// The results of the gradient by queries, keys and values, nil where cuDNN does not compute it.
  static func gradient(_ operands: [Tensor], of gradient: AttentionGradient) -> [Tensor]? {
    let (attention, given) = (gradient.attention, Array(operands.dropLast(3)))
    guard gradient.part == .inputs, let form = Form(attention, given) else { return nil }
    let (output, sums, cotangent) = (
      operands[given.count], operands[given.count + 1], form.seeing(operands[given.count + 2])
    )
    let results = Node(
      form.call(isGradient: true), form.inputs + [sums, cotangent] + form.bias + [output]
    ).tensors
    let gradients = results.prefix(3).map { $0.transpose([0, 2, 1, 3]) }
    guard attention.isPacked else { return gradients }
    return [Tensor.concatenate(gradients.map { $0.expanded([2]) }, axis: 2)]
  }

  /// Attention in the terms of cuDNN's calls.
  private struct Form {
    let attention: Attention
    /// Queries, keys and values.
    let inputs: [Tensor]
    /// What is added to the scores, if anything: what hides keys, too, but for a causal mask alone.
    let bias: [Tensor]
    let isCausal: Bool
    /// Whether a query sees any key, `[…, queries, …, 1]`; nil where all do.
    let sees: Tensor?

    /// nil where cuDNN does not compute it, or not exactly so.
    init?(_ attention: Attention, _ operands: [Tensor]) {
      let (queries, keys, values) = attention.parts(operands)
      let (tokens, count, width) = (queries.shape[1], keys.shape[1], queries.shape[3])
      let given = attention.given(operands)
      let dtype = queries.dtype
      guard [.bfloat16, .float16].contains(dtype), width % 8 == 0, width <= 128,
        attention.softCap == nil, given.bias.map({ $0.dtype == dtype }) ?? true
      else { return nil }
      isCausal =
        attention.after == 0 && tokens == count
        && !attention.hasLengths && !attention.hasMask && !attention.hasBias
      let visible = isCausal ? nil : attention.visible(operands)
      guard visible == nil && given.bias == nil || tokens % 2 == 0 && count % 2 == 0 else {
        return nil
      }
      self.attention = attention
      inputs = [queries, keys, values]
      bias = Self.bias(visible, given.bias, dtype: dtype, queries: tokens, keys: count)
      let mayBeBlind = attention.mayBeBlind(operands.map(\.type))
      sees = mayBeBlind ? visible?.any([3]).transpose([0, 2, 1]).expanded([3]) : nil
    }

    /// The bias, and what keeps a query from the keys that it must not see.
    ///
    /// cuDNN's own difference of two of the largest numbers is not finite, so it is a smaller one.
    private static func bias(
      _ visible: Tensor?, _ bias: Tensor?, dtype: DType, queries: Int, keys: Int
    ) -> [Tensor] {
      guard let some = visible ?? bias else { return [] }
      let both = visible.flatMap { v in bias.map { v.shape.broadcast(with: $0.shape)! } }
      let shape = (both ?? some.shape).replacing(2, with: queries).replacing(3, with: keys)
      let added = bias ?? .constant(0, dtype)
      guard let visible else { return [added.broadcast(to: shape)] }
      let away = dtype == .bfloat16 ? -0x1p41 : -0x1p15
      return [visible.broadcast(to: shape).select(added, .constant(away, dtype))]
    }

    func call(isGradient: Bool) -> FusedAttention {
      FusedAttention(
        isGradient: isGradient, hasBias: !bias.isEmpty, scale: attention.scale,
        isCausal: isCausal, window: isCausal ? attention.before.map { $0 + 1 } : nil,
        queries: inputs[0].shape.sizes, keys: inputs[1].shape.sizes)
    }

    /// `[batch, queries, heads, width]` with zeros for queries that see no key.
    func seeing(_ output: Tensor) -> Tensor {
      sees.map { $0.select(output, .constant(0, output.dtype)) } ?? output
    }
  }
}
