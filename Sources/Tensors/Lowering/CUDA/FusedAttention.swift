/// Attention as cuDNN computes it on an NVIDIA GPU, forwards or backwards, without a matrix of scores
/// in memory; in half precision.
///
/// The operands are queries, keys and values `[batch, tokens, heads, width]`; backwards then the sums
/// of exponentials, the cotangent and the output; a bias `[…, …, queries, keys]` stands before the
/// output, or last forwards. The results are `[batch, heads, tokens, width]`, in memory as the
/// operands are; forwards also the sums `[batch, heads, tokens]` in f32; last a workspace.
struct FusedAttention: Operation {
  let isGradient: Bool
  let hasBias: Bool
  let scale: Double
  /// The queries' sizes `[batch, tokens, heads, width]`, and the number of keys.
  let queries: [Int]
  let keys: Int

  var opcode: String { "stablehlo.custom_call" }

  /// Whether cuDNN computes attention of these sizes.
  static func supports(queries: [Int], keys: Int, dtype: DType, hasMask: Bool) -> Bool {
    let width = queries[3]
    return [.bfloat16, .float16].contains(dtype) && width % 8 == 0 && width <= 128
      && (!hasMask || queries[1] % 2 == 0 && keys % 2 == 0)
  }

  private var target: String {
    "__cudnn$fmha" + (hasBias ? "ScaleBias" : "") + "Softmax" + (isGradient ? "Backward" : "")
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (batch, tokens, heads, width) = (queries[0], queries[1], queries[2], queries[3])
    let dtype = operands[0].dtype
    let own = TensorType([batch, heads, tokens, width], dtype)
    let workspace = TensorType([0], .uint8)
    if isGradient {
      let other = TensorType([batch, heads, keys, width], dtype)
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
    let sizes = [queries[0], queries[2], queries[1], keys]
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
        "\"is_flash_attention\": true", "\"mask_type\": \"NO_MASK\"",
      ] + products + [
        "\"dropout_rate\": 0.0", "\"seed\": 42", "\"sliding_window_length\": 0",
        "\"max_seg_per_batch\": 1", "\"is_paged_attention\": false",
      ]
    return "{\"operation_queue_id\": \"0\", \"cudnn_fmha_backend_config\": {"
      + facts.joined(separator: ", ") + "}}"
  }
}

extension FusedAttention {
  /// Queries, keys and values, apart.
  private static func parts(_ operands: [Tensor], of attention: Attention) -> [Tensor] {
    guard attention.isPacked else { return Array(operands.prefix(3)) }
    let sizes = operands[0].shape.sizes
    let part = Shape(Array(sizes[..<2]) + sizes[3...])
    return operands[0].split(3, axis: 2).map { $0.reshape(part) }
  }

  /// What keeps a query from the keys that it must not see, for no mask nothing.
  ///
  /// cuDNN's own difference of two of the largest numbers is not finite, so it is a smaller one.
  private static func bias(_ mask: Tensor?, dtype: DType, queries: Int, keys: Int) -> [Tensor] {
    guard let mask else { return [] }
    let shape = mask.shape.replacing(2, with: queries).replacing(3, with: keys)
    let away = dtype == .bfloat16 ? -0x1p41 : -0x1p15
    return [mask.broadcast(to: shape).select(.constant(0, dtype), .constant(away, dtype))]
  }

  /// Attention's results from its operands, nil where cuDNN does not compute it.
  static func forward(_ operands: [Tensor], of attention: Attention) -> [Tensor]? {
    let parts = parts(operands, of: attention)
    let mask = operands.count > attention.inputs ? operands[attention.inputs] : nil
    let (sizes, keys) = (parts[0].shape.sizes, parts[1].shape[1])
    guard supports(queries: sizes, keys: keys, dtype: parts[0].dtype, hasMask: mask != nil) else {
      return nil
    }
    let call = FusedAttention(
      isGradient: false, hasBias: mask != nil, scale: attention.scale, queries: sizes, keys: keys)
    let bias = bias(mask, dtype: parts[0].dtype, queries: sizes[1], keys: keys)
    let results = Node(call, parts + bias).tensors
    return [results[0].transpose([0, 2, 1, 3]), results[1]]
  }

  /// The gradient's results from its operands, nil where cuDNN does not compute it.
  static func gradient(_ operands: [Tensor], of attention: Attention) -> [Tensor]? {
    let given = Array(operands.dropLast(3))
    let (output, sums, cotangent) = (
      operands[operands.count - 3], operands[operands.count - 2], operands[operands.count - 1]
    )
    let parts = parts(given, of: attention)
    let mask = given.count > attention.inputs ? given[attention.inputs] : nil
    let (sizes, keys) = (parts[0].shape.sizes, parts[1].shape[1])
    guard supports(queries: sizes, keys: keys, dtype: parts[0].dtype, hasMask: mask != nil) else {
      return nil
    }
    let call = FusedAttention(
      isGradient: true, hasBias: mask != nil, scale: attention.scale, queries: sizes, keys: keys)
    let bias = bias(mask, dtype: parts[0].dtype, queries: sizes[1], keys: keys)
    let results = Node(call, parts + [sums, cotangent] + bias + [output]).tensors
    let gradients = results.prefix(3).map { $0.transpose([0, 2, 1, 3]) }
    guard attention.isPacked else { return gradients }
    return [Tensor.concatenate(gradients.map { $0.expanded([2]) }, axis: 2)]
  }
}
