import Foundation
import Models
import Weights

/// What the names of arrays tell about a file.
enum Conventions {
  /// What was recognized, a phrase each.
  static func findings(_ files: WeightFiles) -> [String] {
    let names = files.types.names
    var findings: [String] = []
    if let architecture = files.metadata["general.architecture"] {
      findings.append("GGUF of the architecture \(architecture)")
    }
    if let prefix = NameMap.networkPrefix(of: names) {
      findings.append("names of a single file, behind \(prefix)")
    }
    let second = names.filter(isOfSecondTime)
    if !second.isEmpty {
      findings.append(
        second.count == names.count
          ? "the second time embedder of TwinFlow alone: the network's other weights are elsewhere"
          : "with the second time embedder of TwinFlow")
    } else if names.contains(where: {
      $0.contains("time_text_embed.") || $0.contains("t_embedder.")
    }) {
      findings.append("without a second time embedder")
    }
    if names.contains(where: { $0.hasSuffix(".scale_weight") }) {
      findings.append("ComfyUI's scaled f8 (scale_weight)")
    }
    if names.contains(where: { $0.hasSuffix(".comfy_quant") }) {
      findings.append("ComfyUI's quantized arrays (comfy_quant)")
    }
    if OpenUniConnectorConfig.isIn(names) {
      findings.append("with OpenUni's connector and learned queries")
    }
    if names.contains(where: isOfLoRA) { findings.append(lora(files.path)) }
    return findings
  }

  /// A network by the names of its arrays, for files without a config; nil where it is not known.
  static func network(_ arrays: [String]) -> String? {
    let prefix = NameMap.networkPrefix(of: arrays) ?? ""
    let names = Set(arrays.map { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 })
    return marks.first { $0.arrays.allSatisfy(names.contains) }?.name
  }

  /// Arrays that a network has, and the name by which it is shown.
  private static let marks: [(arrays: [String], name: String)] = [
    (["img_in.weight", "txt_norm.weight"], "Qwen-Image"),
    (
      ["cap_embedder.1.weight", "layers.0.attention.qkv.weight"],
      "Z-Image, under the original names"
    ),
    (["cap_embedder.1.weight", "layers.0.attention.to_q.weight"], "Z-Image"),
    (["joint_blocks.0.x_block.attn.qkv.weight"], "Stable Diffusion 3, under the original names"),
    (
      ["context_embedder.weight", "transformer_blocks.0.attn.add_q_proj.weight"],
      "Stable Diffusion 3"
    ),
    (
      ["caption_projection.linear_1.weight", "transformer_blocks.0.ff.conv_inverted.weight"], "SANA"
    ),
    (["encoder.block.0.layer.0.SelfAttention.q.weight"], "T5"),
    (["text_model.encoder.layers.0.self_attn.q_proj.weight"], "CLIP"),
    (["decoder.conv_in.weight", "encoder.conv_in.weight"], "an autoencoder"),
    (["token_embd.weight"], "a language model, under llama.cpp's names"),
  ]

  /// Whether an array belongs to the embedder of target times that TwinFlow adds.
  private static func isOfSecondTime(_ name: String) -> Bool {
    ["time_text_embed_2.", "time_embed_2.", "t_embedder_2."].contains { name.contains($0) }
  }

  /// Whether an array is a factor of LoRA.
  private static func isOfLoRA(_ name: String) -> Bool {
    let endings = [
      "lora_A.weight", "lora_A.default.weight", "lora_down.weight", "lora.down.weight",
    ]
    return endings.contains { name.hasSuffix("." + $0) }
  }

  /// What is known of a file of LoRA.
  private static func lora(_ path: String) -> String {
    do {
      let file = try LoRAFile(path: path)
      let ranks = Set(file.modules.map(\.rank)).sorted()
      let scales = Set(file.modules.map(\.scale)).sorted()
      let range = { (values: [String]) in
        values.count > 1 ? "\(values[0]) to \(values.last!)" : values[0]
      }
      let count = file.modules.count == 1 ? "1 linear map" : "\(file.modules.count) linear maps"
      return "LoRA of \(count) in the style of \(file.style.rawValue), rank "
        + range(ranks.map { "\($0)" }) + ", alpha / rank "
        + range(scales.map { String(format: "%.4g", $0) })
    } catch {
      return "LoRA that cannot be used: \(error)"
    }
  }
}
