import Layers
import Models
import Tensors

extension GoldenCase {
  /// Checks a text encoder by the class that the case names.
  func checkTextEncoder(on client: Client) throws -> [Comparison] {
    switch config.cls {
    case "Qwen2Model", "Qwen2ForCausalLM", "InternVLChatModel":
      return try check(Qwen2.self, networkConfig(), on: client)
    case "Qwen3Model", "Qwen3ForCausalLM":
      return try check(Qwen3.self, networkConfig(), on: client)
    case "Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLModel", "Qwen2_5_VLTextModel":
      return try check(Qwen2_5VL.self, networkConfig(), on: client)
    case "Gemma2Model", "Gemma2ForCausalLM":
      return try check(Gemma2.self, networkConfig(), on: client)
    case "T5EncoderModel":
      return try check(T5Encoder.self, networkConfig(), on: client)
    case "BertModel": return try check(Bert.self, networkConfig(), on: client)
    case "CLIPTextModel", "CLIPTextModelWithProjection":
      var sizes: CLIPTextConfig = try networkConfig()
      sizes.hasProjection = config.cls == "CLIPTextModelWithProjection"
      return try check(CLIPText.self, sizes, on: client)
    default: throw fail("the class of its network, \(config.cls ?? "null"), is not known")
    }
  }

  /// Encodes `input_ids`, with `attention_mask` where there is one, and without it for outputs
  /// whose name ends in `nomask`.
  private func check<Encoder: TextEncoder>(
    _: Encoder.Type, _ sizes: Encoder.Config, on client: Client
  ) throws -> [Comparison] {
    var used = Named<HostArray>()
    used["tokens"] = try tokens(sizes)
    used["mask"] = try mask(like: used["tokens"]!)
    let outputs = try expected.names.map { try EncoderOutput($0, of: self) }
    let hidden = Set(outputs.compactMap(\.layer)).sorted()
    if let beyond = hidden.first(where: { $0 > sizes.depth }) {
      throw fail("it expects hidden_\(beyond), and its model has \(sizes.depth) layers")
    }
    // Hidden states at padding are undefined.
    let real = used["mask"].map { mask in mask.values.indices.filter { mask.values[$0] == 1 } }
    let masked = Set(outputs.filter { $0.isMasked && $0.isOfTokens }.map(\.name))
    let build = { (scope: Scope) in Encoder(scope, sizes) }
    return try compare(
      Scope.declare(build), names: sizes.names(in:), ignoring: sizes.ignores, inputs: used,
      rows: { masked.contains($0) ? real : nil }, on: client
    ) { weights, inputs in
      let encoder = Scope.bind(weights, build)
      let tokens = inputs["tokens"]!.cast(to: .int32)
      let valid = inputs["mask"]?.greater(0.5)
      func encode(_ valid: Tensor?) -> TextEncoding {
        encoder(tokens, valid: valid, hidden: hidden, in: .float32)
      }
      let encodings = (masked: encode(valid), unmasked: encode(nil))
      var results = Named<Tensor>()
      for output in outputs {
        results[output.name] = output.value(output.isMasked ? encodings.masked : encodings.unmasked)
      }
      return results
    }
  }

  /// The ids of the tokens.
  private func tokens(_ sizes: some TextEncoderConfig) throws -> HostArray {
    let tokens = try input("input_ids", shape: [nil, nil])
    let length = tokens.shape[1]
    guard !tokens.values.isEmpty else { throw fail("its input input_ids holds no tokens") }
    if let longest = sizes.longest, length > longest {
      throw fail("its input input_ids has \(length) tokens, and its model \(longest) positions")
    }
    let known = 0..<Float(sizes.vocabulary)
    if let wrong = tokens.values.first(where: { !known.contains($0) || $0 != $0.rounded() }) {
      throw fail(
        "its input input_ids holds \(wrong), and whole numbers below \(sizes.vocabulary) were "
          + "expected")
    }
    return tokens
  }

  /// 1 at tokens and 0 at padding, where the case has a mask.
  private func mask(like tokens: HostArray) throws -> HostArray? {
    guard inputs["attention_mask"] != nil else { return nil }
    let mask = try input("attention_mask", shape: tokens.shape)
    guard mask.values.allSatisfy({ $0 == 0 || $0 == 1 }) else {
      throw fail("its input attention_mask holds numbers other than 0 and 1")
    }
    return mask
  }
}

/// An output of a text encoder by its name in a case: `hidden_3`, `last_hidden_state_nomask`.
private struct EncoderOutput {
  let name: String
  /// Whether it is computed with the mask, in a case that has one.
  let isMasked: Bool
  private let kind: Kind

  private enum Kind {
    case hidden(Int)
    case last, pooled, projected
  }

  /// Reads a name.
  ///
  /// - Throws: `GoldenError.wrongCase` where it is not known.
  init(_ name: String, of golden: GoldenCase) throws(GoldenError) {
    self.name = name
    isMasked = !name.hasSuffix("_nomask")
    var plain = name
    for suffix in ["_nomask", "_mask"] where plain.hasSuffix(suffix) {
      plain.removeLast(suffix.count)
    }
    switch plain {
    case "last_hidden_state": kind = .last
    case "pooler_output": kind = .pooled
    case "text_embeds": kind = .projected
    default:
      guard plain.hasPrefix("hidden_"), let layer = Int(plain.dropFirst("hidden_".count)),
        layer >= 0
      else {
        throw golden.fail("its expected.safetensors has \(name), which no text encoder computes")
      }
      kind = .hidden(layer)
    }
  }

  /// The number of a hidden state.
  var layer: Int? { if case .hidden(let layer) = kind { layer } else { nil } }

  /// Whether it has a row for each token.
  var isOfTokens: Bool {
    switch kind {
    case .hidden, .last: true
    case .pooled, .projected: false
    }
  }

  /// The output in an encoder's result, nil where it has none.
  func value(_ encoding: TextEncoding) -> Tensor? {
    switch kind {
    case .hidden(let layer): encoding.hidden[layer]
    case .last: encoding.last
    case .pooled: encoding.pooled
    case .projected: encoding.projected
    }
  }
}
