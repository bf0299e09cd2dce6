import Files
import Foundation
import Models

extension ImagePipeline {
  /// What the latents of pictures depend on besides the pictures, by names: equal values mean equal
  /// latents.
  ///
  /// - Throws: the errors of reading files.
  package func latentContent() throws -> [String: String] {
    guard let autoencoder = codec.autoencoder else { return ["autoencoder": "none"] }
    let own = try folder.folder("vae")
    let config = Self.config(of: Self.place(replacements.vae, "vae") ?? own, otherwise: own)
    return [
      "autoencoder": try HashCache().hash(ofAll: autoencoder.component.files),
      "configuration of the autoencoder": try ContentHash.ofFile(config),
      "tiles": "\(options.tiling)",
    ]
  }

  /// What the features of texts depend on besides the texts, by names: equal values mean equal features.
  ///
  /// - Throws: the errors of reading files.
  package func textContent() throws -> [String: String] {
    guard classes == nil else { return ["text encoder": "none"] }
    let template = kind.template
    let configurations = try encoder.configurations.map { try ContentHash.ofFile($0) }
    let tokenizers = try (joint?.parts.map(\.tokenizer) ?? [tokenizer!]).map {
      try $0.contentHash()
    }
    var content = [
      "text encoder": try HashCache().hash(ofAll: encoder.component.files),
      "configuration of the text encoder": configurations.joined(separator: " "),
      "tokenizer": tokenizers.joined(separator: " "),
      "template": ContentHash.of(
        "\([template.before, template.after]) \(template.dropped) \(template.limit) "
          + "\(template.layer) \(template.image.map { "\($0)" } ?? "") "
          + "\(template.addsSpecialTokens)"),
      "precision": options.compute.rawValue,
      "storage": options.encoderStorage.rawValue,
      "padding": "\(options.textMultiple)",
    ]
    if let before = template.beforeNone {
      content["no prompt"] = "\(before), prompts without white space around them \(template.strips)"
    }
    if let joint { content["tokens"] = joint.parts.map { "\($0.length)" }.joined(separator: " ") }
    if template.hasInstruction {
      content["instruction"] = "\(instructionTokens) tokens, lower case \(template.lowercases)"
    }
    if let vision = encoder.vision, let use = kind.references {
      content["vision tower"] = try HashCache().hash(ofAll: vision.component.files)
      content["preparation of reference images"] = ContentHash.of(
        try ContentHash.ofFile(ImageProcessorFile.path(in: folder.folder("processor")))
          + " \(use.conditionArea) \(use.latentArea) \(use.sharesImage)")
    }
    return content
  }
}
