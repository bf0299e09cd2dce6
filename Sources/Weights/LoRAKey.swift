/// What the name of an array in a file of LoRA says.
struct LoRAKey: Hashable {
  /// The module, without the prefixes of training programs.
  let module: String
  /// The module with these prefixes.
  let qualified: String
  /// Whether the module's name has underscores in place of dots, as kohya's scripts write it.
  let isFlat: Bool
  /// The style of the name.
  let style: LoRAFile.Style
  /// What the array holds.
  let part: Part
  /// The name of the adapter, which PEFT's own names have; nil without.
  let adapter: String?

  enum Part: Hashable {
    /// The first factor, `[rank, input]`.
    case down
    /// The second factor, `[output, rank]`.
    case up
    case alpha
  }

  /// Reads a name.
  ///
  /// - Throws: `Refusal` for arrays that are not part of LoRA of a transformer's linear maps.
  init(_ name: String) throws(Refusal) {
    if let encoder = Self.encoders.first(where: name.hasPrefix) {
      throw Refusal(reason: "\(name) changes a text encoder (\(encoder)…)")
    }
    var components = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard let (place, length, part) = Self.part(components) else {
      throw Refusal(reason: "\(name) is \(Self.kind(of: components))")
    }
    var end = Array(components[(place + length)...])
    if part != .alpha {
      // PEFT's own names say whose factor it is: lora_A.default.weight.
      guard end.last == "weight", end.count <= (length == 1 ? 2 : 1) else {
        throw Refusal(
          reason: end.last == "bias"
            ? "\(name) is a bias of LoRA" : "\(name) is \(Self.kind(of: components))")
      }
      end.removeLast()
    }
    adapter = end.first
    self.part = part
    components = Array(components[..<place])
    let usesDown = name.contains("lora_down") || name.contains("lora_up")
    qualified = components.joined(separator: ".")
    var module = qualified
    var style = usesDown ? LoRAFile.Style.downUp : .peft
    if let prefix = Self.flatPrefixes.first(where: module.hasPrefix) {
      module.removeFirst(prefix.count)
      (isFlat, style) = (true, .kohya)
    } else {
      isFlat = false
      var isFirst = true
      while let (prefix, own) = Self.prefixes.first(where: { module.hasPrefix($0.prefix) }) {
        module.removeFirst(prefix.count)
        if isFirst { style = own }
        isFirst = false
      }
    }
    (self.module, self.style) = (module, style)
  }

  /// Why an array cannot be used.
  struct Refusal: Error {
    let reason: String
  }

  /// The starts of names of modules that belong to training programs, in the order in which they are
  /// looked for.
  private static let prefixes: [(prefix: String, style: LoRAFile.Style)] = [
    ("base_model.model.", .peft), ("model.diffusion_model.", .comfyUI),
    ("diffusion_model.", .comfyUI), ("transformer.", .diffusers), ("unet.", .diffusers),
  ]
  private static let flatPrefixes = ["lora_unet_", "lora_transformer_", "lycoris_"]
  private static let encoders = [
    "text_encoder", "lora_te", "te_", "te1_", "te2_", "cond_stage_model.",
  ]

  /// The place of the components that name a part, and their number.
  private static func part(_ components: [String]) -> (place: Int, length: Int, part: Part)? {
    for place in components.indices.reversed().dropLast() {
      let next = place + 1 < components.count ? components[place + 1] : ""
      switch (components[place], next) {
      case ("alpha", ""): return (place, 1, .alpha)
      case ("lora_A", _), ("lora_down", _): return (place, 1, .down)
      case ("lora_B", _), ("lora_up", _): return (place, 1, .up)
      case ("lora", "down"), ("lora_linear_layer", "down"): return (place, 2, .down)
      case ("lora", "up"), ("lora_linear_layer", "up"): return (place, 2, .up)
      default: continue
      }
    }
    return nil
  }

  /// What an array is that is no factor.
  private static func kind(of components: [String]) -> String {
    for component in components.reversed() {
      switch component {
      case "dora_scale", "lora_magnitude_vector", "magnitude": return "a magnitude of DoRA"
      case "lora_mid": return "the core of a Tucker decomposition (LoCon)"
      case "diff", "diff_b", "w_norm", "b_norm", "set_weight":
        return "a change of a weight in full"
      case "lora_embedding_A", "lora_embedding_B": return "LoRA of an embedding"
      case _ where component.hasPrefix("lokr_"): return "a factor of LoKr"
      case _ where component.hasPrefix("hada_"): return "a factor of LoHa"
      case _ where component.hasPrefix("oft_"): return "part of OFT"
      case _ where component.hasPrefix("boft_"): return "part of BOFT"
      case "weight", "bias": continue
      default: break
      }
    }
    return ["weight", "bias"].contains(components.last) ? "a weight in full" : "no factor of LoRA"
  }
}
